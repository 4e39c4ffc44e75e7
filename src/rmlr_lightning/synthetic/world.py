"""The classes of the world and its long tail: how often each act occurs in training.

An act is what is drawn (a pose with an object); the labels follow from it. The table is a fixed
property of the world. So are its HOIs and which of them are rare, whatever the size or the seed.
"""

from functools import cache
from typing import NamedTuple

from rmlr_lightning.synthetic.names import hicodet_hois

NO_INTERACTION = "no_interaction"

# Acts per object in a training set of 1,000 images, before `reference_acts` thins the common ones.
TAIL: dict[str, dict[str, int]] = {
    "bicycle": dict(ride=44, straddle=16, sit_on=12, walk=22, hold=14, push=5, no_interaction=16),
    "motorcycle": dict(ride=36, straddle=13, sit_on=12, walk=4, push=2, unlabelled=10),
    "horse": dict(
        ride=40, straddle=12, race=5, walk=26, pet=20, feed=18, hug=5, kiss=2, no_interaction=14
    ),
    "elephant": dict(feed=20, pet=14, walk=12, watch=12, hug=3, kiss=1, unlabelled=8),
    "dog": dict(walk=40, pet=30, feed=18, hold=24, hug=16, kiss=4, carry=7, no_interaction=18),
    "cat": dict(hold=24, pet=26, hug=16, feed=6, kiss=3, no_interaction=14),
    "skateboard": dict(ride=40, stand_on=18, jump=12, hold=16, carry=26, no_interaction=16, off=6),
    "surfboard": dict(ride=34, stand_on=14, jump=5, hold=14, carry=30, no_interaction=7, off=8),
    "chair": dict(sit_on=70, hold=14, no_interaction=18),
    "bench": dict(sit_on=50, lie_on=6),
    "couch": dict(sit_on=50, lie_on=20),
    "cup": dict(drink_with=52, hold=26, carry=18, inspect=8, smell=4, no_interaction=20),
    "bottle": dict(drink_with=44, hold=20, carry=16, open=18, inspect=3, no_interaction=16),
    "cell phone": dict(talk_on=52, text_on=44, hold=20, read=6, carry=5, no_interaction=14),
    "laptop": dict(type_on=48, hold=18, read=8, open=5, no_interaction=18),
    "book": dict(read=48, hold=18, carry=14, open=16, no_interaction=16),
    "apple": dict(eat=40, hold=14, inspect=16, smell=5, no_interaction=16),
    "banana": dict(eat=34, hold=12, carry=5, inspect=2, smell=1, unlabelled=10),
    "pizza": dict(eat=38, hold=12, smell=3, carry=6, unlabelled=10),
    "donut": dict(eat=36, hold=12, smell=6, carry=2, unlabelled=10),
    "sandwich": dict(eat=7, hold=12, carry=1, unlabelled=6),
    "teddy bear": dict(hug=28, hold=14, kiss=5, carry=16, unlabelled=8),
    "sports ball": dict(
        kick=44, catch=32, throw=30, hold=18, carry=16, dribble=8, inspect=3, no_interaction=22
    ),
    "frisbee": dict(throw=26, hold=12, catch=8, unlabelled=12),
    "tennis racket": dict(swing=44, hold=18, carry=16, no_interaction=16),
    "baseball bat": dict(swing=36, hold=14, carry=6, wield=7, unlabelled=10),
    "umbrella": dict(hold=30, carry=30, open=7, unlabelled=14),
    "suitcase": dict(carry=28, hold=18, drag=14, no_interaction=18),
    "backpack": dict(wear=60, carry=16, hold=12, open=5, inspect=2, no_interaction=16),
}

# Acts that are drawn but not annotated, with their pose: a person near an object without a part
# in it, where HICO-DET has no `no_interaction` class or the pose needs a zone of its own.
POSE_OF = {"unlabelled": NO_INTERACTION, "off": "off"}

