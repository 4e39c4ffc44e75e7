"""Stances and looks: legs, trunk and gaze, the part of a pose that verbs share.

Each function moves a body in place, in body units. Legs and trunk of a settled body, posed by an
earlier act, stay as they are.
"""

import cmath
import math

from rmlr_lightning.synthetic.skeleton import Body

# The y of an ankle whose sole is on the ground.
SOLE = -0.032


def trunk(body: Body, lean: float = 0.0, nod: float = 0.5) -> None:
    """Neck and head over the hip.

    `lean` is in radians towards the facing side; the head leans by the share `nod` of it.
    """
    if body.settled:
        return

    up = -math.pi / 2
    body.neck = body.hip + 0.315 * cmath.exp(1j * (lean + up))
    body.head = body.neck + 0.115 * cmath.exp(1j * (lean * nod + up)) + 0.014


def stand(body: Body, rng, width: float = 0.05) -> None:
    """Upright on both feet, each about `width` beside the hip."""
    if body.settled:
        return

    body.hip = complex(rng.normal(0, 0.012), -0.455 + rng.normal(0, 0.006))
    width += abs(rng.normal(0, 0.015))
    body.step(0, complex(body.hip.real + width, SOLE - 0.012))
    body.step(1, complex(body.hip.real - width, SOLE))


def upright(body: Body, rng, width: float = 0.05, lean: float = 0.02) -> None:
    """Standing, the trunk almost straight."""
    stand(body, rng, width)
    trunk(body, rng.normal(lean, 0.03))


def bent(body: Body, rng, lean: float) -> None:
    """Knees soft, trunk forward: attentive."""
    stand(body, rng, 0.07)

    # Hips back and down; the feet stay.
    if not body.settled:
        body.hip += complex(-0.05, 0.05)
        body.step(0, body.foot[0])
        body.step(1, body.foot[1])
    trunk(body, rng.normal(lean, 0.03), 0.7)


def stride(body: Body, rng) -> None:
    """Walking: one foot ahead, the other behind on its toes."""
    if body.settled:
        return

    body.hip = complex(rng.normal(0, 0.012), -0.445)
    body.posture = "walk"
    length = rng.uniform(0.13, 0.19)
    front = int(rng.integers(2))
    back = 1 - front

    # The heel is up: a wide stance alone does not look like a step.
    body.step(front, complex(length, SOLE - 0.01))
    body.step(back, complex(-length, SOLE - rng.uniform(0.08, 0.12)))
    body.toe[back] = 0.014 + 0.05j


def lunge(body: Body, rng) -> None:
    """Wide and low, as to hit or to push off."""
    if body.settled:
        return

    # Deeper than in a stride.
    body.hip = complex(rng.normal(0, 0.012), -0.40)
    width = rng.uniform(0.17, 0.22)
    body.step(0, complex(width, SOLE - 0.012))
    body.step(1, complex(-width, SOLE))


def sit(body: Body, seat: complex, floor: float, rng) -> None:
    """Hips on the seat, knees forward, feet down to `floor` (its y)."""
    if body.settled:
        return

    body.posture = "sit"
    body.hip = seat - 0.045j

    # The far knee is a little ahead, so that both are visible.
    for side, dx in ((0, 0.04), (1, 0.0)):
        out = 0.19 + dx + rng.normal(0, 0.012)
        body.knee[side] = body.hip_joint(side) + complex(out, 0.012 - 0.02 * side)

        # A shin is not longer than this, even where the floor is deeper.
        drop = min(floor + SOLE - body.knee[side].imag, 0.27)
        body.foot[side] = body.knee[side] + complex(rng.normal(0.01, 0.02), max(drop, 0.12))


def look_ahead(body: Body, rng, smile: float = 0.5) -> None:
    """Head and eyes to the facing side; the mouth smiles with probability `smile`."""
    body.face.turn = 1.0
    body.face.gaze = complex(1, rng.uniform(-0.2, 0.3))
    body.face.mouth = "smile" if rng.random() < smile else "closed"


def look_at(body: Body, target: complex) -> None:
    """Head and eyes towards a point; the chin follows by about half."""
    away = target - body.head
    body.face.turn = 1.0 if away.real > -0.05 else -1.0
    body.face.gaze = away

    # The neck turns by about half, the eyes by the rest.
    pitch = math.atan2(away.imag, max(abs(away.real), 0.04))
    body.face.tilt = max(-0.45, min(0.6, 0.55 * pitch))


def look_away(body: Body, target: complex, rng) -> None:
    """Head and eyes anywhere but towards a point."""
    if rng.random() < 0.5:
        # Over the shoulder.
        body.face.turn = -1.0
        body.face.gaze = complex(-1, rng.uniform(-0.4, 0.2))
    elif target.imag > body.head.imag + 0.1:
        # Up, from an object below.
        body.face.turn = 1.0
        body.face.gaze = complex(1, rng.uniform(-0.7, -0.2))
        body.face.tilt = -0.2
    else:
        # Down, from an object at the height of the face.
        body.face.turn = 1.0
        body.face.gaze = complex(rng.uniform(-0.3, 0.3), 1)
        body.face.tilt = 0.1

    body.face.mouth = "smile" if rng.random() < 0.4 else "closed"
