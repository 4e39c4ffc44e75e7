"""Arms without a task, hands that hold an object, and heads that meet one or keep off it.

Each function moves a body in place, in body units.
"""

import cmath
import math

from rmlr_lightning.synthetic.chance import weighted
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import HEAD, Body


def idle(body: Body, side: int, rng) -> None:
    """An arm without a task: hangs, on the hip, behind the back, or half bent."""
    way = weighted(rng, (0.5, 0.2, 0.15, 0.15))
    hip = body.hip_joint(side)

    # All four are made before one is taken: the stream must not depend on which.
    hanging = body.shoulder(side) - body.spine * 0.30 + complex(rng.normal(-0.02, 0.03), 0.0)
    on_hip = hip + complex(-0.06, -0.04)
    behind = hip + complex(-0.12, -0.06)
    half_bent = hip + complex(0.07, -0.11)
    body.reach(side, (hanging, on_hip, behind, half_bent)[way], "rest")


def rest_at_side(body: Body, side: int, rng) -> None:
    """A hand on the hip or behind it, away from any object in front."""
    offset = (-0.06 - 0.05j) if rng.random() < 0.5 else (-0.12 - 0.06j)
    body.reach(side, body.hip_joint(side) + offset, "rest")


def hang(body: Body, side: int, rng) -> None:
    """The arm straight down."""
    body.reach(side, body.shoulder(side) + complex(rng.normal(-0.03, 0.02), 0.31), "rest")


def akimbo(body: Body, side: int, rng) -> None:
    """A hand on the hip, the elbow out."""
    body.reach(side, body.hip_joint(side) + complex(-0.05 + rng.normal(0, 0.01), -0.05), "rest")


def behind(body: Body, side: int, rng) -> None:
    """A hand behind the back."""
    body.reach(side, body.hip + complex(-0.12 + rng.normal(0, 0.01), -0.08), "rest")


def swung(body: Body, side: int, rng) -> None:
    """An arm swung back, as one walks."""
    body.reach(side, body.shoulder(side) + complex(-0.2 + rng.normal(0, 0.02), 0.22), "rest")


def waved(body: Body, side: int, rng) -> None:
    """A hand in the air, away from what the other one does."""
    body.reach(side, body.shoulder(side) + complex(-0.2 + rng.normal(0, 0.02), -0.06), "open", -1.0)


def grasp(
    body: Body, contact: Contact, rng, free, both: float = 0.0, side: int = 1, bend: float = 1.0
) -> None:
    """Put the hands on a held object; without `held` no hand comes near.

    `free` poses an arm without a task. Both hands grip with probability `both`, else only that of
    `side`, with its elbow bent by `bend`.
    """
    # The label `hold` follows `held`, so free hands must be seen to be free.
    if not contact.held:
        free(body, 0, rng)
        free(body, 1, rng)
    elif rng.random() < both:
        body.reach(0, contact.grip("right"))
        body.reach(1, contact.grip("left"))
    else:
        free(body, 1 - side, rng)
        body.reach(side, contact.grip("hand"), "fist", bend)


def bring(body: Body, contact: Contact, feature: complex, depth: float, rng) -> None:
    """Move the head until a part of the face meets the object's outline, `depth` inside.

    The point of contact is random on the near side. `feature` is in head radii.
    """
    body.face.turn = 1.0
    body.head_free = False
    direction = cmath.exp(1j * (math.pi + rng.uniform(-1.0, 1.0)))
    spot = contact.edge(contact.place + direction, depth)
    body.move_head(body.head + spot - body.feature(feature), 0.2)


def keep_off(body: Body, contact: Contact, gap: float) -> None:
    """Draw the head back until it is `gap` away from the object, as far as a neck goes."""
    away = body.head - contact.place
    clear = HEAD + gap + abs(contact.edge(body.head) - contact.place)

    # A neck bends by this much at most.
    missing = clear - abs(away)
    if missing > 0:
        body.head += away / max(abs(away), 1e-6) * min(missing, 0.11)
