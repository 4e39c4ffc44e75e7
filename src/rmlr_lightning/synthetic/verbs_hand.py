"""Poses of verbs on things one holds. One function a verb, shared by all its objects, so that it looks alike on each.

Each takes (body, contact, rng) and poses the body around the object, which stays where it is.
"""

import cmath
import math

from rmlr_lightning.synthetic.objects import Contact
from rmlr_lightning.synthetic.skeleton import HEAD, MOUTH, NOSE, Body
from rmlr_lightning.synthetic.stances import look_at, look_away, lunge, stand, stride, trunk


def upright(b: Body, rng, width: float = 0.05, lean: float = 0.02) -> None:
    stand(b, rng, width)
    trunk(b, rng.normal(lean, 0.03))


def bent(b: Body, rng, lean: float) -> None:
    """Knees soft, trunk forward: attentive."""
    stand(b, rng, 0.07)
    if not b.settled:
        b.hip += complex(-0.05, 0.05)
        b.step(0, b.foot[0])
        b.step(1, b.foot[1])
    trunk(b, rng.normal(lean, 0.03), 0.7)


def keep_off(b: Body, c: Contact, gap: float) -> None:
    """Draw the head back until it is `gap` away from the object."""
    away = b.head - c.place
    short = HEAD + gap + abs(c.edge(b.head) - c.place) - abs(away)
    if short > 0:
        b.head += away / max(abs(away), 1e-6) * min(short, 0.11)


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
    """The hands that hold it; `free` says what an arm without a task does. Without `held` no hand comes near."""
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
    """Move the head until a part of the face meets the object's outline, somewhere on its near side."""
    b.face.turn, b.head_free = 1.0, False
    spot = c.edge(c.place + cmath.exp(1j * (math.pi + rng.uniform(-1.0, 1.0))), depth)
    b.move_head(b.head + spot - b.feature(feature), 0.2)


def hold(b: Body, c: Contact, rng) -> None:
    upright(b, rng)
    keep_off(b, c, 0.035)
    look_away(b, c.place, rng)
    grasp(b, c, rng, hang)


def carry(b: Body, c: Contact, rng) -> None:
    """Walking with it: in a fist, or on flat hands."""
    stride(b, rng)
    trunk(b, rng.normal(0.1, 0.03))
    keep_off(b, c, 0.035)
    b.face.turn, b.face.gaze = 1.0, complex(1, rng.uniform(-0.1, 0.1))
    if c.held:
        grasp(b, c, rng, swung)
    else:
        b.reach(0, c.grip("right"), "flat")
        b.reach(1, c.grip("left"), "flat")


def eat(b: Body, c: Contact, rng) -> None:
    upright(b, rng)
    b.face.mouth, b.face.tilt, b.face.gaze = "open", rng.normal(0.05, 0.05), 1 + 0.6j
    bring(b, c, MOUTH, 0.035, rng)
    grasp(b, c, rng, akimbo)


def drink_with(b: Body, c: Contact, rng) -> None:
    upright(b, rng, 0.05, -0.12)
    b.face.mouth, b.face.tilt, b.face.gaze = "open", -0.3 + rng.normal(0, 0.08), 1 - 0.5j
    b.face.turn, b.head_free = 1.0, False
    top = c.grip("top") + complex(rng.uniform(-0.02, 0.02), rng.uniform(-0.01, 0.03))
    b.move_head(b.head + top - b.mouth_at(), 0.2)
    grasp(b, c, rng, akimbo, bend=-1.0)


def smell(b: Body, c: Contact, rng) -> None:
    bent(b, rng, 0.2)
    b.face.eyes, b.face.tilt = "shut", 0.25 + rng.normal(0, 0.06)
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
    upright(b, rng)
    keep_off(b, c, 0.05)
    look_at(b, c.place)
    b.face.tilt += 0.15
    grasp(b, c, rng, behind, 1.0)


