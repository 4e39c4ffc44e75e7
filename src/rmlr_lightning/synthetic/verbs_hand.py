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


def hold(b: Body, c: Contact, rng) -> None:
    """In a fist, the eyes elsewhere."""
    upright(b, rng)
    keep_off(b, c, 0.035)
    look_away(b, c.place, rng)
    grasp(b, c, rng, hang)


def carry(b: Body, c: Contact, rng) -> None:
    """Walking with it: in a fist, or on flat hands."""
    stride(b, rng)
    trunk(b, rng.normal(0.1, 0.03))
    keep_off(b, c, 0.035)
    b.face.turn = 1.0
    b.face.gaze = complex(1, rng.uniform(-0.1, 0.1))

    if c.held:
        grasp(b, c, rng, swung)
    else:
        b.reach(0, c.grip("right"), "flat")
        b.reach(1, c.grip("left"), "flat")


def eat(b: Body, c: Contact, rng) -> None:
    """The object at the open mouth."""
    upright(b, rng)
    b.face.mouth = "open"
    b.face.tilt = rng.normal(0.05, 0.05)
    b.face.gaze = 1 + 0.6j
    bring(b, c, MOUTH, 0.035, rng)
    grasp(b, c, rng, akimbo)


def drink_with(b: Body, c: Contact, rng) -> None:
    """The top of the object at the open mouth, chin and elbow up."""
    upright(b, rng, 0.05, -0.12)
    b.face.mouth = "open"
    b.face.tilt = -0.3 + rng.normal(0, 0.08)
    b.face.gaze = 1 - 0.5j
    b.face.turn = 1.0
    b.head_free = False

    # Not to the pixel: cups differ, and a mouth meets the rim anywhere.
    top = c.grip("top") + complex(rng.uniform(-0.02, 0.02), rng.uniform(-0.01, 0.03))
    b.move_head(b.head + top - b.mouth_at(), 0.2)
    grasp(b, c, rng, akimbo, bend=-1.0)


def smell(b: Body, c: Contact, rng) -> None:
    """The nose at the object, eyes shut."""
    bent(b, rng, 0.2)
    b.face.eyes = "shut"
    b.face.tilt = 0.25 + rng.normal(0, 0.06)
    bring(b, c, NOSE, 0.01, rng)
    grasp(b, c, rng, behind)


def inspect(b: Body, c: Contact, rng) -> None:
    """Bent towards it, eyes wide, a hand on the knee."""
    bent(b, rng, 0.2)
    b.face.eyes = "wide"
    keep_off(b, c, rng.uniform(0.03, 0.06))
    look_at(b, c.place)
    grasp(b, c, rng, behind, side=0)
    b.reach(1, b.knee[1] + (0.0 - 0.05j), "flat")


def read(b: Body, c: Contact, rng) -> None:
    """The eyes on it, chin down; both hands on it where it is held."""
    upright(b, rng)
    keep_off(b, c, 0.05)
    look_at(b, c.place)
    b.face.tilt += 0.15
    grasp(b, c, rng, behind, 1.0)


def text_on(b: Body, c: Contact, rng) -> None:
    """One hand grips it, the other is on the screen; the eyes on it."""
    upright(b, rng, 0.05, 0.08)
    keep_off(b, c, 0.05)
    look_at(b, c.place)
    b.face.tilt += 0.15
    b.reach(0, c.grip("right"))
    b.reach(1, c.grip("screen"), "open")


def talk_on(b: Body, c: Contact, rng) -> None:
    """The ear at the phone, so that the face looks away from it."""
    upright(b, rng)
    b.face.turn = -1.0
    b.face.gaze = complex(-1, rng.uniform(-0.3, 0.2))
    b.face.mouth = "open"
    b.head_free = False

    ear = b.feature(-0.55 + 0.1j)
    spot = b.head + c.place + complex(0, rng.uniform(-0.04, 0.04))
    b.move_head(spot - ear, 0.2)
    b.reach(0, c.grip("hand"), "fist")
    waved(b, 1, rng)


