"""What legs, trunk and idle arms do: the part of a pose that verbs share."""

import cmath
import math

from rmlr_lightning.synthetic.chance import weighted
from rmlr_lightning.synthetic.skeleton import Body

SOLE = -0.032  # an ankle above the ground


def trunk(b: Body, lean: float = 0.0, nod: float = 0.5) -> None:
    """Neck and head over the hip; `lean` in radians towards the facing side, the head follows by `nod`."""
    if b.settled:
        return
    b.neck = b.hip + 0.315 * cmath.exp(1j * (lean - math.pi / 2))
    b.head = b.neck + 0.115 * cmath.exp(1j * (lean * nod - math.pi / 2)) + 0.014


def stand(b: Body, rng, width: float = 0.05) -> None:
    if b.settled:
        return
    b.hip = complex(rng.normal(0, 0.012), -0.455 + rng.normal(0, 0.006))
    w = width + abs(rng.normal(0, 0.015))
    b.step(0, complex(b.hip.real + w, SOLE - 0.012))
    b.step(1, complex(b.hip.real - w, SOLE))


def stride(b: Body, rng) -> None:
    if b.settled:
        return
    b.hip = complex(rng.normal(0, 0.012), -0.445)
    b.posture = "walk"
    s = rng.uniform(0.13, 0.19)
    front = int(rng.integers(2))
    b.step(front, complex(s, SOLE - 0.01))
    b.step(
        1 - front, complex(-s, SOLE - rng.uniform(0.08, 0.12))
    )  # the heel up: a wide stance alone is no step
    b.toe[1 - front] = 0.014 + 0.05j


def lunge(b: Body, rng) -> None:
    """Wide and low, as to hit or to push off."""
    if b.settled:
        return
    b.hip = complex(rng.normal(0, 0.012), -0.40)
    w = rng.uniform(0.17, 0.22)
    b.step(0, complex(w, SOLE - 0.012))
    b.step(1, complex(-w, SOLE))


def sit(b: Body, seat: complex, floor: float, rng) -> None:
    """Hips on the seat, knees forward, feet down to `floor`."""
    if b.settled:
        return
    b.posture = "sit"
    b.hip = seat - 0.045j
    for side, dx in ((0, 0.04), (1, 0.0)):
        out = 0.19 + dx + rng.normal(0, 0.012)
        b.knee[side] = b.hip_joint(side) + complex(out, 0.012 - 0.02 * side)
        drop = min(floor + SOLE - b.knee[side].imag, 0.27)
        b.foot[side] = b.knee[side] + complex(rng.normal(0.01, 0.02), max(drop, 0.12))


def idle(b: Body, side: int, rng) -> None:
    """An arm without a task: hangs, on the hip, behind the back, or half bent."""
    way = weighted(rng, (0.5, 0.2, 0.15, 0.15))
    hip = b.hip_joint(side)
    down = -b.spine
    place = (
        b.shoulder(side) + down * 0.30 + complex(rng.normal(-0.02, 0.03), 0.0),
        hip + complex(-0.06, -0.04),
        hip + complex(-0.12, -0.06),
        hip + complex(0.07, -0.11),
    )[way]
    b.reach(side, place, "rest")


def look_at(b: Body, target: complex) -> None:
    """Head and eyes towards a point: the chin follows by half."""
    away = target - b.head
    b.face.turn = 1.0 if away.real > -0.05 else -1.0
    b.face.gaze = away
    pitch = math.atan2(away.imag, max(abs(away.real), 0.04))
    b.face.tilt = max(-0.45, min(0.6, 0.55 * pitch))


def look_away(b: Body, target: complex, rng) -> None:
    """Head and eyes anywhere but towards a point."""
    if rng.random() < 0.5:
        b.face.turn, b.face.gaze = -1.0, complex(-1, rng.uniform(-0.4, 0.2))
    elif target.imag > b.head.imag + 0.1:
        b.face.turn, b.face.gaze = 1.0, complex(1, rng.uniform(-0.7, -0.2))
        b.face.tilt = -0.2
    else:
        b.face.turn, b.face.gaze = 1.0, complex(rng.uniform(-0.3, 0.3), 1)
        b.face.tilt = 0.1
    b.face.mouth = "smile" if rng.random() < 0.4 else "closed"