def text_on(b: Body, c: Contact, rng) -> None:
    upright(b, rng, 0.05, 0.08)
    keep_off(b, c, 0.05)
    look_at(b, c.place)
    b.face.tilt += 0.15
    b.reach(0, c.grip("right"))
    b.reach(1, c.grip("screen"), "open")


def talk_on(b: Body, c: Contact, rng) -> None:
    upright(b, rng)
    b.face.turn, b.face.gaze, b.face.mouth = -1.0, complex(-1, rng.uniform(-0.3, 0.2)), "open"
    b.head_free = False
    ear = b.feature(-0.55 + 0.1j)
    b.move_head(b.head + c.place + complex(0, rng.uniform(-0.04, 0.04)) - ear, 0.2)
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
    bent(b, rng, 0.12)
    keep_off(b, c, 0.03)
    look_at(b, c.place)
    b.reach(0, c.grip("keys_far"), "open")
    b.reach(1, c.grip("keys"), "open")


def hug(b: Body, c: Contact, rng) -> None:
    upright(b, rng)
    b.face.eyes, b.face.mouth, b.face.tilt = "shut", "smile", 0.3
    bring(b, c, 0.75 + 0.65j, 0.03, rng)
    b.reach(0, c.point(complex(c.kind.half.real * 0.4, c.kind.half.imag * 0.35)), "flat")
    b.reach(1, c.point(complex(c.kind.half.real * 0.3, -c.kind.half.imag * 0.1)), "flat")


def kiss(b: Body, c: Contact, rng) -> None:
    upright(b, rng)
    b.face.eyes, b.face.mouth, b.face.tilt = "shut", "kiss", 0.05
    bring(b, c, 1.0 + 0.46j, 0.015, rng)
    grasp(b, c, rng, behind, 1.0)


def throw(b: Body, c: Contact, rng) -> None:
    lunge(b, rng)
    trunk(b, rng.normal(-0.12, 0.03))
    keep_off(b, c, 0.02)
    b.face.gaze = 1 + 0j
    b.reach(1, c.grip("hand"), "fist", -1.0)
    b.reach(0, b.shoulder(0) + complex(-0.26, -0.02), "open", -1.0)


def catch(b: Body, c: Contact, rng) -> None:
    lunge(b, rng)
    trunk(b, rng.normal(0.12, 0.04))
    keep_off(b, c, 0.05)
    look_at(b, c.place)
    gap = rng.uniform(0.04, 0.06)
    for side, d in ((0, 0.35 + 1j), (1, -1 + 0.5j)):
        edge = c.edge(c.place + d)
        b.reach(side, edge + (edge - c.place) / max(abs(edge - c.place), 1e-6) * gap, "open")


def swing(b: Body, c: Contact, rng) -> None:
    lunge(b, rng)
    trunk(b, rng.normal(0.15, 0.04))
    keep_off(b, c, 0.03)
    b.face.gaze = 1 + 0.2j
    b.reach(0, c.grip("second"))
    b.reach(1, c.grip("hand"))


def wield(b: Body, c: Contact, rng) -> None:
    upright(b, rng, 0.1, -0.08)
    keep_off(b, c, 0.03)
    b.face.gaze, b.face.eyes, b.face.mouth = 1 + 0j, "wide", "open"
    b.reach(0, c.grip("second"), "fist", -1.0)
    b.reach(1, c.grip("hand"), "fist", -1.0)


def near(b: Body, c: Contact, rng) -> None:
    """no_interaction: beside it, hands off, eyes elsewhere."""
    upright(b, rng)
    keep_off(b, c, 0.045)
    look_away(b, c.place, rng)
    for side in (0, 1):
        (hang if rng.random() < 0.75 else behind)(b, side, rng)
        if (
            abs(b.hand[side] - c.place) < abs(c.edge(b.hand[side]) - c.place) + 0.05
        ):  # must not touch it by chance
            b.reach(side, b.hip_joint(side) + (-0.12 - 0.05j), "rest")
