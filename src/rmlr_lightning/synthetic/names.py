"""Names of COCO, HICO-DET and V-COCO, from the package's JSON files in `rmlr_lightning/vocab`."""

import json
from functools import cache
from importlib.resources import files


def _read(name: str) -> dict:
    path = files("rmlr_lightning").joinpath("vocab", name)
    return json.loads(path.read_text(encoding="utf-8"))


_COCO = _read("coco80.json")

COCO_OBJECTS: tuple[str, ...] = tuple(_COCO["names"])
COCO_CATEGORY_IDS: tuple[int, ...] = tuple(_COCO["category_ids"])
COCO_INDEX: dict[str, int] = {name: index for index, name in enumerate(COCO_OBJECTS)}


@cache
def hicodet_hois() -> frozenset[tuple[str, str]]:
    """The 600 (verb, object) names that HICO-DET has."""
    return frozenset((verb, obj) for verb, obj in _read("hicodet.json")["hois"])


@cache
def vcoco_actions() -> tuple[dict, ...]:
    """V-COCO's 26 actions in the official order: `name`, `roles`, `role_object_include`.

    roles[0] is "agent". role_object_include lists the valid objects of each role; empty: any.
    """
    return tuple(_read("vcoco.json")["actions"])
