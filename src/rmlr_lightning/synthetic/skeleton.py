"""An articulated person: joints in body units (standing height 1, y down, soles at 0), facing +x; two-bone reach."""

import cmath
from dataclasses import dataclass, field

HEAD = 0.108  # head radius: cartoon proportions, about 1/5 of the height
UPPER_ARM, LOWER_ARM, HAND = 0.165, 0.155, 0.036
THIGH, SHIN = 0.225, 0.215
SHOULDERS = (0.075 + 0.005j, -0.075 + 0j)  # far, near: a three-quarter view
HIPS = (0.035 + 0j, -0.035 + 0j)
MOUTH, NOSE, EAR = (
    0.80 + 0.50j,
    1.05 + 0.12j,
    -0.18 + 0.05j,
)  # in head radii; the front of the face, for contact


@dataclass
class Face:
    """What the head tells: where it turns, where the eyes look, what the mouth does."""

    turn: float = 1.0  # 1: towards the facing side, -1: back over the shoulder
    tilt: float = 0.0  # radians, positive: chin down
    gaze: complex = 1 + 0j  # direction of the eyes in body axes
    mouth: str = "closed"  # closed | open | kiss | smile
    eyes: str = "open"  # open | shut | wide


@dataclass
class Body:
    """Joints as complex points. Index 0 is the far side (drawn first), 1 the near one."""

    hip: complex = -0.46j
    neck: complex = -0.775j
    head: complex = 0.015 - 0.89j
    elbow: list[complex] = field(default_factory=lambda: [0j, 0j])
    hand: list[complex] = field(default_factory=lambda: [0j, 0j])
    grip: list[str] = field(default_factory=lambda: ["rest", "rest"])  # rest | fist | open | flat
    knee: list[complex] = field(default_factory=lambda: [0j, 0j])
    foot: list[complex] = field(default_factory=lambda: [0j, 0j])
    toe: list[complex] = field(default_factory=lambda: [0.05 + 0.012j, 0.05 + 0.012j])
    face: Face = field(default_factory=Face)
    posture: str = "stand"  # stand | walk | sit | crouch | lie | other
    head_free: bool = True  # no part of the face has to touch something
    settled: bool = False  # legs and trunk are set by another verb already; hands and head are free
    straps: bool = False  # of a worn backpack
    leash: complex | None = None  # a line from the near hand to here
    crumb: complex | None = None  # food offered in the near hand

    def shoulder(self, side: int) -> complex:
        return self.neck + 0.025j + SHOULDERS[side] * (1 if abs(self.spine.real) < 0.7 else 0.5)

    def hip_joint(self, side: int) -> complex:
        return self.hip + HIPS[side]

    @property
    def spine(self) -> complex:
        """Unit vector from hip to neck."""
        d = self.neck - self.hip
        return d / max(abs(d), 1e-6)

    def reach(self, side: int, target: complex, grip: str = "fist", bend: float = 1.0) -> None:
        """Put a hand on the target; `bend` 1 lets the elbow hang, -1 lifts it."""
        self.elbow[side], self.hand[side] = two_bones(
            self.shoulder(side), target, UPPER_ARM, LOWER_ARM, bend
        )
        self.grip[side] = grip

    def step(self, side: int, target: complex, bend: float = -1.0) -> None:
        """Put a foot (ankle) on the target; the knee points to the facing side."""
        self.knee[side], self.foot[side] = two_bones(
            self.hip_joint(side), target, THIGH, SHIN, bend
        )

    def move_head(self, to: complex, most: float = 0.13) -> None:
        """Shift the head towards a place, as far as a neck goes."""
        away = to - self.head
        step = away if abs(away) <= most else away / abs(away) * most
        self.head += step
        self.neck += 0.3 * step

    def mouth_at(self) -> complex:
        return self.feature(MOUTH)

    def feature(self, point: complex) -> complex:
        """A point of the face (head radii) in body axes."""
        if self.face.turn < 0:
            point = complex(-point.real, point.imag)
        tilt = self.face.tilt if self.face.turn >= 0 else -self.face.tilt
        return self.head + HEAD * point * cmath.exp(1j * tilt)

    def points(self) -> list[tuple[complex, float]]:
        """Joints with the radius of what is drawn around them, for the extent."""
        out = [(self.head - 0.012j, HEAD + 0.012), (self.hip, 0.06), (self.neck, 0.05)]
        out += [(p, 0.034) for p in self.elbow] + [(p, HAND) for p in self.hand]
        out += [(p, 0.042) for p in self.knee] + [(p + 0.01, 0.045) for p in self.foot]
        return out

    def box(self) -> tuple[float, float, float, float]:
        points = self.points()
        return (
            min([p.real - r for p, r in points]),  # lists: this is called ten thousands of times
            min([p.imag - r for p, r in points]),
            max([p.real + r for p, r in points]),
            max([p.imag + r for p, r in points]),
        )

    def map(self, function) -> None:
        """Move all joints."""
        for name in ("hip", "neck", "head"):
            setattr(self, name, function(getattr(self, name)))
        for name in ("elbow", "hand", "knee", "foot"):
            setattr(self, name, [function(p) for p in getattr(self, name)])
        self.leash = None if self.leash is None else function(self.leash)
        self.crumb = None if self.crumb is None else function(self.crumb)


def two_bones(
    root: complex, target: complex, first: float, second: float, bend: float
) -> tuple[complex, complex]:
    """Joint and end of a two-bone limb that reaches for the target; bones stretch a little, then it stops short."""
    away = target - root
    far = max(abs(away), 1e-4)
    stretch = min(max(far / (0.995 * (first + second)), 1.0), 1.3)
    first, second = first * stretch, second * stretch
    length = min(far, 0.995 * (first + second))
    length = max(length, abs(first - second) + 1e-3)
    along = away / far
    x = (first**2 - second**2 + length**2) / (2 * length)
    y = max(first**2 - x**2, 0.0) ** 0.5
    return root + along * (x + 1j * bend * y), root + along * length
