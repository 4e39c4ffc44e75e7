"""Stances and looks: legs, trunk and gaze, the part of a pose that verbs share.

Each function moves a body in place, in body units. Legs and trunk of a settled body, posed by an
earlier act, stay as they are.
"""

import cmath
import math

from rmlr_lightning.synthetic.skeleton import Body

# The y of an ankle whose sole is on the ground.
SOLE = -0.032


def trunk(b: Body, lean: float = 0.0, nod: float = 0.5) -> None:
    """Neck and head over the hip.

    `lean` is in radians towards the facing side; the head leans by the share `nod` of it.
    """
    if b.settled:
        return

    up = -math.pi / 2
    b.neck = b.hip + 0.315 * cmath.exp(1j * (lean + up))
    b.head = b.neck + 0.115 * cmath.exp(1j * (lean * nod + up)) + 0.014


def stand(b: Body, rng, width: float = 0.05) -> None:
    """Upright on both feet, each about `width` beside the hip."""
    if b.settled:
        return

    b.hip = complex(rng.normal(0, 0.012), -0.455 + rng.normal(0, 0.006))
    width += abs(rng.normal(0, 0.015))
    b.step(0, complex(b.hip.real + width, SOLE - 0.012))
    b.step(1, complex(b.hip.real - width, SOLE))


def upright(b: Body, rng, width: float = 0.05, lean: float = 0.02) -> None:
    """Standing, the trunk almost straight."""
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


def stride(b: Body, rng) -> None:
    """Walking: one foot ahead, the other behind on its toes."""
    if b.settled:
        return

    b.hip = complex(rng.normal(0, 0.012), -0.445)
    b.posture = "walk"
    length = rng.uniform(0.13, 0.19)
    front = int(rng.integers(2))
    back = 1 - front

    # The heel is up: a wide stance alone does not look like a step.
    b.step(front, complex(length, SOLE - 0.01))
    b.step(back, complex(-length, SOLE - rng.uniform(0.08, 0.12)))
    b.toe[back] = 0.014 + 0.05j


def lunge(b: Body, rng) -> None:
    """Wide and low, as to hit or to push off."""
    if b.settled:
        return

    b.hip = complex(rng.normal(0, 0.012), -0.40)
    width = rng.uniform(0.17, 0.22)
    b.step(0, complex(width, SOLE - 0.012))
    b.step(1, complex(-width, SOLE))


def sit(b: Body, seat: complex, floor: float, rng) -> None:
    """Hips on the seat, knees forward, feet down to `floor` (its y)."""
    if b.settled:
        return

    b.posture = "sit"
    b.hip = seat - 0.045j
    for side, dx in ((0, 0.04), (1, 0.0)):
        out = 0.19 + dx + rng.normal(0, 0.012)
        b.knee[side] = b.hip_joint(side) + complex(out, 0.012 - 0.02 * side)

        # A shin is not longer than this, even where the floor is deeper.
        drop = min(floor + SOLE - b.knee[side].imag, 0.27)
        b.foot[side] = b.knee[side] + complex(rng.normal(0.01, 0.02), max(drop, 0.12))


def look_ahead(b: Body, rng, smile: float = 0.5) -> None:
    """Head and eyes to the facing side; the mouth smiles with probability `smile`."""
    b.face.turn = 1.0
    b.face.gaze = complex(1, rng.uniform(-0.2, 0.3))
    b.face.mouth = "smile" if rng.random() < smile else "closed"


def look_at(b: Body, target: complex) -> None:
    """Head and eyes towards a point; the chin follows by about half."""
    away = target - b.head
    b.face.turn = 1.0 if away.real > -0.05 else -1.0
    b.face.gaze = away
    pitch = math.atan2(away.imag, max(abs(away.real), 0.04))
    b.face.tilt = max(-0.45, min(0.6, 0.55 * pitch))


def look_away(b: Body, target: complex, rng) -> None:
    """Head and eyes anywhere but towards a point."""
    if rng.random() < 0.5:
        # Over the shoulder.
        b.face.turn = -1.0
        b.face.gaze = complex(-1, rng.uniform(-0.4, 0.2))
    elif target.imag > b.head.imag + 0.1:
        # Up, from an object below.
        b.face.turn = 1.0
        b.face.gaze = complex(1, rng.uniform(-0.7, -0.2))
        b.face.tilt = -0.2
    else:
        # Down, from an object at the height of the face.
        b.face.turn = 1.0
        b.face.gaze = complex(rng.uniform(-0.3, 0.3), 1)
        b.face.tilt = 0.1

    b.face.mouth = "smile" if rng.random() < 0.4 else "closed"
