"""Writes tiny fake V-COCO annotations of the same few images in each real layout.

    python tests/annotations/make_vcoco.py FOLDER

The layouts are the official json with COCO instances and ids, the single file with all three,
UPT's json and QPIC's. The values are random, drawn from a seed.
"""

import gzip
import json
import random
import sys
from pathlib import Path
from typing import Any

from rmlr_lightning.vocabulary import (
    COCO_CATEGORY_IDS,
    COCO_OBJECTS,
    vcoco,
    vcoco_action_roles,
    vcoco_actions,
)

WIDTH, HEIGHT = 640, 480


def make_vcoco(out: Path, seed: int = 0, images: int = 6) -> None:
    """Every third image has a person without actions; roles are sometimes empty."""
    coco, actions, ids = _draw(random.Random(seed), images)
    _dump(out / "vcoco_test.json", actions)
    _dump(out / "instances_vcoco_all_2014.json", coco)
    (out / "vcoco_test.ids").write_text("".join(f"{i}\n" for i in ids))
    _dump(out / "vcoco_gt.json.gz", {"coco": coco, "vcoco": actions, "ids": ids})
    _dump(out / "instances_vcoco_test.json", _upt(coco, actions, ids))
    _dump(out / "test_vcoco.json", _qpic(coco, actions, ids))


def _draw(draw: random.Random, images: int) -> tuple[dict, list[dict], list[int]]:
    ids = [100 * i + 7 for i in range(images)]
    coco: dict[str, list] = {"images": [], "annotations": [], "categories": []}
    coco["categories"] = [
        {"id": c, "name": n} for c, n in zip(COCO_CATEGORY_IDS, COCO_OBJECTS, strict=True)
    ]
    persons: list[tuple[int, int]] = []
    entities_of: dict[int, dict[str, list[int]]] = {}
    for image_id in ids:
        name = f"COCO_val2014_{image_id:012}.jpg"
        coco["images"].append({"id": image_id, "file_name": name, "width": WIDTH, "height": HEIGHT})
        entities_of[image_id] = {}
        for k, kind in enumerate(["person"] * 2 + draw.sample(COCO_OBJECTS[1:], 30)):
            x, y = draw.randint(0, 4 * WIDTH - 80) / 4, draw.randint(0, 4 * HEIGHT - 80) / 4
            entity = {
                "id": image_id * 100 + k,
                "image_id": image_id,
                "bbox": [x, y, 20.25, 10.5],
                "iscrowd": 0,
            }
            coco["annotations"].append(
                entity | {"category_id": COCO_CATEGORY_IDS[COCO_OBJECTS.index(kind)]}
            )
            entities_of[image_id].setdefault(kind, []).append(entity["id"])
            if kind == "person":
                persons.append((image_id, entity["id"]))
    draw.shuffle(persons)
    actions = []
    for name, roles, include in vcoco_actions():
        does = [int((image_id // 100) % 3 != 2 and draw.random() < 0.5) for image_id, _ in persons]
        linked = [person for _, person in persons]
        for of_role in include[1:]:
            for (image_id, _), label in zip(persons, does, strict=True):
                fitting = [
                    e
                    for kind in (of_role or ("person", "book"))
                    for e in entities_of[image_id].get(kind, [])
                ]
                linked.append(
                    draw.choice(fitting) if label and fitting and draw.random() < 0.8 else 0
                )
        action = {
            "action_name": name,
            "role_name": list(roles),
            "include": [list(kinds) for kinds in include],
        }
        columns = {
            "image_id": [i for i, _ in persons],
            "ann_id": [p for _, p in persons],
            "label": does,
        }
        actions.append(columns | action | {"role_object_id": linked})
    return coco, actions, ids


def _done(actions: list[dict], image_id: int) -> list[tuple[int, int, int, int]]:
    """(action, role, person, object or 0) of an image, in the official order.

    The role is 0 if the action has no others.
    """
    found = []
    for a, action in enumerate(actions):
        persons = len(action["ann_id"])
        for role in range(1, len(action["role_name"])) if len(action["role_name"]) > 1 else [0]:
            for i in range(persons):
                if action["label"][i] and action["image_id"][i] == image_id:
                    obj = action["role_object_id"][role * persons + i] if role else 0
                    found.append((a, role, action["ann_id"][i], obj))
    return found


def _xyxy(entity: dict) -> list[float]:
    x, y, w, h = entity["bbox"]
    return [x, y, x + w, y + h]


def _upt(coco: dict, actions: list[dict], ids: list[int]) -> dict:
    entity = {e["id"]: e for e in coco["annotations"]}
    verb_of = {pair: verb for verb, pair in enumerate(vcoco_action_roles())}
    annotations = []
    for image in coco["images"]:
        record: dict[str, Any] = {"boxes_h": [], "boxes_o": [], "actions": [], "objects": []}
        for a, role, person, obj in _done(actions, image["id"]):
            if obj and (a, role) in verb_of:
                record["boxes_h"].append(_xyxy(entity[person]))
                record["boxes_o"].append(_xyxy(entity[obj]))
                record["actions"].append(verb_of[a, role])
                record["objects"].append(COCO_CATEGORY_IDS.index(entity[obj]["category_id"]) + 1)
        annotations.append(record | {"file_name": image["file_name"]})
    allowed = [
        [obj + 1 for verb, obj in vcoco().hois if verb == v] for v in range(len(vcoco().verbs))
    ]
    names = {"classes": list(vcoco().verbs), "objects": ["background", *COCO_OBJECTS]}
    return {"annotations": annotations, "images": ids, "action_to_object": allowed} | names


def _qpic(coco: dict, actions: list[dict], ids: list[int]) -> list[dict]:
    pairs = [(a, r) for a, act in enumerate(vcoco_actions()) for r in range(1, len(act.roles))]
    verbs = sorted(pairs + [(a, 0) for a, act in enumerate(vcoco_actions()) if len(act.roles) == 1])
    records = []
    for image in coco["images"]:
        entities = [e for e in coco["annotations"] if e["image_id"] == image["id"]]
        index = {0: -1} | {e["id"]: i for i, e in enumerate(entities)}
        triplets = [
            {
                "subject_id": index[person],
                "object_id": index[obj],
                "category_id": verbs.index((a, role)),
            }
            for a, role, person, obj in _done(actions, image["id"])
        ]
        boxes = [{"bbox": _xyxy(e), "category_id": e["category_id"]} for e in entities]
        records.append(
            {"file_name": image["file_name"], "annotations": boxes, "hoi_annotation": triplets}
        )
    return records


def _dump(path: Path, document: Any) -> None:
    content = json.dumps(document).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    make_vcoco(folder)
