"""One order of classes for all splits of a data set: names decide, numbers only refer to them.

A split may lack classes that another has: V-COCO's test split has HOIs that its training split
lacks. Evaluation counts them; read by another split's numbers they would be other HOIs.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary


def united(vocabularies: Mapping[str, Vocabulary], may_add: bool = True) -> Vocabulary:
    """All classes of some vocabularies: those of the first, then what the others have beyond them.

    An HOI is rare if it is so in the first vocabulary that has it.

    Args:
        vocabularies: by the name that a message has for each.
        may_add: False: verbs and objects must be those of the first. HOIs may always be added.

    Raises:
        UserError: vocabularies of different data sets: other subjects, or most verbs differ.
    """
    (first_name, first), *others = vocabularies.items()
    if all(other == first for _, other in others):
        return first
    for name, other in others:
        added = [verb for verb in other.verbs if verb not in first.verbs]
        foreign = [obj for obj in other.objects if obj not in first.objects]
        if 2 * len(added) > len(other.verbs) or other.subject_name != first.subject_name:
            raise UserError(
                f"{name} has other classes ({len(other.verbs)} verbs such as {other.verbs[0]!r}, "
                f"subjects: {other.subject_name or 'any class'}) than {first_name} "
                f"({len(first.verbs)} such as {first.verbs[0]!r}, subjects: "
                f"{first.subject_name or 'any class'}); they must come from one data set"
            )
        if not may_add and (added or foreign):
            raise UserError(
                f"{name} has the class {(added + foreign)[0]!r}, which {first_name} does not know; "
                "train on data that have it"
            )

    verbs = list(dict.fromkeys(verb for one in vocabularies.values() for verb in one.verbs))
    objects = list(dict.fromkeys(obj for one in vocabularies.values() for obj in one.objects))
    verb_of = {name: index for index, name in enumerate(verbs)}
    object_of = {name: index for index, name in enumerate(objects)}

    # whether an HOI is rare, in the order in which HOIs are first seen
    is_rare: dict[tuple[int, int], bool] = {}
    for one in vocabularies.values():
        for hoi, (verb, obj) in enumerate(one.hois):
            pair = verb_of[one.verbs[verb]], object_of[one.objects[obj]]
            is_rare.setdefault(pair, hoi in one.rare)
    rare = frozenset(hoi for hoi, flag in enumerate(is_rare.values()) if flag)
    subject = None if first.subject is None else object_of[first.subject_name]
    return Vocabulary(tuple(verbs), tuple(is_rare), rare, tuple(objects), subject)


def united_names(lists: Mapping[str, Sequence[str]], what: str) -> tuple[str, ...]:
    """All names of some lists: those of the first, then what the others have beyond them.

    Args:
        lists: by the name that a message has for each.
        what: what the names are of.

    Raises:
        UserError: most names of a list are not in the first.
    """
    first_name, first = next(iter(lists.items()), ("", ()))
    for name, names in lists.items():
        added = [one for one in names if one not in first]
        if 2 * len(added) > len(names):
            raise UserError(
                f"{name} has other {what} ({len(names)} such as {added[0]!r}) than {first_name} "
                f"({len(first)} such as {first[0]!r}); they must come from one data set"
            )
    return tuple(dict.fromkeys(name for names in lists.values() for name in names))


def index_of(names: Sequence[str], known: Sequence[str]) -> Int[Tensor, " names"]:
    """The place of each name in `known`, and -1 at the end: an index of -1 stays -1."""
    place = {name: index for index, name in enumerate(known)}
    return torch.tensor([*(place[name] for name in names), -1])


class Renumber:
    """Gives targets the numbers of another vocabulary, which has all of the old one's classes."""

    def __init__(self, old: Vocabulary, new: Vocabulary) -> None:
        self.verbs = index_of(old.verbs, new.verbs)
        self.objects = index_of(old.objects, new.objects)
        place = new.hoi_of
        pairs = [(int(self.verbs[verb]), int(self.objects[obj])) for verb, obj in old.hois]
        self.hois = torch.tensor([*(place[pair] for pair in pairs), -1])

    def __call__(self, target: Target) -> Target:
        labels, subjects = target.image_hois, target.subjects
        if labels is not None:
            labels = frozenset(self.hois[list(labels)].tolist())
        return target._replace(
            verbs=self.verbs[target.verbs],
            objects=self.objects[target.objects],
            hois=self.hois[target.hois],
            image_hois=labels,
            subjects=None if subjects is None else self.objects[subjects],
        )


def in_numbers_of(found: Detections, ours: Vocabulary, theirs: Vocabulary) -> Detections:
    """Detections with the numbers of another vocabulary. Classes that it lacks are left out."""
    verbs, objects = _places(ours.verbs, theirs.verbs), _places(ours.objects, theirs.objects)
    verbs, objects = verbs[found.verbs], objects[found.objects]
    kept = (verbs >= 0) & (objects >= 0)
    found = found._replace(verbs=verbs, objects=objects)
    return Detections(*(field[kept] for field in found))


def _places(names: Sequence[str], known: Sequence[str]) -> Int[Tensor, " names"]:
    place = {name: index for index, name in enumerate(known)}
    return torch.tensor([place.get(name, -1) for name in names])
