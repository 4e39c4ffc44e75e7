"""Poses of verbs on animals: lead, pet, feed, hug, kiss, watch and hold in the arms.

One function per verb: (body, contact, rng), distances in body units.
"""

from rmlr_lightning.synthetic.arms import idle, rest_at_side
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import HEAD, Body
from rmlr_lightning.synthetic.stances import (
    look_ahead,
    look_at,
    look_away,
    stand,
    stride,
    trunk,
    upright,
)


def bend_to(b: Body, target: complex, rng) -> None:
    """Lean as far as the hands need to reach the target."""
    stand(b, rng)

    # From 0 where it is at the height of the elbows to 1 where it is at the knees.
    depth = min(max((target.imag + 0.62) / 0.3, 0.0), 1.0)
    trunk(b, rng.normal(0.05 + 0.33 * depth, 0.04))


def front(c: Contact) -> float:
    """The side of the animal's nose: 1 as the person faces, -1 towards the person."""
    return -1.0 if c.mirror else 1.0


def walk(b: Body, c: Contact, rng) -> None:
    """Leading it on a leash."""
    stride(b, rng)
    trunk(b, rng.normal(0.06, 0.03))
    look_ahead(b, rng, smile=0.4)
    idle(b, 0, rng)
    b.reach(1, b.hip + complex(0.16 if c.place.real > 0 else -0.12, -0.1))
    b.leash = c.grip("neck")


def pet(b: Body, c: Contact, rng) -> None:
    """A flat hand on its head or neck, the eyes on it."""
    target = c.grip("head" if rng.random() < 0.6 else "neck")
    bend_to(b, target, rng)
    look_at(b, c.grip("head"))
    b.face.mouth = "smile"
    idle(b, 0, rng)
    b.reach(1, target - 0.02j, "flat", -1.0)


def feed(b: Body, c: Contact, rng) -> None:
    """Food in the hand, at its mouth; the eyes on it."""
    mouth = c.grip("mouth")
    bend_to(b, mouth, rng)
    look_at(b, mouth)
    b.face.mouth = "smile"
    idle(b, 0, rng)
    b.reach(1, mouth + complex(0.05 * front(c), 0.03), "flat")
    b.crumb = mouth + complex(0.015 * front(c), 0.005)


def embrace(b: Body, c: Contact, rng) -> None:
    """hug: both arms around, cheek on it, eyes shut."""
    neck = c.grip("neck")
    bend_to(b, neck, rng)
    b.face.eyes = "shut"
    b.face.mouth = "smile"
    b.face.tilt = 0.3
    b.face.turn = 1.0
    b.head_free = False
    b.move_head(neck - complex(HEAD * 0.9, HEAD * 0.9), 0.16)
    b.reach(0, neck + complex(0.04, 0.1), "flat")
    b.reach(1, neck + complex(0.02, 0.03), "flat")


def peck(b: Body, c: Contact, rng) -> None:
    """kiss: lips on its head, eyes shut."""
    head = c.grip("head")
    bend_to(b, head + 0.1j, rng)
    b.face.eyes = "shut"
    b.face.mouth = "kiss"
    b.face.turn = 1.0
    b.head_free = False

    # The lips are a little before the head's centre (head radii).
    lips = 1.0 + 0.46j
    spot = head - complex(0.1 * c.size, 0)
    b.move_head(b.head + spot - b.feature(lips), 0.2)

    if c.zone == "arms":
        b.reach(0, c.grip("hand"), "flat")
        b.reach(1, c.grip("hand") - 0.08, "flat")
    else:
        idle(b, 0, rng)
        idle(b, 1, rng)


def watch(b: Body, c: Contact, rng) -> None:
    """Standing still, eyes on it, hands off."""
    upright(b, rng)
    b.face.eyes = "wide"
    look_at(b, c.grip("head"))
    for side in (0, 1):
        rest_at_side(b, side, rng)


def cradle(b: Body, c: Contact, rng) -> None:
    """hold: on the arm, standing, eyes elsewhere."""
    upright(b, rng)
    b.reach(0, c.grip("hand"))
    b.reach(1, c.grip("hand") - 0.1)
    look_away(b, c.place, rng)
