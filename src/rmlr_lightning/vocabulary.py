"""What can be said: objects, verbs, and HOIs (a verb with an object class), for COCO, HICO-DET and V-COCO."""

import json
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

NO_INTERACTION = "no_interaction"


@cache
def _read(name: str) -> dict:
    return json.loads(files("rmlr_lightning").joinpath("vocab", name).read_text(encoding="utf-8"))


COCO_OBJECTS: tuple[str, ...] = tuple(_read("coco80.json")["names"])
COCO_CATEGORY_IDS: tuple[int, ...] = tuple(_read("coco80.json")["category_ids"])
COCO_INDEX: dict[str, int] = {name: index for index, name in enumerate(COCO_OBJECTS)}
COCO_INDEX_OF_CATEGORY: dict[int, int] = {
    category: index for index, category in enumerate(COCO_CATEGORY_IDS)
}


class Vocabulary(NamedTuple):
    """The classes of a data set. Annotation files may bring their own (UPT's json does)."""

    verbs: tuple[str, ...]
    hois: tuple[tuple[int, int], ...]  # (verb index, COCO object index)
    rare: frozenset[int]  # indices into hois: fewer than 10 training pairs

    @property
    def hoi_of(self) -> dict[tuple[int, int], int]:
        """(verb index, COCO object index) -> hoi index."""
        return {pair: index for index, pair in enumerate(self.hois)}

    def hoi_table(self) -> np.ndarray:
        """(80, V) int64: the hoi of an object class and a verb; -1 for an invalid object-verb pair."""
        table = np.full((len(COCO_OBJECTS), len(self.verbs)), -1, dtype=np.int64)
        for hoi, (verb, obj) in enumerate(self.hois):
            table[obj, verb] = hoi
        return table

    def valid_pairs(self, without: frozenset[int] = frozenset()) -> Bool[Tensor, "80 V"]:
        """True for a valid object-verb pair: some HOI that is not among `without`."""
        table = self.hoi_table()
        return torch.from_numpy((table >= 0) & ~np.isin(table, list(without)))

    def hoi_name(self, hoi: int) -> str:
        """For people: "ride bicycle", "talk on cell phone"."""
        verb, obj = self.hois[hoi]
        return f"{self.verbs[verb].replace('_', ' ')} {COCO_OBJECTS[obj]}"


@cache
def hicodet() -> Vocabulary:
    """117 verbs, 600 hois, 138 of them rare; all in the official order."""
    facts = _read("hicodet.json")
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
    include: tuple[
        tuple[str, ...], ...
    ]  # for each role the object classes it may have; empty = any


@cache
def vcoco_actions() -> tuple[VCOCOAction, ...]:
    """The 26 actions with their roles, in the order of the official `vcoco_*.json`."""
    return tuple(
        VCOCOAction(
            a["name"],
            tuple(a["roles"]),
            tuple(tuple(objects) for objects in a["role_object_include"]),
        )
        for a in _read("vcoco.json")["actions"]
    )


@cache
def vcoco_action_roles() -> tuple[tuple[int, int], ...]:
    """(action index, role index) of the 24 verbs of `vcoco()`.

    The agent of an action is no verb, and neither is `point instr`: it has 38 instances in train and val together,
    and papers leave it out of their mean.
    """
    return tuple(
        (a, r)
        for a, action in enumerate(vcoco_actions())
        for r in range(1, len(action.roles))
        if action.name != "point"
    )


@cache
def vcoco() -> Vocabulary:
    """24 action-roles as verbs ("hold obj", "sit instr", ...) in UPT's order, and the 236 hois UPT allows; none rare.

    Objects that a role may have by the annotation rules but never has in V-COCO are no hois.
    """
    verbs = tuple(
        f"{vcoco_actions()[a].name} {vcoco_actions()[a].roles[r]}" for a, r in vcoco_action_roles()
    )
    index = {name: i for i, name in enumerate(verbs)}
    hois = tuple((index[verb], COCO_INDEX[obj]) for verb, obj in _read("vcoco.json")["hois"])
    return Vocabulary(verbs, hois, rare=frozenset())
