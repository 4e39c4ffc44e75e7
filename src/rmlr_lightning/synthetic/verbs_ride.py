"""Poses of verbs on bikes, mounts and boards: ride, race, push, stand or jump on them.

One function per verb: (body, contact, rng), distances in body units.
"""

from rmlr_lightning.synthetic.arms import idle
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import Body
from rmlr_lightning.synthetic.stances import (
    SOLE,
    look_ahead,
    look_away,
    lunge,
    stride,
    trunk,
    upright,
)


def ride(body: Body, contact: Contact, rng) -> None:
    """Leaning forward, the feet on pedals, stirrups or deck; `held`: hands on bars or reins."""
    if contact.kind.group == "board":
        ride_board(body, contact, rng)
        return

    # Feet off the ground: that is what differs from straddle.
    body.posture = "sit"
    body.hip = contact.grip("seat") - 0.05j
    body.step(0, contact.grip("pedal") + complex(0.06, -0.09))
    body.step(1, contact.grip("pedal") + complex(0.0, -0.02))
    trunk(body, rng.normal(0.33, 0.05))
    look_ahead(body, rng)

    # Free hands are high and far from the bars, so that they do not seem to hold them.
    if contact.held:
        body.reach(0, contact.grip("bars") + 0.02)
        body.reach(1, contact.grip("bars"))
    else:
        body.reach(0, body.shoulder(0) + complex(0.2, -0.14), "open")
        body.reach(1, body.shoulder(1) + complex(-0.18, -0.16), "open")


def ride_board(body: Body, contact: Contact, rng) -> None:
    """Wide and low on the deck, the arms spread for balance."""
    lunge(body, rng)
    body.hip += 0.02j

    # Soles on the deck.
    lift = contact.grip("top").imag
    for side, dx in ((0, 0.13), (1, -0.13)):
        body.step(side, complex(contact.place.real + dx, lift + SOLE + 0.008))

    trunk(body, rng.normal(0.25, 0.05))
    look_ahead(body, rng)
    body.reach(0, body.shoulder(0) + complex(0.25, rng.normal(0.02, 0.04)), "open")
    body.reach(1, body.shoulder(1) + complex(-0.25, rng.normal(0.02, 0.04)), "open")


def straddle(body: Body, contact: Contact, rng) -> None:
    """Over the saddle, trunk upright; on a bike with both feet on the ground."""
    if contact.kind.group == "bike":
        # In front of the saddle, soles on the ground.
        body.hip = contact.grip("seat") + complex(0.07, -0.05)
        body.step(0, complex(body.hip.real + 0.15, contact.floor() + SOLE - 0.03))
        body.step(1, complex(body.hip.real - 0.04, contact.floor() + SOLE))
    else:
        # Seated, legs hanging: nothing is that high that feet reach the ground.
        body.hip = contact.grip("seat") + -0.05j
        body.posture = "sit"
        body.step(0, contact.grip("pedal") + complex(0.02, -0.03))
        body.step(1, contact.grip("pedal") + complex(-0.06, 0.05))

    # No lean: that is what differs from ride.
    trunk(body, rng.normal(-0.02, 0.04))
    look_ahead(body, rng)
    idle(body, 0, rng)
    if contact.held:
        body.reach(1, contact.grip("bars"))
    else:
        idle(body, 1, rng)


def race(body: Body, contact: Contact, rng) -> None:
    """Up from the saddle, bent low over the neck, arms forward."""
    body.posture = "sit"

    # Up from the saddle by twice the distance of a rider.
    body.hip = contact.grip("seat") + (-0.03 - 0.1j)
    body.step(0, contact.grip("pedal") + complex(0.04, -0.07))
    body.step(1, contact.grip("pedal") + complex(-0.02, 0.0))
    trunk(body, rng.normal(0.85, 0.06), 0.35)

    # Eyes wide, hands at the neck of the animal.
    body.face.turn = 1.0
    body.face.gaze = 1 + 0j
    body.face.eyes = "wide"
    body.reach(0, contact.grip("bars") + 0.05)
    body.reach(1, contact.grip("bars") + 0.03)


def walk(body: Body, contact: Contact, rng) -> None:
    """Walking a bike by one hand on its bars."""
    stride(body, rng)
    trunk(body, rng.normal(0.06, 0.03))
    look_ahead(body, rng)
    idle(body, 0, rng)
    body.reach(1, contact.grip("bars"))


def push(body: Body, contact: Contact, rng) -> None:
    """Leaning forward, one flat hand on the bars and one on the saddle."""
    lunge(body, rng)
    trunk(body, rng.normal(0.28, 0.04))

    # Chin down, flat hands: a fist at the bars would hold it.
    body.face.tilt = 0.2
    body.face.gaze = 1 + 0.3j
    body.reach(0, contact.grip("bars"), "flat")
    body.reach(1, contact.grip("seat") + (0.02 - 0.02j), "flat")


def stand_on(body: Body, contact: Contact, rng) -> None:
    """Upright on the deck, arms idle."""
    top = contact.grip("top").imag
    upright(body, rng)

    # Standing as on the ground, then all of it lifted onto the deck.
    body.map(lambda p: p + complex(contact.place.real, top + 0.008))
    look_away(body, contact.place, rng)
    idle(body, 0, rng)
    idle(body, 1, rng)


def jump(body: Body, contact: Contact, rng) -> None:
    """In the air above the board, knees up, arms up."""
    body.posture = "other"

    # A visible gap between soles and deck.
    lift = rng.uniform(0.04, 0.06)
    soles = contact.grip("top").imag - lift
    body.hip = complex(contact.place.real, soles - 0.36)
    for side, dx in ((0, 0.1), (1, -0.1)):
        body.step(side, complex(contact.place.real + dx, soles + SOLE + 0.03 * side))

    trunk(body, rng.normal(0.06, 0.05))
    look_ahead(body, rng)

    # Mouth open and arms up, since the gap is small in many images.
    body.face.mouth = "open"
    body.reach(0, body.shoulder(0) + complex(0.2, -0.16), "open")
    body.reach(1, body.shoulder(1) + complex(-0.2, -0.16), "open")
