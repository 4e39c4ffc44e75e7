"""Poses of verbs on hand-held objects.

One function per verb, shared by all its objects, so that a verb looks similar on each. It takes
(body, contact, rng) and poses the body around the object, which stays where it is. Distances are
in body units.
"""

from rmlr_lightning.synthetic.arms import (
    akimbo,
    behind,
    bring,
    grasp,
    hang,
    keep_off,
    swung,
    waved,
)
from rmlr_lightning.synthetic.contact import Contact
from rmlr_lightning.synthetic.skeleton import MOUTH, NOSE, Body
from rmlr_lightning.synthetic.stances import (
    bent,
    look_at,
    look_away,
    lunge,
    stride,
    trunk,
    upright,
)


def hold(body: Body, contact: Contact, rng) -> None:
    """In a fist, the eyes elsewhere."""
    upright(body, rng)

    # No part of the face may touch it: that would be another verb.
    keep_off(body, contact, 0.035)
    look_away(body, contact.place, rng)
    grasp(body, contact, rng, hang)


def carry(body: Body, contact: Contact, rng) -> None:
    """Walking with it: in a fist, or on flat hands."""
    stride(body, rng)
    trunk(body, rng.normal(0.1, 0.03))
    keep_off(body, contact, 0.035)
    body.face.turn = 1.0
    body.face.gaze = complex(1, rng.uniform(-0.1, 0.1))

    # Flat hands below it carry without `hold`.
    if contact.held:
        grasp(body, contact, rng, swung)
    else:
        body.reach(0, contact.grip("right"), "flat")
        body.reach(1, contact.grip("left"), "flat")


def eat(body: Body, contact: Contact, rng) -> None:
    """The object at the open mouth."""
    upright(body, rng)
    body.face.mouth = "open"
    body.face.tilt = rng.normal(0.05, 0.05)
    body.face.gaze = 1 + 0.6j

    # Anywhere at the near side: bites come from all sides.
    bring(body, contact, MOUTH, 0.035, rng)
    grasp(body, contact, rng, akimbo)


def drink_with(body: Body, contact: Contact, rng) -> None:
    """The top of the object at the open mouth, chin and elbow up."""
    upright(body, rng, 0.05, -0.12)
    body.face.mouth = "open"
    body.face.tilt = -0.3 + rng.normal(0, 0.08)
    body.face.gaze = 1 - 0.5j
    body.face.turn = 1.0
    body.head_free = False

    # Not to the pixel: cups differ, and a mouth meets the rim anywhere.
    top = contact.grip("top") + complex(rng.uniform(-0.02, 0.02), rng.uniform(-0.01, 0.03))
    body.move_head(body.head + top - body.mouth_at(), 0.2)
    grasp(body, contact, rng, akimbo, bend=-1.0)


def smell(body: Body, contact: Contact, rng) -> None:
    """The nose at the object, eyes shut."""
    bent(body, rng, 0.2)
    body.face.eyes = "shut"
    body.face.tilt = 0.25 + rng.normal(0, 0.06)

    # The nose hardly touches it, where a mouth would be inside.
    bring(body, contact, NOSE, 0.01, rng)
    grasp(body, contact, rng, behind)


def inspect(body: Body, contact: Contact, rng) -> None:
    """Bent towards it, eyes wide, a hand on the knee."""
    bent(body, rng, 0.2)
    body.face.eyes = "wide"

    # Near, but without contact.
    keep_off(body, contact, rng.uniform(0.03, 0.06))
    look_at(body, contact.place)
    grasp(body, contact, rng, behind, side=0)
    body.reach(1, body.knee[1] + (0.0 - 0.05j), "flat")


def read(body: Body, contact: Contact, rng) -> None:
    """The eyes on it, chin down; both hands on it where it is held."""
    upright(body, rng)

    # At the distance of a page.
    keep_off(body, contact, 0.05)
    look_at(body, contact.place)
    body.face.tilt += 0.15
    grasp(body, contact, rng, behind, 1.0)


def text_on(body: Body, contact: Contact, rng) -> None:
    """One hand grips it, the other is on the screen; the eyes on it."""
    upright(body, rng, 0.05, 0.08)
    keep_off(body, contact, 0.05)
    look_at(body, contact.place)
    body.face.tilt += 0.15

    # The second hand differs from read.
    body.reach(0, contact.grip("right"))
    body.reach(1, contact.grip("screen"), "open")


def talk_on(body: Body, contact: Contact, rng) -> None:
    """The ear at the phone, so that the face looks away from it."""
    upright(body, rng)
    body.face.turn = -1.0
    body.face.gaze = complex(-1, rng.uniform(-0.3, 0.2))
    body.face.mouth = "open"
    body.head_free = False

    # The head turns away, so that the ear meets the phone.
    ear = body.feature(-0.55 + 0.1j)
    spot = body.head + contact.place + complex(0, rng.uniform(-0.04, 0.04))
    body.move_head(spot - ear, 0.2)
    body.reach(0, contact.grip("hand"), "fist")
    waved(body, 1, rng)


