"""The HOI classes that are left out of training in zero-shot detection."""

import random
from collections.abc import Iterable, Sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import NO_INTERACTION, Vocabulary


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
