"""Plausible places: room, park, street, beach and court, by seed, with clutter that is no object of the world."""

import cv2
import numpy as np

from rmlr_lightning.synthetic.chance import tinted, tinted_many
from rmlr_lightning.synthetic.draw import Brush, Color, mix, shade

PLACES = ("room", "park", "street", "beach", "court")


def _color(rng, *choices: Color) -> Color:
    return tinted(rng, choices, 16)


def _gradient(image: np.ndarray, y0: int, y1: int, top: Color, bottom: Color) -> None:
    rows = np.linspace(0, 1, max(y1 - y0, 1))[:, None]
    band = (np.array(top) * (1 - rows) + np.array(bottom) * rows).astype(np.uint8)[
        : image.shape[0] - y0
    ]
    rows = image[
        y0 : y0 + len(band)
    ]  # resized into place: numpy's own broadcast of three bytes takes six times as long
    cv2.resize(band[:, None], rows.shape[1::-1], dst=rows, interpolation=cv2.INTER_NEAREST)


def _sky(image: np.ndarray, horizon: int, rng) -> None:
    top = _color(rng, (120, 180, 235), (150, 200, 240), (190, 205, 225), (250, 200, 160))
    _gradient(image, 0, horizon, top, mix(top, (250, 250, 245), 0.7))
    b = Brush(image)
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(0, image.shape[1]), rng.uniform(5, horizon * 0.6)
        for dx in (-18, 0, 18):
            b.oval(complex(x + dx, y - 3 * (dx == 0)), 20, 8, mix(top, (255, 255, 255), 0.75))


def _tree(b: Brush, x: float, y: float, h: float, rng) -> None:
    leaf = _color(rng, (70, 130, 60), (90, 150, 70), (60, 110, 70), (190, 150, 60))
    b.line([complex(x, y), complex(x, y - h * 0.6)], h * 0.1, _color(rng, (110, 80, 55)))
    for dx, dy, r in ((-0.2, 0.62, 0.24), (0.2, 0.6, 0.24), (0, 0.8, 0.28)):
        b.disc(complex(x + dx * h, y - dy * h), r * h, shade(leaf, 0.9 + 0.25 * dy))


def _room(image, horizon, clutter, rng) -> None:
    h, w = image.shape[:2]
    wall = _color(
        rng,
        (214, 200, 178),
        (190, 208, 205),
        (222, 196, 186),
        (176, 190, 214),
        (208, 212, 180),
        (150, 160, 165),
    )
    floor = _color(rng, (165, 120, 82), (140, 105, 80), (185, 175, 165), (120, 110, 110))
    image[:horizon] = wall
    _gradient(image, horizon, h, shade(floor, 0.85), floor)
    b = Brush(image)
    for k in range(-6, 13):
        b.line(
            [complex(w / 2 + (k - 3.5) * 38, horizon), complex(w / 2 + (k - 3.5) * 80, h)],
            1,
            shade(floor, 0.8),
        )
    b.line([complex(0, horizon), complex(w, horizon)], 5, mix(wall, (255, 255, 255), 0.6))
    for _ in range(rng.poisson(1.5 + 2 * clutter)):
        x, y = rng.uniform(10, w - 10), rng.uniform(25, horizon - 40)
        kind = rng.integers(4)
        if kind == 0:  # a picture
            b.rect(complex(x, y), 46, 36, (120, 85, 55), (70, 50, 30))
            b.rect(
                complex(x, y),
                38,
                28,
                _color(rng, (110, 160, 190), (210, 180, 120), (150, 180, 130)),
            )
        elif kind == 1:  # a window
            b.rect(complex(x, y + 10), 66, 76, (245, 245, 240), (150, 150, 150))
            b.rect(complex(x, y + 10), 56, 66, (170, 210, 240))
            b.line([complex(x, y - 23), complex(x, y + 43)], 4, (245, 245, 240))
        elif kind == 2:  # a shelf
            b.line([complex(x - 32, y + 20), complex(x + 32, y + 20)], 5, (130, 95, 65))
            for k in range(5):
                b.rect(
                    complex(x - 24 + 11 * k, y + 9),
                    8,
                    17,
                    _color(rng, (180, 90, 90), (90, 130, 150), (180, 170, 110)),
                )
        else:  # a floor lamp
            b.line([complex(x, horizon + 18), complex(x, horizon - 84)], 4, (90, 85, 85))
            b.poly(
                [
                    complex(x - 18, horizon - 80),
                    complex(x + 18, horizon - 80),
                    complex(x + 10, horizon - 108),
                    complex(x - 10, horizon - 108),
                ],
                (245, 225, 170),
                (180, 150, 100),
            )
    if rng.random() < 0.5:
        b.oval(
            complex(rng.uniform(100, w - 100), (horizon + h) / 2 + 14),
            rng.uniform(80, 150),
            22,
            _color(rng, (150, 90, 90), (100, 120, 140)),
        )


