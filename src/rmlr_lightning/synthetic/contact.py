"""An object class, and one object at a place in a person's body frame.

Points are complex numbers (x + y j, y down). An object's own frame has its centre at 0 and its
longest side of length 1; the body frame has a standing person of height 1 with the soles at 0.
"""

import cmath
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """An object class.

    `group` selects the poses of its verbs (acts.py): hand, ball, long, bike, mount, pet, board,
    chair, seat, case or pack. `size` is the range of its longest side in body units, `half` the
    half width and height of its body, `grips` the points where a person touches it (both in its
    own frame), `tilt` the spread of its angle in radians.
    """

    name: str
    group: str
    draw: Callable
    size: tuple[float, float]
    half: complex = 0.45 + 0.45j
    grips: dict[str, complex] = field(default_factory=dict)
    tilt: float = 0.15


@dataclass
class Contact:
    """One object in a person's body frame; all that a pose depends on.

    `mirror`: it faces the person. `held`: a hand grasps it. `spot`: on a seat that two people
    share, where this one sits (in sizes of the seat, from its middle).
    """

    kind: Kind
    place: complex
    size: float
    angle: float = 0.0
    mirror: bool = False
    zone: str = "chest"
    held: bool = True
    spot: float | None = None

    def point(self, local: complex) -> complex:
        """A point of the object's own frame in body units."""
        if self.mirror:
            local = -local.conjugate()
        return self.place + self.size * local * cmath.exp(1j * self.angle)

    def grip(self, name: str) -> complex:
        """A named point of the object in body units; its centre where it has no such point."""
        return self.point(self.kind.grips.get(name, 0j))

    def floor(self) -> float:
        """The y of the ground under an object that stands."""
        return self.place.imag + self.kind.half.imag * self.size

    def edge(self, towards: complex, depth: float = 0.0) -> complex:
        """Where the outline meets the line to `towards`, `depth` inside (all in body units).

        The outline is the ellipse of half width and height `kind.half`.
        """
        # Into the object's own frame, where the ellipse lies along the axes.
        away = (towards - self.place) * cmath.exp(-1j * self.angle) / self.size
        direction = away / max(abs(away), 1e-6)

        half = self.kind.half
        across = ((direction.real / half.real) ** 2 + (direction.imag / half.imag) ** 2) ** 0.5
        radius = 1 / max(across, 1e-6)
        radius = max(radius - depth / self.size, 0.0)
        return self.place + self.size * radius * direction * cmath.exp(1j * self.angle)
