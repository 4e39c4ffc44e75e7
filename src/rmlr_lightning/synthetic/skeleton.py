"""An articulated person in body units: standing height 1, y down, soles at 0, facing +x."""

import cmath
from dataclasses import dataclass, field

# Cartoon proportions: the head is about a fifth of the height, so that faces can be read.
HEAD = 0.108  # radius
UPPER_ARM, LOWER_ARM = 0.165, 0.155
HAND = 0.036  # radius
THIGH, SHIN = 0.225, 0.215

# Far and near side, seen in a three-quarter view.
SHOULDERS = (0.075 + 0.005j, -0.075 + 0j)
HIPS = (0.035 + 0j, -0.035 + 0j)

# Parts of the face that can touch an object, in head radii from the centre of the head.
MOUTH = 0.80 + 0.50j
NOSE = 1.05 + 0.12j


@dataclass
class Face:
    """State of the head: its direction, the gaze, the mouth and the eyes."""

    turn: float = 1.0  # 1: towards the facing side, -1: back over the shoulder
    tilt: float = 0.0  # radians, positive: chin down
    gaze: complex = 1 + 0j  # direction of the eyes in body axes
    mouth: str = "closed"  # closed | open | kiss | smile
    eyes: str = "open"  # open | shut | wide


@dataclass
class Body:
    """Joints as complex points. Index 0 of a pair is the far side (drawn first), 1 the near one."""

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
    head_free: bool = True  # no part of the face has to touch an object
    settled: bool = False  # legs and trunk are set by an earlier act; hands and head are free
    straps: bool = False  # of a worn backpack
    leash: complex | None = None  # end of a line from the near hand
    crumb: complex | None = None  # food offered in the near hand

    def shoulder(self, side: int) -> complex:
        """A shoulder joint; of a trunk that lies, both are nearer to the neck."""
        spread = 1 if abs(self.spine.real) < 0.7 else 0.5
        return self.neck + 0.025j + SHOULDERS[side] * spread

    def hip_joint(self, side: int) -> complex:
        """Where a leg begins."""
        return self.hip + HIPS[side]

    @property
    def spine(self) -> complex:
        """Unit vector from hip to neck."""
        direction = self.neck - self.hip
        return direction / max(abs(direction), 1e-6)

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

    def move_head(self, to: complex, limit: float = 0.13) -> None:
        """Shift the head towards a point by at most `limit`; the neck follows in part."""
        away = to - self.head
        step = away if abs(away) <= limit else away / abs(away) * limit
        self.head += step
        self.neck += 0.3 * step

    def mouth_at(self) -> complex:
        """The mouth in body axes."""
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
        out += [(p, 0.034) for p in self.elbow]
        out += [(p, HAND) for p in self.hand]
        out += [(p, 0.042) for p in self.knee]
        out += [(p + 0.01, 0.045) for p in self.foot]
        return out

    def box(self) -> tuple[float, float, float, float]:
        """The extent (x0, y0, x1, y1) in body units."""
        points = self.points()

        # Lists, not generators: this is called tens of thousands of times.
        return (
            min([p.real - r for p, r in points]),
            min([p.imag - r for p, r in points]),
            max([p.real + r for p, r in points]),
            max([p.imag + r for p, r in points]),
        )

    def map(self, function) -> None:
        """Apply a function to all joints, in place."""
        for name in ("hip", "neck", "head"):
            setattr(self, name, function(getattr(self, name)))
        for name in ("elbow", "hand", "knee", "foot"):
            setattr(self, name, [function(p) for p in getattr(self, name)])

        self.leash = None if self.leash is None else function(self.leash)
        self.crumb = None if self.crumb is None else function(self.crumb)


def two_bones(
    root: complex, target: complex, first: float, second: float, bend: float
) -> tuple[complex, complex]:
    """Middle joint and end of a limb of two bones that reaches for the target.

    The bones stretch by up to 30 %; the limb stops short of a target farther away.
    """
    away = target - root
    distance = max(abs(away), 1e-4)
    stretch = min(max(distance / (0.995 * (first + second)), 1.0), 1.3)
    first, second = first * stretch, second * stretch

    # Never quite straight and never folded onto itself: the triangle below must exist.
    length = min(distance, 0.995 * (first + second))
    length = max(length, abs(first - second) + 1e-3)

    # The triangle of both bones over the line from root to end: the joint's place along the line
    # by the law of cosines, and its height over it.
    along = away / distance
    x = (first**2 - second**2 + length**2) / (2 * length)
    y = max(first**2 - x**2, 0.0) ** 0.5
    return root + along * (x + 1j * bend * y), root + along * length