def _park(image, horizon, clutter, rng) -> None:
    h, w = image.shape[:2]
    _sky(image, horizon, rng)
    grass = _color(rng, (110, 165, 80), (130, 175, 95), (150, 165, 90))
    b = Brush(image)
    for _ in range(3):
        b.oval(
            complex(rng.uniform(0, w), horizon + 14),
            rng.uniform(90, 170),
            rng.uniform(24, 50),
            shade(grass, rng.uniform(0.7, 0.9)),
        )
    _gradient(image, horizon, h, shade(grass, 0.88), grass)
    if rng.random() < 0.6:
        x = rng.uniform(60, w - 60)
        b.poly(
            [
                complex(x - 12, horizon),
                complex(x + 12, horizon),
                complex(x + 120, h),
                complex(x - 60, h),
            ],
            _color(rng, (205, 185, 145)),
        )
    for _ in range(rng.poisson(2 + 2 * clutter)):
        y = horizon + rng.uniform(2, 26)
        _tree(b, rng.uniform(0, w), y, rng.uniform(60, 130), rng)
    for _ in range(rng.poisson(2 * clutter + 1)):
        x, y = rng.uniform(0, w), horizon + rng.uniform(5, 40)
        for dx in (-10, 0, 10):
            b.disc(complex(x + dx, y - 6 * (dx == 0)), 11, shade(grass, 0.7))
    for _ in range(12):
        x, y = rng.uniform(0, w), rng.uniform(horizon + 10, h)
        b.line([complex(x, y), complex(x + 2, y - 5)], 1.5, shade(grass, 0.75))


def _street(image, horizon, clutter, rng) -> None:
    h, w = image.shape[:2]
    _sky(image, horizon, rng)
    b = Brush(image)
    x = -rng.uniform(0, 40)
    while x < w:
        wide, tall = rng.uniform(50, 100), rng.uniform(0.5, 0.95) * horizon
        wall = _color(rng, (180, 120, 100), (170, 165, 155), (200, 180, 140), (130, 140, 155))
        b.rect(complex(x + wide / 2, horizon - tall / 2), wide, tall, wall, shade(wall, 0.7))
        rows, columns = (
            np.arange(horizon - tall + 12, horizon - 22, 26),
            np.arange(x + 12, x + wide - 8, 22),
        )
        panes = [complex(xx, yy) for yy in rows.tolist() for xx in columns.tolist()]
        tints = [(90, 110, 130)] * len(panes)
        if clutter > 0:
            tints = tinted_many(rng, ((90, 110, 130), (240, 225, 160)), 16, len(panes))
        for pane, tint in zip(panes, tints, strict=True):
            b.rect(pane, 10, 14, tint)
        x += wide
    walk = _color(rng, (185, 180, 172), (170, 170, 175))
    _gradient(image, horizon, h, walk, shade(walk, 0.9))
    for k in range(1, 4):
        b.line([complex(0, horizon + 24 * k), complex(w, horizon + 24 * k)], 1, shade(walk, 0.8))
    if rng.random() < 0.5:
        _gradient(image, min(h - 26, horizon + 60), h, (105, 105, 110), (90, 90, 95))
    for _ in range(rng.poisson(0.7 + clutter)):
        x = rng.uniform(0, w)
        b.line([complex(x, horizon + 14), complex(x, 30)], 4, (70, 75, 80))
        b.oval(complex(x, 28), 9, 6, (250, 240, 200), (90, 90, 90))


