"""The classes of COCO, HICO-DET and V-COCO: objects, verbs and HOIs.

An HOI is a verb with an object class, such as "ride bicycle".
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

NO_INTERACTION = "no_interaction"
# Verbs times object classes: tables of valid pairs have so many cells. HICO-DET's has 9,360.
MAX_TABLE = 10**7


@cache
def _read(name: str) -> dict:
    return json.loads(files("rmlr_lightning").joinpath("vocab", name).read_text(encoding="utf-8"))


COCO_OBJECTS: tuple[str, ...] = tuple(_read("coco80.json")["names"])
COCO_CATEGORY_IDS: tuple[int, ...] = tuple(_read("coco80.json")["category_ids"])
COCO_INDEX: dict[str, int] = {name: index for index, name in enumerate(COCO_OBJECTS)}
COCO_INDEX_OF_CATEGORY: dict[int, int] = {
    category: index for index, category in enumerate(COCO_CATEGORY_IDS)
}
PERSON = COCO_INDEX["person"]

# Names of COCO's objects in other releases: PaddleDetection's, VOC's and HICO-DET's spellings.
ALIASES = {
    "motorbike": "motorcycle",
    "aeroplane": "airplane",
    "tvmonitor": "tv",
    "television": "tv",
    "tv monitor": "tv",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "doughnut": "donut",
    "hair dryer": "hair drier",
    "hairdrier": "hair drier",
    "cellphone": "cell phone",
    "mobile phone": "cell phone",
    "hotdog": "hot dog",
    "fridge": "refrigerator",
    "ski": "skis",
}

# "N/A" are gaps of COCO's ids, "LABEL_7" is what transformers writes where nobody gave a name.
UNUSED = re.compile(r"|n/?a|label_\d+|none|no[ _-]object|background|__background__", re.IGNORECASE)


def object_name(name: str) -> str | None:
    """The name of a class as data sets have it; None for a class that is not in use.

    COCO's objects get COCO's spelling ("Baseball_Bat" is "baseball bat", "tvmonitor" is "tv");
    all other names stay as they are.
    """
    name = name.strip()
    if UNUSED.fullmatch(name):
        return None
    # case and underscores matter only for names that are not COCO's
    plain = name.lower().replace("_", " ")
    plain = ALIASES.get(plain, plain)
    return plain if plain in COCO_INDEX else name


class Vocabulary(NamedTuple):
    """The classes of a data set. All numbers of a class in annotations are indices into these.

    A detector has object classes of its own; the model maps them to these by name.
    """

    verbs: tuple[str, ...]
    hois: tuple[tuple[int, int], ...]  # (verb index, object index)
    rare: frozenset[int]  # indices into hois: fewer than 10 training pairs
    objects: tuple[str, ...] = COCO_OBJECTS
    subject: int | None = PERSON  # the object class of all subjects; None: they are of any class

    @property
    def subject_name(self) -> str | None:
        """The name of the subjects' class; None if they are of any class."""
        return None if self.subject is None else self.objects[self.subject]

    @property
    def hoi_of(self) -> dict[tuple[int, int], int]:
        """(verb index, object index) -> hoi index."""
        return {pair: index for index, pair in enumerate(self.hois)}

    def hoi_table(self) -> np.ndarray:
        """(O, V) int64: the HOI index of an object and a verb; -1 if the pair is not valid."""
        # by object first: rows are looked up per pair, whose object is known
        table = np.full((len(self.objects), len(self.verbs)), -1, dtype=np.int64)
        for hoi, (verb, obj) in enumerate(self.hois):
            table[obj, verb] = hoi
        return table

    def valid_pairs(self, without: frozenset[int] = frozenset()) -> Bool[Tensor, "O V"]:
        """True for a valid object-verb pair: an HOI that is not among `without`."""
        table = self.hoi_table()
        return torch.from_numpy((table >= 0) & ~np.isin(table, list(without)))

    def hoi_name(self, hoi: int) -> str:
        """The readable name of an HOI: "ride bicycle", "talk on cell phone"."""
        verb, obj = self.hois[hoi]
        return f"{self.verbs[verb].replace('_', ' ')} {self.objects[obj]}"


@cache
def hicodet() -> Vocabulary:
    """117 verbs and 600 HOIs in the official order; 138 HOIs are rare."""
    facts = _read("hicodet.json")
    # the file names verbs and objects, so that it can be compared with the published list
    verb_index = {name: index for index, name in enumerate(facts["verbs"])}
    return Vocabulary(
        verbs=tuple(facts["verbs"]),
        hois=tuple((verb_index[verb], COCO_INDEX[obj]) for verb, obj in facts["hois"]),
        rare=frozenset(i for i, count in enumerate(facts["train_instances"]) if count < 10),
    )


class VCOCOAction(NamedTuple):
    """One of V-COCO's 26 actions. roles[0] is always "agent"; the others are "obj" or "instr"."""

    name: str
    roles: tuple[str, ...]
    include: tuple[tuple[str, ...], ...]  # the valid object classes per role; empty = any


@cache
def vcoco_actions() -> tuple[VCOCOAction, ...]:
    """The 26 actions with their roles, in the order of the official `vcoco_*.json`."""
    return tuple(
        VCOCOAction(
            action["name"],
            tuple(action["roles"]),
            tuple(tuple(objects) for objects in action["role_object_include"]),
        )
        for action in _read("vcoco.json")["actions"]
    )


@cache
def vcoco_action_roles() -> tuple[tuple[int, int], ...]:
    """(action index, role index) of the 24 verbs of `vcoco()`.

    Agents are not verbs. Neither is `point instr`: it has 38 instances in train and val together,
    and papers leave it out of their mean.
    """
    return tuple(
        (index, role)
        for index, action in enumerate(vcoco_actions())
        for role in range(1, len(action.roles))
        if action.name != "point"
    )


@cache
def vcoco() -> Vocabulary:
    """24 action-roles as verbs ("hold obj", "sit instr") and 236 HOIs, both in UPT's order.

    An object that V-COCO's annotation rules permit for a role, but that does not occur with it, is
    not an HOI. No HOI is rare.
    """
    actions = vcoco_actions()
    verbs = tuple(
        f"{actions[action].name} {actions[action].roles[role]}"
        for action, role in vcoco_action_roles()
    )
    verb_index = {name: i for i, name in enumerate(verbs)}
    hois = tuple((verb_index[verb], COCO_INDEX[obj]) for verb, obj in _read("vcoco.json")["hois"])
    return Vocabulary(verbs, hois, rare=frozenset())
