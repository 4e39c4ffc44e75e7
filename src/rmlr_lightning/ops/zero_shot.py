"""Zero-shot detection: the HOI classes that training must not see, and the pairs that have them."""

import json
import random
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

import torch
from jaxtyping import Bool
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary, hicodet


@cache
def fixed_splits() -> dict[str, tuple[int, ...]]:
    """The unseen HOIs of the field's splits of HICO-DET by name, in the official order.

    rare_first and non_rare_first have 120, unseen_object 100, unseen_verb 84; the test files of
    HICO-DET-SG (sg1, sg2, sg3) have 60 each. vocab/hicodet_unseen.json gives their sources.
    """
    path = files("rmlr_lightning").joinpath("vocab", "hicodet_unseen.json")
    lists = json.loads(path.read_text(encoding="utf-8"))
    return {name: tuple(hois) for name, hois in lists.items() if name != "about"}


def fixed_split(vocabulary: Vocabulary, name: str) -> frozenset[int]:
    """Indices of the HOIs of a fixed split, found by name in HICO-DET's vocabulary or a part of it.

    Raises:
        UserError: an unknown name, or HOIs that are not HICO-DET's.
    """
    if name not in fixed_splits():
        raise UserError(f"unseen.name={name}: choose one of {', '.join(fixed_splits())}")
    official = hicodet()
    ours = [vocabulary.hoi_name(hoi) for hoi in range(len(vocabulary.hois))]
    theirs = [official.hoi_name(hoi) for hoi in range(len(official.hois))]
    foreign = sorted(set(ours) - set(theirs))
    if foreign:
        raise UserError(
            f"unseen={name}: a split of HICO-DET, but the data set has other HOIs, such as "
            f"{foreign[0]!r}; use unseen=drawn, or name verbs, objects or hois"
        )
    hidden = {theirs[hoi] for hoi in fixed_splits()[name]}
    return frozenset(hoi for hoi, hoi_name in enumerate(ours) if hoi_name in hidden)


def unseen_hois(
    vocabulary: Vocabulary,
    verbs: Sequence[str] = (),
    objects: Sequence[str] = (),
    hois: Sequence[str] = (),
    draw: int = 0,
    seed: int = 0,
) -> frozenset[int]:
    """Indices of the HOIs to leave out: unseen verbs, unseen objects, unseen compositions.

    Args:
        verbs: leave out all HOIs of these verbs.
        objects: leave out all HOIs of these objects.
        hois: leave out single HOIs, by the names of `Vocabulary.hoi_name` ("ride bicycle").
        draw: number of further verbs to draw at random, "no_interaction" excluded.
        seed: seed of the draw.

    Raises:
        UserError: a name that is not in the vocabulary, or more verbs to draw than there are.
    """
    hoi_names = [vocabulary.hoi_name(hoi) for hoi in range(len(vocabulary.hois))]
    _check_names("verbs", verbs, vocabulary.verbs)
    _check_names("objects", objects, vocabulary.objects)
    _check_names("hois", hois, hoi_names)

    other_verbs = [
        verb for verb in vocabulary.verbs if verb != NO_INTERACTION and verb not in verbs
    ]
    if not 0 <= draw <= len(other_verbs):
        raise UserError(f"unseen.draw={draw}: choose 0 to {len(other_verbs)} verbs")
    # a generator of its own, so that the draw depends on nothing but its seed
    unseen_verbs = {*verbs, *random.Random(seed).sample(other_verbs, draw)}

    return frozenset(
        hoi
        for hoi, (verb, obj) in enumerate(vocabulary.hois)
        if vocabulary.verbs[verb] in unseen_verbs
        or vocabulary.objects[obj] in objects
        or hoi_names[hoi] in hois
    )


def _check_names(option: str, names: Iterable[str], known: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UserError(
            f"unseen.{option}: the data set has no {', '.join(unknown)}; "
            f"a valid name is {known[0]!r}"
        )


def without_pairs(target: Target, hidden: frozenset[int]) -> Target:
    """The target without the pairs that have a hidden HOI, whatever other HOIs they have, too.

    A pair is its two boxes and the object class, so its seen verbs leave with it, as in GEN-VLKT's
    training files.
    """
    is_hidden = torch.isin(target.hois, torch.tensor(sorted(hidden)))
    if not is_hidden.any():  # most images
        return target
    columns = [target.boxes_h, target.boxes_o, target.objects[:, None].to(target.boxes_h)]
    pairs = torch.cat(columns, 1)
    unwanted = pairs[is_hidden]
    return rows_of(target, ~(pairs[:, None] == unwanted).all(-1).any(1))


def rows_of(target: Target, kept: Bool[Tensor, "G"]) -> Target:
    """The target with some of its rows."""
    columns = ("boxes_h", "boxes_o", "objects", "verbs", "hois", "subjects")
    there = {name: getattr(target, name) for name in columns}
    return target._replace(
        **{name: values[kept] for name, values in there.items() if values is not None}
    )
