"""Poses of verbs on objects to sit on, carry, drag, kick or wear.

One function per verb: (body, contact, rng), distances in body units.
"""

import cmath

from rmlr_lightning.synthetic.arms import idle, rest_at_side
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import Body
from rmlr_lightning.synthetic.stances import (
    SOLE,
    look_ahead,
    look_at,
    look_away,
    sit,
    stand,
    stride,
    trunk,
    upright,
)


def kick(body: Body, contact: Contact, rng) -> None:
    """Leaning back, the near foot at the object, the eyes on it."""
    stand(body, rng)
    trunk(body, rng.normal(-0.14, 0.04))

    # The foot is short of the object by the length of a shoe.
    edge = contact.edge(body.hip + 0.2j)
    body.step(1, edge + (-0.05 - 0.015j))
    body.toe[1] = 0.05 - 0.012j
    body.step(0, complex(-0.05, SOLE))

    # Arms out for balance.
    look_at(body, contact.place)
    body.reach(0, body.shoulder(0) + complex(0.22, 0.1), "open")
    body.reach(1, body.shoulder(1) + complex(-0.2, 0.1), "open")


def wear(body: Body, contact: Contact, rng) -> None:
    """On the back, seen by its straps; at times a hand on one of them."""
    # The straps determine the verb, so any stance will do.
    stance = stride if rng.random() < 0.5 else stand
    stance(body, rng)
    trunk(body, rng.normal(0.05, 0.04))
    body.straps = True
    look_away(body, contact.place, rng)

    idle(body, 0, rng)
    if rng.random() < 0.3:
        body.reach(1, body.neck + complex(0.05, 0.12))
    else:
        idle(body, 1, rng)


def beside(body: Body, contact: Contact, rng) -> None:
    """no_interaction with a large object: next to it, hands off, eyes elsewhere."""
    stand(body, rng)
    trunk(body, rng.normal(0.03, 0.05))
    look_away(body, contact.place, rng)
    for side in (0, 1):
        rest_at_side(body, side, rng)


def sit_on(body: Body, contact: Contact, rng) -> None:
    """Seated, hands on the knees or idle; alone on a couch or bench with the legs up."""
    if contact.kind.group == "bike":
        # Sideways on the saddle, both legs on one side.
        body.posture = "sit"
        body.hip = contact.grip("seat") - 0.05j
        for side, dx in ((0, 0.17), (1, 0.12)):
            body.step(side, complex(body.hip.real + dx, contact.floor() + SOLE - 0.03))
        trunk(body, rng.normal(-0.03, 0.05))
    elif contact.kind.group == "seat" and contact.spot is None:
        # The legs along the seat: the box is then as wide as that of a person who lies there.
        body.posture = "sit"
        body.hip = contact.grip("seat") + complex(-0.12, -0.05)
        raised = ((0, rng.uniform(0.08, 0.15)), (1, rng.uniform(0.02, 0.1)))
        for side, up in raised:
            body.knee[side] = body.hip + complex(0.2, -up)
            body.foot[side] = body.hip + complex(0.4 - 0.5 * up, 0.01)
            body.toe[side] = 0.012 - 0.05j
        trunk(body, rng.normal(-0.6, 0.06))
    else:
        # Feet on the ground.
        sit(body, contact.grip("seat") + (contact.spot or 0.0) * contact.size, contact.floor(), rng)
        trunk(body, rng.normal(-0.03, 0.05))

    # Hands and gaze are independent of the seat.
    look_away(body, body.head + 1j, rng)
    for side in (0, 1):
        if rng.random() < 0.6:
            body.reach(side, body.knee[side] + (-0.03 - 0.05j), "rest")
        else:
            idle(body, side, rng)


def lie_on(body: Body, contact: Contact, rng) -> None:
    """On the back, the head towards -x, knees drawn up."""
    body.posture = "lie"

    # The trunk rises a little towards the head.
    body.hip = contact.grip("seat") + complex(0.02, -0.055)
    body.neck = body.hip + 0.3 * cmath.exp(1j * rng.normal(3.75, 0.05))
    body.head = body.neck + complex(-0.1, -0.045)

    raised = ((0, rng.uniform(0.16, 0.24)), (1, rng.uniform(0.1, 0.2)))
    for side, up in raised:
        body.knee[side] = body.hip + complex(0.14, -up)
        body.foot[side] = body.hip + complex(0.31 - up * 0.5, 0.008)
        body.toe[side] = 0.03 - 0.03j

    # The face is up, one hand on the belly, one under the head.
    body.face.turn = 1.0
    body.face.gaze = -0.2 - 1j
    body.face.eyes = "shut" if rng.random() < 0.4 else "open"
    body.reach(0, body.hip + complex(-0.08, -0.1), "rest")
    body.reach(1, body.neck + complex(rng.uniform(0.1, 0.26), 0.015), "rest")


def keep(body: Body, contact: Contact, rng) -> None:
    """hold: standing, a hand on the bars, the back of a chair, the rim or the handle."""
    upright(body, rng)
    idle(body, 0, rng)
    grip = {"bike": "bars", "chair": "back"}.get(contact.kind.group, "hand")
    body.reach(1, contact.grip(grip))

    # Both hands on a chair at times.
    if contact.kind.group == "chair" and rng.random() < 0.5:
        body.reach(0, contact.grip("back") + 0.04)
    look_away(body, contact.place, rng)


def lug(body: Body, contact: Contact, rng) -> None:
    """carry a case, a board or an animal: walking, hand on the handle or arms around."""
    stride(body, rng)
    trunk(body, rng.normal(0.08, 0.03))
    look_away(body, contact.place, rng)

    # Two hands for what is in the arms, one for a handle.
    if contact.zone == "arms":
        body.reach(0, contact.grip("hand"))
        body.reach(1, contact.grip("hand") - 0.1)
    else:
        idle(body, 0, rng)
        body.reach(1, contact.grip("hand"))


def drag(body: Body, contact: Contact, rng) -> None:
    """Pulling it behind, arm stretched back."""
    stride(body, rng)
    trunk(body, rng.normal(0.2, 0.04))
    look_ahead(body, rng)
    idle(body, 0, rng)

    # The object is behind: the act turns the person away from it.
    body.reach(1, contact.grip("hand"))


def dribble(body: Body, contact: Contact, rng) -> None:
    """A flat hand over the ball, not touching."""
    stand(body, rng, 0.1)
    ball_is_low = contact.place.imag > -0.55
    trunk(body, rng.normal(0.2 if ball_is_low else 0.05, 0.04))
    look_at(body, contact.place)
    idle(body, 0, rng)

    # A gap over the ball: a hand that touches it would hold it.
    above = contact.grip("top") - rng.uniform(0.05, 0.07) * 1j - 0.03
    body.reach(1, above, "flat", -1.0)
