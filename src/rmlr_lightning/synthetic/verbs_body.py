"""Poses of verbs on objects to ride, sit on, stand on, push, drag, kick or wear.

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
    lunge,
    sit,
    stand,
    stride,
    trunk,
    upright,
)


def floor(c: Contact) -> float:
    """The y where the object stands."""
    return c.place.imag + c.kind.half.imag * c.size


def ride(b: Body, c: Contact, rng) -> None:
    """Leaning forward, the feet on pedals, stirrups or deck; `held`: hands on bars or reins."""
    if c.kind.group == "board":
        ride_board(b, c, rng)
        return

    b.posture = "sit"
    b.hip = c.grip("seat") - 0.05j
    b.step(0, c.grip("pedal") + complex(0.06, -0.09))
    b.step(1, c.grip("pedal") + complex(0.0, -0.02))
    trunk(b, rng.normal(0.33, 0.05))
    look_ahead(b, rng)

    if c.held:
        b.reach(0, c.grip("bars") + 0.02)
        b.reach(1, c.grip("bars"))
    else:
        b.reach(0, b.shoulder(0) + complex(0.2, -0.14), "open")
        b.reach(1, b.shoulder(1) + complex(-0.18, -0.16), "open")


def ride_board(b: Body, c: Contact, rng) -> None:
    """Wide and low on the deck, the arms spread for balance."""
    lunge(b, rng)
    b.hip += 0.02j

    lift = c.grip("top").imag
    for side, dx in ((0, 0.13), (1, -0.13)):
        b.step(side, complex(c.place.real + dx, lift + SOLE + 0.008))

    trunk(b, rng.normal(0.25, 0.05))
    look_ahead(b, rng)
    b.reach(0, b.shoulder(0) + complex(0.25, rng.normal(0.02, 0.04)), "open")
    b.reach(1, b.shoulder(1) + complex(-0.25, rng.normal(0.02, 0.04)), "open")


def stand_on(b: Body, c: Contact, rng) -> None:
    """Upright on the deck, arms idle."""
    top = c.grip("top").imag
    upright(b, rng)
    b.map(lambda p: p + complex(c.place.real, top + 0.008))
    look_away(b, c.place, rng)
    idle(b, 0, rng)
    idle(b, 1, rng)


def kick(b: Body, c: Contact, rng) -> None:
    """Leaning back, the near foot at the object, the eyes on it."""
    stand(b, rng)
    trunk(b, rng.normal(-0.14, 0.04))

    edge = c.edge(b.hip + 0.2j)
    b.step(1, edge + (-0.05 - 0.015j))
    b.toe[1] = 0.05 - 0.012j
    b.step(0, complex(-0.05, SOLE))

    look_at(b, c.place)
    b.reach(0, b.shoulder(0) + complex(0.22, 0.1), "open")
    b.reach(1, b.shoulder(1) + complex(-0.2, 0.1), "open")


def wear(b: Body, c: Contact, rng) -> None:
    """On the back, seen by its straps; at times a hand on one of them."""
    stance = stride if rng.random() < 0.5 else stand
    stance(b, rng)
    trunk(b, rng.normal(0.05, 0.04))
    b.straps = True
    look_away(b, c.place, rng)

    idle(b, 0, rng)
    if rng.random() < 0.3:
        b.reach(1, b.neck + complex(0.05, 0.12))
    else:
        idle(b, 1, rng)


def beside(b: Body, c: Contact, rng) -> None:
    """no_interaction with a large object: next to it, hands off, eyes elsewhere."""
    stand(b, rng)
    trunk(b, rng.normal(0.03, 0.05))
    look_away(b, c.place, rng)
    for side in (0, 1):
        rest_at_side(b, side, rng)


def straddle(b: Body, c: Contact, rng) -> None:
    """Over the saddle, trunk upright; on a bike with both feet on the ground."""
    if c.kind.group == "bike":
        b.hip = c.grip("seat") + complex(0.07, -0.05)
        b.step(0, complex(b.hip.real + 0.15, floor(c) + SOLE - 0.03))
        b.step(1, complex(b.hip.real - 0.04, floor(c) + SOLE))
    else:
        b.hip = c.grip("seat") + -0.05j
        b.posture = "sit"
        b.step(0, c.grip("pedal") + complex(0.02, -0.03))
        b.step(1, c.grip("pedal") + complex(-0.06, 0.05))

    trunk(b, rng.normal(-0.02, 0.04))
    look_ahead(b, rng)
    idle(b, 0, rng)
    if c.held:
        b.reach(1, c.grip("bars"))
    else:
        idle(b, 1, rng)


def race(b: Body, c: Contact, rng) -> None:
    """Up from the saddle, bent low over the neck, arms forward."""
    b.posture = "sit"
    b.hip = c.grip("seat") + (-0.03 - 0.1j)
    b.step(0, c.grip("pedal") + complex(0.04, -0.07))
    b.step(1, c.grip("pedal") + complex(-0.02, 0.0))
    trunk(b, rng.normal(0.85, 0.06), 0.35)
    b.face.turn = 1.0
    b.face.gaze = 1 + 0j
    b.face.eyes = "wide"
    b.reach(0, c.grip("bars") + 0.05)
    b.reach(1, c.grip("bars") + 0.03)


def sit_on(b: Body, c: Contact, rng) -> None:
    """Seated, hands on the knees or idle; alone on a couch or bench with the legs up."""
    if c.kind.group == "bike":
        b.posture = "sit"
        b.hip = c.grip("seat") - 0.05j
        for side, dx in ((0, 0.17), (1, 0.12)):
            b.step(side, complex(b.hip.real + dx, floor(c) + SOLE - 0.03))
        trunk(b, rng.normal(-0.03, 0.05))
    elif c.kind.group == "seat" and c.spot is None:
        # The legs along the seat: the box is then as wide as that of a person who lies there.
        b.posture = "sit"
        b.hip = c.grip("seat") + complex(-0.12, -0.05)
        raised = ((0, rng.uniform(0.08, 0.15)), (1, rng.uniform(0.02, 0.1)))
        for side, up in raised:
            b.knee[side] = b.hip + complex(0.2, -up)
            b.foot[side] = b.hip + complex(0.4 - 0.5 * up, 0.01)
            b.toe[side] = 0.012 - 0.05j
        trunk(b, rng.normal(-0.6, 0.06))
    else:
        sit(b, c.grip("seat") + (c.spot or 0.0) * c.size, floor(c), rng)
        trunk(b, rng.normal(-0.03, 0.05))

    look_away(b, b.head + 1j, rng)
    for side in (0, 1):
        if rng.random() < 0.6:
            b.reach(side, b.knee[side] + (-0.03 - 0.05j), "rest")
        else:
            idle(b, side, rng)


def lie_on(b: Body, c: Contact, rng) -> None:
    """On the back, the head towards -x, knees drawn up."""
    b.posture = "lie"
    b.hip = c.grip("seat") + complex(0.02, -0.055)
    b.neck = b.hip + 0.3 * cmath.exp(1j * rng.normal(3.75, 0.05))
    b.head = b.neck + complex(-0.1, -0.045)

    raised = ((0, rng.uniform(0.16, 0.24)), (1, rng.uniform(0.1, 0.2)))
    for side, up in raised:
        b.knee[side] = b.hip + complex(0.14, -up)
        b.foot[side] = b.hip + complex(0.31 - up * 0.5, 0.008)
        b.toe[side] = 0.03 - 0.03j

    b.face.turn = 1.0
    b.face.gaze = -0.2 - 1j
    b.face.eyes = "shut" if rng.random() < 0.4 else "open"
    b.reach(0, b.hip + complex(-0.08, -0.1), "rest")
    b.reach(1, b.neck + complex(rng.uniform(0.1, 0.26), 0.015), "rest")


def walk(b: Body, c: Contact, rng) -> None:
    """Walking a bike by one hand on its bars."""
    stride(b, rng)
    trunk(b, rng.normal(0.06, 0.03))
    look_ahead(b, rng)
    idle(b, 0, rng)
    b.reach(1, c.grip("bars"))


def push(b: Body, c: Contact, rng) -> None:
    """Leaning forward, one flat hand on the bars and one on the saddle."""
    lunge(b, rng)
    trunk(b, rng.normal(0.28, 0.04))
    b.face.tilt = 0.2
    b.face.gaze = 1 + 0.3j
    b.reach(0, c.grip("bars"), "flat")
    b.reach(1, c.grip("seat") + (0.02 - 0.02j), "flat")


def keep(b: Body, c: Contact, rng) -> None:
    """hold: standing, a hand on the bars, the back of a chair, the rim or the handle."""
    upright(b, rng)
    idle(b, 0, rng)
    grip = {"bike": "bars", "chair": "back"}.get(c.kind.group, "hand")
    b.reach(1, c.grip(grip))
    if c.kind.group == "chair" and rng.random() < 0.5:
        b.reach(0, c.grip("back") + 0.04)
    look_away(b, c.place, rng)


def lug(b: Body, c: Contact, rng) -> None:
    """carry a case, a board or an animal: walking, hand on the handle or arms around."""
    stride(b, rng)
    trunk(b, rng.normal(0.08, 0.03))
    look_away(b, c.place, rng)

    if c.zone == "arms":
        b.reach(0, c.grip("hand"))
        b.reach(1, c.grip("hand") - 0.1)
    else:
        idle(b, 0, rng)
        b.reach(1, c.grip("hand"))


def drag(b: Body, c: Contact, rng) -> None:
    """Pulling it behind, arm stretched back."""
    stride(b, rng)
    trunk(b, rng.normal(0.2, 0.04))
    look_ahead(b, rng)
    idle(b, 0, rng)
    b.reach(1, c.grip("hand"))


def dribble(b: Body, c: Contact, rng) -> None:
    """A flat hand over the ball, not touching."""
    stand(b, rng, 0.1)
    ball_is_low = c.place.imag > -0.55
    trunk(b, rng.normal(0.2 if ball_is_low else 0.05, 0.04))
    look_at(b, c.place)
    idle(b, 0, rng)
    above = c.grip("top") - rng.uniform(0.05, 0.07) * 1j - 0.03
    b.reach(1, above, "flat", -1.0)


def jump(b: Body, c: Contact, rng) -> None:
    """In the air above the board, knees up, arms up."""
    b.posture = "other"
    lift = rng.uniform(0.04, 0.06)
    soles = c.grip("top").imag - lift
    b.hip = complex(c.place.real, soles - 0.36)
    for side, dx in ((0, 0.1), (1, -0.1)):
        b.step(side, complex(c.place.real + dx, soles + SOLE + 0.03 * side))

    trunk(b, rng.normal(0.06, 0.05))
    look_ahead(b, rng)
    b.face.mouth = "open"
    b.reach(0, b.shoulder(0) + complex(0.2, -0.16), "open")
    b.reach(1, b.shoulder(1) + complex(-0.2, -0.16), "open")