def open_up(b: Body, c: Contact, rng) -> None:
    """One hand below, the other pulls at the top."""
    upright(b, rng, 0.09)
    keep_off(b, c, 0.03)
    look_at(b, c.place)
    b.reach(0, c.grip("hand"), "flat")
    b.reach(1, c.grip("top") - 0.03j, "fist", -1.0)


def type_on(b: Body, c: Contact, rng) -> None:
    """Both hands on the keys, the eyes on it."""
    bent(b, rng, 0.12)
    keep_off(b, c, 0.03)
    look_at(b, c.place)
    b.reach(0, c.grip("keys_far"), "open")
    b.reach(1, c.grip("keys"), "open")


def hug(b: Body, c: Contact, rng) -> None:
    """Both arms around it, the cheek on it, eyes shut."""
    upright(b, rng)
    b.face.eyes = "shut"
    b.face.mouth = "smile"
    b.face.tilt = 0.3
    bring(b, c, 0.75 + 0.65j, 0.03, rng)

    half = c.kind.half
    b.reach(0, c.point(complex(half.real * 0.4, half.imag * 0.35)), "flat")
    b.reach(1, c.point(complex(half.real * 0.3, -half.imag * 0.1)), "flat")


def kiss(b: Body, c: Contact, rng) -> None:
    """The lips on it, eyes shut."""
    upright(b, rng)
    b.face.eyes = "shut"
    b.face.mouth = "kiss"
    b.face.tilt = 0.05
    bring(b, c, 1.0 + 0.46j, 0.015, rng)
    grasp(b, c, rng, behind, 1.0)


def throw(b: Body, c: Contact, rng) -> None:
    """Wide stance, leaning back, the object in a raised fist, the other arm out behind."""
    lunge(b, rng)
    trunk(b, rng.normal(-0.12, 0.03))
    keep_off(b, c, 0.02)
    b.face.gaze = 1 + 0j
    b.reach(1, c.grip("hand"), "fist", -1.0)
    b.reach(0, b.shoulder(0) + complex(-0.26, -0.02), "open", -1.0)


def catch(b: Body, c: Contact, rng) -> None:
    """Wide stance, open hands close to the object without touching it, the eyes on it."""
    lunge(b, rng)
    trunk(b, rng.normal(0.12, 0.04))
    keep_off(b, c, 0.05)
    look_at(b, c.place)

    gap = rng.uniform(0.04, 0.06)
    for side, direction in ((0, 0.35 + 1j), (1, -1 + 0.5j)):
        edge = c.edge(c.place + direction)
        outward = (edge - c.place) / max(abs(edge - c.place), 1e-6)
        b.reach(side, edge + outward * gap, "open")


def swing(b: Body, c: Contact, rng) -> None:
    """Wide stance, both hands on the handle, the eyes ahead."""
    lunge(b, rng)
    trunk(b, rng.normal(0.15, 0.04))
    keep_off(b, c, 0.03)
    b.face.gaze = 1 + 0.2j
    b.reach(0, c.grip("second"))
    b.reach(1, c.grip("hand"))


def wield(b: Body, c: Contact, rng) -> None:
    """Both hands on the handle, elbows up, the mouth open."""
    upright(b, rng, 0.1, -0.08)
    keep_off(b, c, 0.03)
    b.face.gaze = 1 + 0j
    b.face.eyes = "wide"
    b.face.mouth = "open"
    b.reach(0, c.grip("second"), "fist", -1.0)
    b.reach(1, c.grip("hand"), "fist", -1.0)


def near(b: Body, c: Contact, rng) -> None:
    """no_interaction: beside it, hands off, eyes elsewhere."""
    upright(b, rng)
    keep_off(b, c, 0.045)
    look_away(b, c.place, rng)
    for side in (0, 1):
        pose_arm = hang if rng.random() < 0.75 else behind
        pose_arm(b, side, rng)

        # A hand that would touch it by chance moves behind the hip.
        hand = b.hand[side]
        if abs(hand - c.place) < abs(c.edge(hand) - c.place) + 0.05:
            b.reach(side, b.hip_joint(side) + (-0.12 - 0.05j), "rest")
