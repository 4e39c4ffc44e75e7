"""A brush: anti-aliased shapes in a local frame, drawn on pixels, with the extent of what was drawn.

Points are complex numbers (x + y j, y down): a rotation is a product, a mirror is a conjugate.
"""

import cmath
import math

import cv2
import numpy as np

Color = tuple[int, int, int]
SHIFT = 4  # OpenCV's sub-pixel bits
UNIT = 2**SHIFT


def shade(color: Color, factor: float) -> Color:
    """Darker (factor < 1) or lighter (> 1)."""
    if factor <= 1:
        return tuple(int(c * factor) for c in color)
    return tuple(int(255 - (255 - c) / factor) for c in color)


def mix(a: Color, b: Color, t: float) -> Color:
    return tuple(int(x + (y - x) * t) for x, y in zip(a, b, strict=True))


class Brush:
    """Draws in a local frame: a point p lands on `origin + axis * p` (p mirrored in x first, where `mirror`)."""

    def __init__(
        self,
        image: np.ndarray,
        origin: complex = 0j,
        axis: complex = 1 + 0j,
        mirror: bool = False,
        box=None,
    ):
        self.image, self.origin, self.axis, self.mirror = image, origin, axis, mirror
        self.scale = abs(axis)
        self.box = (
            [math.inf, math.inf, -math.inf, -math.inf] if box is None else box
        )  # shared by child frames

    def at(self, p: complex) -> complex:
        return self.origin + self.axis * (-p.conjugate() if self.mirror else p)

    def all_at(self, points) -> list[complex]:
        """`at` for many points; a picture has hundreds of shapes, so that calls count."""
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

    def _grow(self, points, margin: float) -> None:
        x0, y0, x1, y1 = self.box
        for p in points:  # comparisons, not min and max: this runs for every corner of every shape
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
        """As OpenCV takes it: whole numbers of sub-pixels, rounded half to even."""
        return [np.array([(round(p.real * UNIT), round(p.imag * UNIT)) for p in pixels], np.int32)]

    def line(
        self, points, width: float, color: Color, edge: Color | None = None, track: bool = True
    ) -> None:
        """A thick line with round ends through the points; `edge` adds an outline of about a pixel."""
        pixels = self.all_at(points)
        thick = max(1, round(width * self.scale))
        if track:
            self._grow(pixels, thick / 2)
        path = self._path(pixels)
        if edge is not None:
            cv2.polylines(self.image, path, False, edge, thick + 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(self.image, path, False, color, thick, cv2.LINE_AA, SHIFT)

    def poly(self, points, color: Color, edge: Color | None = None, track: bool = True) -> None:
        """A filled polygon."""
        pixels = self.all_at(points)
        if track:
            self._grow(pixels, 0.5)
        path = self._path(pixels)
        cv2.fillPoly(self.image, path, color, cv2.LINE_AA, SHIFT)
        if edge is not None:
            cv2.polylines(
                self.image, path, True, edge, max(1, round(0.006 * 200)), cv2.LINE_AA, SHIFT
            )

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
        """A filled ellipse, or its rim where `width` is given; `angle` turns it in the local frame."""
        middle = self.at(center)
        direction = self.at(center + cmath.exp(1j * angle)) - middle
        turn = math.degrees(cmath.phase(direction))
        if track:
            phi = math.radians(turn)
            hx = math.hypot(rx * math.cos(phi), ry * math.sin(phi)) * self.scale
            hy = math.hypot(rx * math.sin(phi), ry * math.cos(phi)) * self.scale
            rim = 0 if width is None else width * self.scale / 2
            self._grow((middle - complex(hx, hy), middle + complex(hx, hy)), rim)
        at = (round(middle.real * UNIT), round(middle.imag * UNIT))
        axes = (max(1, round(rx * self.scale * UNIT)), max(1, round(ry * self.scale * UNIT)))
        thick = -1 if width is None else max(1, round(width * self.scale))
        cv2.ellipse(self.image, at, axes, turn, 0, 360, color, thick, cv2.LINE_AA, SHIFT)
        if edge is not None:
            cv2.ellipse(self.image, at, axes, turn, 0, 360, edge, 1, cv2.LINE_AA, SHIFT)

    def disc(
        self,
        center: complex,
        radius: float,
        color: Color,
        edge: Color | None = None,
        track: bool = True,
    ) -> None:
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
        """A filled rectangle."""
        a, b = complex(w, h) / 2, complex(w, -h) / 2
        self.poly([center - a, center + b, center + a, center - b], color, edge, track)


def arc(
    center: complex, rx: float, ry: float, start: float, stop: float, n: int = 9
) -> list[complex]:
    """Points on an ellipse from angle `start` to `stop` (degrees; 0 = right, 90 = down)."""
    angles = np.linspace(math.radians(start), math.radians(stop), n)
    return [center + complex(rx * math.cos(t), ry * math.sin(t)) for t in angles]