def open_up(body: Body, contact: Contact, rng) -> None:
    """One hand below, the other pulls at the top."""
    upright(body, rng, 0.09)
    keep_off(body, contact, 0.03)
    look_at(body, contact.place)
    body.reach(0, contact.grip("hand"), "flat")

    # Elbow up, to pull.
    body.reach(1, contact.grip("top") - 0.03j, "fist", -1.0)


def type_on(body: Body, contact: Contact, rng) -> None:
    """Both hands on the keys, the eyes on it."""
    bent(body, rng, 0.12)
    keep_off(body, contact, 0.03)
    look_at(body, contact.place)

    # Open hands side by side; a fist would hold it.
    body.reach(0, contact.grip("keys_far"), "open")
    body.reach(1, contact.grip("keys"), "open")


def hug(body: Body, contact: Contact, rng) -> None:
    """Both arms around it, the cheek on it, eyes shut."""
    upright(body, rng)
    body.face.eyes = "shut"
    body.face.mouth = "smile"
    body.face.tilt = 0.3

    # The cheek, in head radii, is a little inside of the outline.
    bring(body, contact, 0.75 + 0.65j, 0.03, rng)

    half = contact.kind.half
    body.reach(0, contact.point(complex(half.real * 0.4, half.imag * 0.35)), "flat")
    body.reach(1, contact.point(complex(half.real * 0.3, -half.imag * 0.1)), "flat")


def kiss(body: Body, contact: Contact, rng) -> None:
    """The lips on it, eyes shut."""
    upright(body, rng)
    body.face.eyes = "shut"
    body.face.mouth = "kiss"
    body.face.tilt = 0.05

    # The lips, in head radii.
    bring(body, contact, 1.0 + 0.46j, 0.015, rng)
    grasp(body, contact, rng, behind, 1.0)


def throw(body: Body, contact: Contact, rng) -> None:
    """Wide stance, leaning back, the object in a raised fist, the other arm out behind."""
    lunge(body, rng)
    trunk(body, rng.normal(-0.12, 0.03))
    keep_off(body, contact, 0.02)
    body.face.gaze = 1 + 0j

    # Elbows up: the arm is about to swing.
    body.reach(1, contact.grip("hand"), "fist", -1.0)
    body.reach(0, body.shoulder(0) + complex(-0.26, -0.02), "open", -1.0)


def catch(body: Body, contact: Contact, rng) -> None:
    """Wide stance, open hands close to the object without touching it, the eyes on it."""
    lunge(body, rng)
    trunk(body, rng.normal(0.12, 0.04))
    keep_off(body, contact, 0.05)
    look_at(body, contact.place)

    # A gap: hands that touch it would hold it.
    gap = rng.uniform(0.04, 0.06)
    for side, direction in ((0, 0.35 + 1j), (1, -1 + 0.5j)):
        edge = contact.edge(contact.place + direction)
        outward = (edge - contact.place) / max(abs(edge - contact.place), 1e-6)
        body.reach(side, edge + outward * gap, "open")


def swing(body: Body, contact: Contact, rng) -> None:
    """Wide stance, both hands on the handle, the eyes ahead."""
    lunge(body, rng)
    trunk(body, rng.normal(0.15, 0.04))
    keep_off(body, contact, 0.03)
    body.face.gaze = 1 + 0.2j

    # Elbows down, where wield has them up.
    body.reach(0, contact.grip("second"))
    body.reach(1, contact.grip("hand"))


def wield(body: Body, contact: Contact, rng) -> None:
    """Both hands on the handle, elbows up, the mouth open."""
    upright(body, rng, 0.1, -0.08)
    keep_off(body, contact, 0.03)
    body.face.gaze = 1 + 0j
    body.face.eyes = "wide"
    body.face.mouth = "open"
    body.reach(0, contact.grip("second"), "fist", -1.0)
    body.reach(1, contact.grip("hand"), "fist", -1.0)


def near(body: Body, contact: Contact, rng) -> None:
    """no_interaction: beside it, hands off, eyes elsewhere."""
    upright(body, rng)

    # As hold, but without a hand.
    keep_off(body, contact, 0.045)
    look_away(body, contact.place, rng)
    for side in (0, 1):
        pose_arm = hang if rng.random() < 0.75 else behind
        pose_arm(body, side, rng)

        # A hand that would touch it by chance moves behind the hip.
        hand = body.hand[side]
        if abs(hand - contact.place) < abs(contact.edge(hand) - contact.place) + 0.05:
            body.reach(side, body.hip_joint(side) + (-0.12 - 0.05j), "rest")