# Share of an act's occurrences where a hand grasps the object; `hold` is then true as well.
GRASP = {
    "eat": 1,
    "drink_with": 1,
    "talk_on": 1,
    "text_on": 1,
    "carry": 0.5,
    "hold": 1,
    "throw": 1,
    "swing": 1,
    "wield": 1,
    "smell": 0.3,
    "inspect": 0.3,
    "read": 0.4,
    "drag": 1,
}

# The same by verb and object, where it differs.
GRASP_OF = {
    ("ride", "bicycle"): 0.6,
    ("ride", "motorcycle"): 0.6,
    ("straddle", "bicycle"): 0.5,
    ("straddle", "motorcycle"): 0.5,
    ("walk", "bicycle"): 1,
    ("walk", "motorcycle"): 1,
    ("kiss", "teddy bear"): 0.5,
    ("read", "laptop"): 0,
    ("ride", "horse"): 1,
}

# A hand on the reins does not hold the horse.
NO_HOLD = {"horse", "elephant"}

# Verbs that imply another one.
ALSO = {
    ("ride", "bicycle"): "sit_on",
    ("ride", "motorcycle"): "sit_on",
    ("ride", "skateboard"): "stand_on",
    ("ride", "surfboard"): "stand_on",
    ("race", "horse"): "ride",
}


class Classes(NamedTuple):
    """The world's own vocabulary in HICO-DET's order: alphabetical, HOIs by object, then verb.

    `hois` are (verb, object) names. `rare` are the indices of HOIs with fewer than 10 training
    pairs in a world of 1,000 training images.
    """

    objects: tuple[str, ...]
    verbs: tuple[str, ...]
    hois: tuple[tuple[str, str], ...]
    rare: tuple[int, ...]


def grasp(verb: str, obj: str) -> float:
    """Share of an act's occurrences where a hand grasps the object, 0 to 1."""
    return float(GRASP_OF.get((verb, obj), GRASP.get(verb, 0)))


def labels(verb: str, obj: str, held: bool) -> tuple[str, ...]:
    """All verbs that are true of an act, in alphabetical order; none where it is not annotated."""
    if verb in POSE_OF:
        return ()

    verbs = {verb}
    if held and obj not in NO_HOLD:
        verbs.add("hold")
    if (verb, obj) in ALSO:
        verbs.add(ALSO[verb, obj])
    return tuple(sorted(verbs))


def held_count(verb: str, obj: str, n: int) -> int:
    """How many of `n` occurrences of an act have the object grasped."""
    return round(grasp(verb, obj) * n + 1e-9)


def label_counts(acts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Labelled pairs per HOI that these counts of acts, by (verb, object), give."""
    counts: dict[tuple[str, str], int] = {}
    for (verb, obj), n in acts.items():
        held = held_count(verb, obj, n)
        for is_held, times in ((True, held), (False, n - held)):
            if times == 0:
                continue
            for label in labels(verb, obj, is_held):
                counts[label, obj] = counts.get((label, obj), 0) + times
    return counts


def reference_acts() -> dict[tuple[str, str], int]:
    """Acts by (verb, object) in a training set of 1,000 images."""
    acts = {}
    for obj, row in TAIL.items():
        for verb, n in row.items():
            # Common acts are thinned, which gives about 2.3 acts per image; rare ones stay exact.
            acts[verb, obj] = n if n < 13 else max(10, round(0.78 * n))
    return acts


@cache
def classes() -> Classes:
    """The vocabulary of every world.

    Raises:
        ValueError: the table has a combination that HICO-DET has not.
    """
    counts = label_counts(reference_acts())
    objects = tuple(sorted(TAIL))
    verbs = tuple(sorted({verb for verb, _ in counts}))
    hois = tuple(sorted(counts, key=lambda pair: (pair[1], pair[0])))

    unknown = [pair for pair in hois if pair not in hicodet_hois()]
    if unknown:
        raise ValueError(f"not in HICO-DET: {unknown}")

    rare = tuple(i for i, pair in enumerate(hois) if counts[pair] < 10)
    return Classes(objects, verbs, hois, rare)
