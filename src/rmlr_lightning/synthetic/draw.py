"""A brush: anti-aliased shapes in a local frame, drawn on pixels, and the extent of the drawing.

Points are complex numbers (x + y j, y down): a rotation is a product, a mirror is a conjugate.
"""

import cmath
import math

import cv2
import numpy as np

Color = tuple[int, int, int]

# OpenCV takes coordinates as whole numbers of 1/16 pixels.
SHIFT = 4
UNIT = 2**SHIFT


def shade(color: Color, factor: float) -> Color:
    """Darker (factor < 1) or lighter (> 1)."""
    if factor <= 1:
        return tuple(int(c * factor) for c in color)
    return tuple(int(255 - (255 - c) / factor) for c in color)


def mix(a: Color, b: Color, t: float) -> Color:
    """From `a` (t = 0) to `b` (t = 1)."""
    return tuple(int(x + (y - x) * t) for x, y in zip(a, b, strict=True))


class Brush:
    """Draws on an RGB image in a local frame.

    A point p lands on pixel `origin + axis * p`; with `mirror`, p is mirrored in x first. `box` is
    the extent in pixels (x0, y0, x1, y1) of all shapes drawn with `track`. Child frames share the
    box of their parent unless they are given one of their own. Shape sizes are in local units.
    """

    def __init__(
        self,
        image: np.ndarray,
        origin: complex = 0j,
        axis: complex = 1 + 0j,
        mirror: bool = False,
        box: list[float] | None = None,
    ):
        self.image = image
        self.origin = origin
        self.axis = axis
        self.mirror = mirror
        self.scale = abs(axis)
        self.box = [math.inf, math.inf, -math.inf, -math.inf] if box is None else box

    def at(self, p: complex) -> complex:
        """The pixel of a local point."""
        return self.origin + self.axis * (-p.conjugate() if self.mirror else p)

    def all_at(self, points) -> list[complex]:
        """`at` for many points. Written out: an image has hundreds of shapes, and calls cost."""
        origin, axis = self.origin, self.axis
        if self.mirror:
            return [origin + axis * -p.conjugate() for p in points]
        return [origin + axis * p for p in points]

    def child(
        self, place: complex, size: float = 1.0, angle: float = 0.0, own_box: bool = False
    ) -> "Brush":
        """A frame at `place` in this one, `size` times as large and turned by `angle` (radians)."""
        turn = size * cmath.exp(1j * angle)
        axis = self.axis * (turn.conjugate() if self.mirror else turn)
        return Brush(self.image, self.at(place), axis, self.mirror, None if own_box else self.box)

    def _grow(self, pixels, margin: float) -> None:
        """Extend the box by these pixels and a margin around each."""
        x0, y0, x1, y1 = self.box

        # Comparisons, not min and max: this runs for every corner of every shape.
        for p in pixels:
            x, y = p.real, p.imag
            if x - margin < x0:
                x0 = x - margin
            if x + margin > x1:
                x1 = x + margin
            if y - margin < y0:
                y0 = y - margin
            if y + margin > y1:
                y1 = y + margin

        self.box[:] = x0, y0, x1, y1

    @staticmethod
    def _path(pixels: list[complex]) -> list[np.ndarray]:
        """OpenCV's form of a path: whole numbers of 1/16 pixels, rounded half to even."""
        return [np.array([(round(p.real * UNIT), round(p.imag * UNIT)) for p in pixels], np.int32)]

    def line(
        self, points, width: float, color: Color, edge: Color | None = None, track: bool = True
    ) -> None:
        """A thick line with round ends through the points; `edge` adds an outline of a pixel."""
        pixels = self.all_at(points)
        thickness = max(1, round(width * self.scale))
        if track:
            self._grow(pixels, thickness / 2)

        path = self._path(pixels)
        if edge is not None:
            cv2.polylines(self.image, path, False, edge, thickness + 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(self.image, path, False, color, thickness, cv2.LINE_AA, SHIFT)

    def poly(self, points, color: Color, edge: Color | None = None, track: bool = True) -> None:
        """A filled polygon; `edge` adds an outline of a pixel."""
        pixels = self.all_at(points)
        if track:
            self._grow(pixels, 0.5)

        path = self._path(pixels)
        cv2.fillPoly(self.image, path, color, cv2.LINE_AA, SHIFT)
        if edge is not None:
            cv2.polylines(self.image, path, True, edge, 1, cv2.LINE_AA, SHIFT)

    def oval(
        self,
        center: complex,
        rx: float,
        ry: float,
        color: Color,
        edge: Color | None = None,
        angle: float = 0.0,
        width: float | None = None,
        track: bool = True,
    ) -> None:
        """A filled ellipse turned by `angle` (radians), or only its rim where `width` is given."""
        # The direction of its long axis in pixels: the frame may be turned and mirrored.
        middle = self.at(center)
        direction = self.at(center + cmath.exp(1j * angle)) - middle
        degrees = math.degrees(cmath.phase(direction))

        if track:
            phi = math.radians(degrees)
            half_width = math.hypot(rx * math.cos(phi), ry * math.sin(phi)) * self.scale
            half_height = math.hypot(rx * math.sin(phi), ry * math.cos(phi)) * self.scale
            half = complex(half_width, half_height)
            rim = 0 if width is None else width * self.scale / 2
            self._grow((middle - half, middle + half), rim)

        at = (round(middle.real * UNIT), round(middle.imag * UNIT))
        axes = (max(1, round(rx * self.scale * UNIT)), max(1, round(ry * self.scale * UNIT)))
        thickness = -1 if width is None else max(1, round(width * self.scale))
        cv2.ellipse(self.image, at, axes, degrees, 0, 360, color, thickness, cv2.LINE_AA, SHIFT)
        if edge is not None:
            cv2.ellipse(self.image, at, axes, degrees, 0, 360, edge, 1, cv2.LINE_AA, SHIFT)

    def disc(
        self,
        center: complex,
        radius: float,
        color: Color,
        edge: Color | None = None,
        track: bool = True,
    ) -> None:
        """A filled circle."""
        self.oval(center, radius, radius, color, edge, track=track)

    def rect(
        self,
        center: complex,
        w: float,
        h: float,
        color: Color,
        edge: Color | None = None,
        track: bool = True,
    ) -> None:
        """A filled rectangle of `w` by `h`."""
        to_corner = complex(w, h) / 2
        to_other = complex(w, -h) / 2
        corners = [center - to_corner, center + to_other, center + to_corner, center - to_other]
        self.poly(corners, color, edge, track)


def arc(
    center: complex, rx: float, ry: float, start: float, stop: float, n: int = 9
) -> list[complex]:
    """Points on an ellipse from angle `start` to `stop` (degrees; 0 = right, 90 = down)."""
    angles = np.linspace(math.radians(start), math.radians(stop), n)
    return [center + complex(rx * math.cos(t), ry * math.sin(t)) for t in angles]
