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


def bend_to(body: Body, target: complex, rng) -> None:
    """Lean as far as the hands need to reach the target."""
    stand(body, rng)

    # From 0 where it is at the height of the elbows to 1 where it is at the knees.
    depth = min(max((target.imag + 0.62) / 0.3, 0.0), 1.0)
    trunk(body, rng.normal(0.05 + 0.33 * depth, 0.04))


def front(contact: Contact) -> float:
    """The side of the animal's nose: 1 as the person faces, -1 towards the person."""
    return -1.0 if contact.mirror else 1.0


def walk(body: Body, contact: Contact, rng) -> None:
    """Leading it on a leash."""
    stride(body, rng)
    trunk(body, rng.normal(0.06, 0.03))
    look_ahead(body, rng, smile=0.4)
    idle(body, 0, rng)

    # The hand with the leash points to the animal, before or behind the person.
    body.reach(1, body.hip + complex(0.16 if contact.place.real > 0 else -0.12, -0.1))
    body.leash = contact.grip("neck")


def pet(body: Body, contact: Contact, rng) -> None:
    """A flat hand on its head or neck, the eyes on it."""
    # Either place, so that the place of the hand is not a sign of its own.
    target = contact.grip("head" if rng.random() < 0.6 else "neck")
    bend_to(body, target, rng)
    look_at(body, contact.grip("head"))
    body.face.mouth = "smile"
    idle(body, 0, rng)

    # Elbow up: the hand comes from above.
    body.reach(1, target - 0.02j, "flat", -1.0)


def feed(body: Body, contact: Contact, rng) -> None:
    """Food in the hand, at its mouth; the eyes on it."""
    mouth = contact.grip("mouth")
    bend_to(body, mouth, rng)
    look_at(body, mouth)
    body.face.mouth = "smile"
    idle(body, 0, rng)

    # The hand is beyond the nose, with the food between.
    body.reach(1, mouth + complex(0.05 * front(contact), 0.03), "flat")
    body.crumb = mouth + complex(0.015 * front(contact), 0.005)


def embrace(body: Body, contact: Contact, rng) -> None:
    """hug: both arms around, cheek on it, eyes shut."""
    neck = contact.grip("neck")
    bend_to(body, neck, rng)
    body.face.eyes = "shut"
    body.face.mouth = "smile"
    body.face.tilt = 0.3
    body.face.turn = 1.0

    # The cheek is on the neck: no later step may move the head.
    body.head_free = False
    body.move_head(neck - complex(HEAD * 0.9, HEAD * 0.9), 0.16)
    body.reach(0, neck + complex(0.04, 0.1), "flat")
    body.reach(1, neck + complex(0.02, 0.03), "flat")


def peck(body: Body, contact: Contact, rng) -> None:
    """kiss: lips on its head, eyes shut."""
    head = contact.grip("head")
    bend_to(body, head + 0.1j, rng)
    body.face.eyes = "shut"
    body.face.mouth = "kiss"
    body.face.turn = 1.0
    body.head_free = False

    # The lips are a little before the head's centre (head radii).
    lips = 1.0 + 0.46j
    spot = head - complex(0.1 * contact.size, 0)
    body.move_head(body.head + spot - body.feature(lips), 0.2)

    if contact.zone == "arms":
        body.reach(0, contact.grip("hand"), "flat")
        body.reach(1, contact.grip("hand") - 0.08, "flat")
    else:
        idle(body, 0, rng)
        idle(body, 1, rng)


def watch(body: Body, contact: Contact, rng) -> None:
    """Standing still, eyes on it, hands off."""
    upright(body, rng)

    # Wide eyes, hands far: only the gaze differs from no_interaction.
    body.face.eyes = "wide"
    look_at(body, contact.grip("head"))
    for side in (0, 1):
        rest_at_side(body, side, rng)


def cradle(body: Body, contact: Contact, rng) -> None:
    """hold: on the arm, standing, eyes elsewhere."""
    upright(body, rng)

    # Both hands below the animal.
    body.reach(0, contact.grip("hand"))
    body.reach(1, contact.grip("hand") - 0.1)
    look_away(body, contact.place, rng)