def _beach(image, horizon, clutter, rng) -> None:
    h, w = image.shape[:2]
    _sky(image, horizon, rng)
    sea = _color(rng, (60, 140, 190), (80, 170, 190), (70, 120, 170))
    shore = min(horizon + int(rng.uniform(24, 60)), h - 40)
    _gradient(image, int(horizon * 0.8), shore, shade(sea, 0.85), shade(sea, 1.25))
    sand = _color(rng, (232, 212, 160), (222, 196, 150))
    _gradient(image, shore, h, shade(sand, 0.95), sand)
    b = Brush(image)
    for _ in range(8):
        x, y = rng.uniform(0, w), rng.uniform(horizon * 0.85, shore)
        b.line([complex(x, y), complex(x + 22, y)], 1.5, (225, 240, 245))
    b.line([complex(0, shore), complex(w, shore)], 4, (245, 250, 250))
    for _ in range(rng.poisson(0.8 + clutter)):
        x = rng.uniform(0, w)
        b.line(
            [complex(x, shore + 10), complex(x + 8, shore - 50), complex(x + 22, shore - 95)],
            7,
            (140, 105, 70),
        )
        for dx, dy in ((-34, 8), (-22, -16), (6, -24), (32, -12), (36, 12)):
            b.line(
                [complex(x + 22, shore - 95), complex(x + 22 + dx, shore - 95 + dy)],
                6,
                (80, 145, 70),
            )
    for _ in range(6):
        b.oval(complex(rng.uniform(0, w), rng.uniform(shore + 10, h)), 4, 2, shade(sand, 0.8))


def _court(image, horizon, clutter, rng) -> None:
    h, w = image.shape[:2]
    wall = _color(rng, (90, 130, 110), (120, 140, 170), (170, 120, 100))
    image[:horizon] = wall
    b = Brush(image)
    for x in range(0, w, 28):
        b.line([complex(x, 0), complex(x, horizon)], 1, shade(wall, 0.85))
    for _ in range(rng.poisson(1 + clutter)):
        b.rect(
            complex(rng.uniform(0, w), horizon - 22),
            80,
            28,
            _color(rng, (230, 230, 225), (240, 200, 80), (70, 90, 150)),
        )
    floor = _color(rng, (190, 110, 75), (75, 130, 160), (100, 150, 95), (205, 160, 105))
    _gradient(image, horizon, h, shade(floor, 0.92), floor)
    x = rng.uniform(80, w - 80)
    b.line([complex(x, horizon), complex(x + rng.uniform(-90, 90), h)], 4, (245, 245, 240))
    b.line([complex(0, horizon + 26), complex(w, horizon + 26)], 3, (245, 245, 240))


_DRAW = {"room": _room, "park": _park, "street": _street, "beach": _beach, "court": _court}


def paint_place(
    place: str, size: tuple[int, int], clutter: float, rng: np.random.Generator
) -> np.ndarray:
    """An empty scene, RGB uint8 (height, width, 3)."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    _DRAW[place](image, int(height * rng.uniform(0.56, 0.68)), clutter, rng)
    return image


def weather(image: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Camera: a colour cast, exposure, grain, and at times a little blur."""
    sigma = rng.uniform(1, 5) * noise if noise > 0 else 0.0
    gain = rng.normal(1.0, 0.05 * noise) * (1 + rng.normal(0, 0.03 * noise, 3))
    table = np.clip(
        np.arange(256)[:, None] * gain + rng.normal(0, 5 * noise) - int(sigma * 1.7), 0, 255
    )
    table = table.astype(np.uint8)
    image = cv2.LUT(image, np.ascontiguousarray(table[None]))
    if rng.random() < 0.3 * noise:
        image = cv2.GaussianBlur(image, (3, 3), 0)
    if sigma > 0.3:
        small = (image.shape[0] // 2, image.shape[1] // 2, 3)
        grain = rng.integers(0, max(2, int(sigma * 3.5)), small, dtype=np.uint8)
        grain = cv2.resize(grain, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST)
        image = cv2.add(image, grain)
    return image
