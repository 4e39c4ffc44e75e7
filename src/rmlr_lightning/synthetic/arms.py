"""Arms without a task, hands that hold an object, and heads that meet one or keep off it.

Each function moves a body in place, in body units.
"""

import cmath
import math

from rmlr_lightning.synthetic.chance import weighted
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import HEAD, Body


def idle(b: Body, side: int, rng) -> None:
    """An arm without a task: hangs, on the hip, behind the back, or half bent."""
    way = weighted(rng, (0.5, 0.2, 0.15, 0.15))
    hip = b.hip_joint(side)

    # All four are made before one is taken: the stream must not depend on which.
    hanging = b.shoulder(side) - b.spine * 0.30 + complex(rng.normal(-0.02, 0.03), 0.0)
    on_hip = hip + complex(-0.06, -0.04)
    behind = hip + complex(-0.12, -0.06)
    half_bent = hip + complex(0.07, -0.11)
    b.reach(side, (hanging, on_hip, behind, half_bent)[way], "rest")


def rest_at_side(b: Body, side: int, rng) -> None:
    """A hand on the hip or behind it, away from any object in front."""
    offset = (-0.06 - 0.05j) if rng.random() < 0.5 else (-0.12 - 0.06j)
    b.reach(side, b.hip_joint(side) + offset, "rest")


def hang(b: Body, side: int, rng) -> None:
    """The arm straight down."""
    b.reach(side, b.shoulder(side) + complex(rng.normal(-0.03, 0.02), 0.31), "rest")


def akimbo(b: Body, side: int, rng) -> None:
    """A hand on the hip, the elbow out."""
    b.reach(side, b.hip_joint(side) + complex(-0.05 + rng.normal(0, 0.01), -0.05), "rest")


def behind(b: Body, side: int, rng) -> None:
    """A hand behind the back."""
    b.reach(side, b.hip + complex(-0.12 + rng.normal(0, 0.01), -0.08), "rest")


def swung(b: Body, side: int, rng) -> None:
    """An arm swung back, as one walks."""
    b.reach(side, b.shoulder(side) + complex(-0.2 + rng.normal(0, 0.02), 0.22), "rest")


def waved(b: Body, side: int, rng) -> None:
    """A hand in the air, away from what the other one does."""
    b.reach(side, b.shoulder(side) + complex(-0.2 + rng.normal(0, 0.02), -0.06), "open", -1.0)


def grasp(
    b: Body, c: Contact, rng, free, both: float = 0.0, side: int = 1, bend: float = 1.0
) -> None:
    """Put the hands on a held object; without `held` no hand comes near.

    `free` poses an arm without a task. Both hands grip with probability `both`, else only that of
    `side`, with its elbow bent by `bend`.
    """
    if not c.held:
        free(b, 0, rng)
        free(b, 1, rng)
    elif rng.random() < both:
        b.reach(0, c.grip("right"))
        b.reach(1, c.grip("left"))
    else:
        free(b, 1 - side, rng)
        b.reach(side, c.grip("hand"), "fist", bend)


def bring(b: Body, c: Contact, feature: complex, depth: float, rng) -> None:
    """Move the head until a part of the face meets the object's outline, `depth` inside.

    The point of contact is random on the near side. `feature` is in head radii.
    """
    b.face.turn = 1.0
    b.head_free = False
    direction = cmath.exp(1j * (math.pi + rng.uniform(-1.0, 1.0)))
    spot = c.edge(c.place + direction, depth)
    b.move_head(b.head + spot - b.feature(feature), 0.2)


def keep_off(b: Body, c: Contact, gap: float) -> None:
    """Draw the head back until it is `gap` away from the object, as far as a neck goes."""
    away = b.head - c.place
    clear = HEAD + gap + abs(c.edge(b.head) - c.place)
    missing = clear - abs(away)
    if missing > 0:
        b.head += away / max(abs(away), 1e-6) * min(missing, 0.11)
