"""Which HOIs training must not see: zero-shot detection."""

import random
from collections.abc import Sequence

from rmlr_lightning.errors import UserError
from rmlr_lightning.vocabulary import COCO_OBJECTS, NO_INTERACTION, Vocabulary


def unseen_hois(
    vocabulary: Vocabulary,
    verbs: Sequence[str] = (),
    objects: Sequence[str] = (),
    hois: Sequence[str] = (),
    draw: int = 0,
    seed: int = 0,
) -> frozenset[int]:
    """HOIs that training must not see, for zero-shot detection: unseen verbs, unseen objects, unseen compositions.

    Args:
        verbs: all HOIs of these verbs.
        objects: all HOIs of these objects.
        hois: single ones, by the name that `hoi_name` gives ("ride bicycle").
        draw: so many verbs more, at random, never "no_interaction".
        seed: of the draw.

    Raises:
        UserError: a name that the vocabulary does not have, or a draw of more verbs than there are.
    """
    names = [vocabulary.hoi_name(hoi) for hoi in range(len(vocabulary.hois))]
    for option, asked, known in (
        ("verbs", verbs, vocabulary.verbs),
        ("objects", objects, COCO_OBJECTS),
        ("hois", hois, names),
    ):
        if odd := sorted(set(asked) - set(known)):
            raise UserError(
                f"unseen.{option}: the data have no {', '.join(odd)}; names are such as {known[0]!r}"
            )
    could = [verb for verb in vocabulary.verbs if verb != NO_INTERACTION and verb not in verbs]
    if not 0 <= draw <= len(could):
        raise UserError(f"unseen.draw={draw}: choose 0 to {len(could)} verbs")
    verbs = {*verbs, *random.Random(seed).sample(could, draw)}
    return frozenset(
        index
        for index, (verb, thing) in enumerate(vocabulary.hois)
        if vocabulary.verbs[verb] in verbs or COCO_OBJECTS[thing] in objects or names[index] in hois
    )
