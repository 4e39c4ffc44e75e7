"""The classes of the world and its long tail: how often each act is shown in training.

An act is what is drawn (a pose with an object); labels follow from it. The table is a fixed property of the world: so
are its HOIs and which of them are rare, whatever the size or the seed.
"""

from functools import cache
from typing import NamedTuple

from rmlr_lightning.vocabulary import COCO_INDEX, hicodet

NONE = "no_interaction"

TAIL: dict[str, dict[str, int]] = {
    "bicycle": dict(ride=44, straddle=16, sit_on=12, walk=22, hold=14, push=5, no_interaction=16),
    "motorcycle": dict(ride=36, straddle=13, sit_on=12, walk=4, push=2, nothing=10),
    "horse": dict(
        ride=40, straddle=12, race=5, walk=26, pet=20, feed=18, hug=5, kiss=2, no_interaction=14
    ),
    "elephant": dict(feed=20, pet=14, walk=12, watch=12, hug=3, kiss=1, nothing=8),
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
    "banana": dict(eat=34, hold=12, carry=5, inspect=2, smell=1, nothing=10),
    "pizza": dict(eat=38, hold=12, smell=3, carry=6, nothing=10),
    "donut": dict(eat=36, hold=12, smell=6, carry=2, nothing=10),
    "sandwich": dict(eat=7, hold=12, carry=1, nothing=6),
    "teddy bear": dict(hug=28, hold=14, kiss=5, carry=16, nothing=8),
    "sports ball": dict(
        kick=44, catch=32, throw=30, hold=18, carry=16, dribble=8, inspect=3, no_interaction=22
    ),
    "frisbee": dict(throw=26, hold=12, catch=8, nothing=12),
    "tennis racket": dict(swing=44, hold=18, carry=16, no_interaction=16),
    "baseball bat": dict(swing=36, hold=14, carry=6, wield=7, nothing=10),
    "umbrella": dict(hold=30, carry=30, open=7, nothing=14),
    "suitcase": dict(carry=28, hold=18, drag=14, no_interaction=18),
    "backpack": dict(wear=60, carry=16, hold=12, open=5, inspect=2, no_interaction=16),
}

# Acts that are shown but not annotated: a person near something they have nothing to do with.
POSE_OF = {"nothing": NONE, "off": "off"}

# How often a hand grasps the object while the act goes on; where it does, `hold` is true as well.
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
NO_HOLD = {"horse", "elephant"}  # reins are not the horse
ALSO = {
    ("ride", "bicycle"): "sit_on",
    ("ride", "motorcycle"): "sit_on",
    ("ride", "skateboard"): "stand_on",
    ("ride", "surfboard"): "stand_on",
    ("race", "horse"): "ride",
}


class Classes(NamedTuple):
    """The world's own vocabulary, in HICO's orders: all lists alphabetical, HOIs by object, then verb."""

    objects: tuple[str, ...]
    verbs: tuple[str, ...]
    hois: tuple[tuple[str, str], ...]  # (verb, object)
    rare: tuple[int, ...]  # fewer than 10 training pairs in the 1k world


def grasp(verb: str, obj: str) -> float:
    return float(GRASP_OF.get((verb, obj), GRASP.get(verb, 0)))


def labels(verb: str, obj: str, held: bool) -> tuple[str, ...]:
    """All verbs that are true of an act."""
    if verb in POSE_OF:
        return ()
    out = {verb}
    if held and obj not in NO_HOLD:
        out.add("hold")
    if (verb, obj) in ALSO:
        out.add(ALSO[verb, obj])
    return tuple(sorted(out))


def held_count(verb: str, obj: str, n: int) -> int:
    """Of n times the act, how often the object is grasped."""
    return round(grasp(verb, obj) * n + 1e-9)


def label_counts(acts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """How many labelled pairs of each HOI a number of acts gives."""
    out: dict[tuple[str, str], int] = {}
    for (verb, obj), n in acts.items():
        held = held_count(verb, obj, n)
        for flag, times in ((True, held), (False, n - held)):
            for label in labels(verb, obj, flag) if times else ():
                out[label, obj] = out.get((label, obj), 0) + times
    return out


def reference_acts() -> dict[tuple[str, str], int]:
    """Acts in a training set of 1,000 images."""
    return {
        (verb, obj): n if n < 13 else max(10, round(0.78 * n))
        for obj, row in TAIL.items()
        for verb, n in row.items()
    }


@cache
def classes() -> Classes:
    counts = label_counts(reference_acts())
    objects = tuple(sorted(TAIL))
    verbs = tuple(sorted({verb for verb, _ in counts}))
    hois = tuple(sorted(counts, key=lambda pair: (pair[1], pair[0])))
    real = hicodet()
    legal = {(real.verbs[v], o) for v, o in real.hois}
    wrong = [pair for pair in hois if (pair[0], COCO_INDEX[pair[1]]) not in legal]
    if wrong:
        raise ValueError(f"not in HICO-DET: {wrong}")
    return Classes(
        objects, verbs, hois, tuple(i for i, pair in enumerate(hois) if counts[pair] < 10)
    )
