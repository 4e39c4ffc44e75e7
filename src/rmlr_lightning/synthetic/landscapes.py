"""Backgrounds outside: park, street and beach.

Each draws on an image (H, W, 3) in place, with the horizon at this row; `clutter` is that of
WorldConfig. All sizes are in pixels.
"""

import numpy as np

from rmlr_lightning.synthetic.chance import tinted_many
from rmlr_lightning.synthetic.draw import Brush, Color, shade
from rmlr_lightning.synthetic.ground import gradient, one_of, sky, tree

DARK_PANE = (90, 110, 130)
LIT_PANE = (240, 225, 160)


def park(image: np.ndarray, horizon: int, clutter: float, rng: np.random.Generator) -> None:
    """Hills, a lawn, at times a path; trees and bushes."""
    height, width = image.shape[:2]
    sky(image, horizon, rng)
    grass = one_of(rng, (110, 165, 80), (130, 175, 95), (150, 165, 90))

    brush = Brush(image)
    for _ in range(3):
        centre = complex(rng.uniform(0, width), horizon + 14)
        rx, ry = rng.uniform(90, 170), rng.uniform(24, 50)
        brush.oval(centre, rx, ry, shade(grass, rng.uniform(0.7, 0.9)))
    gradient(image, horizon, height, shade(grass, 0.88), grass)

    if rng.random() < 0.6:
        x = rng.uniform(60, width - 60)
        outline = [
            complex(x - 12, horizon),
            complex(x + 12, horizon),
            complex(x + 120, height),
            complex(x - 60, height),
        ]
        brush.poly(outline, one_of(rng, (205, 185, 145)))

    for _ in range(rng.poisson(2 + 2 * clutter)):
        y = horizon + rng.uniform(2, 26)
        tree(brush, rng.uniform(0, width), y, rng.uniform(60, 130), rng)

    for _ in range(rng.poisson(2 * clutter + 1)):
        x = rng.uniform(0, width)
        y = horizon + rng.uniform(5, 40)
        for dx in (-10, 0, 10):
            brush.disc(complex(x + dx, y - 6 * (dx == 0)), 11, shade(grass, 0.7))

    # Blades of grass.
    for _ in range(12):
        x = rng.uniform(0, width)
        y = rng.uniform(horizon + 10, height)
        brush.line([complex(x, y), complex(x + 2, y - 5)], 1.5, shade(grass, 0.75))


def street(image: np.ndarray, horizon: int, clutter: float, rng: np.random.Generator) -> None:
    """A row of houses, a pavement, at times a road; street lamps."""
    height, width = image.shape[:2]
    sky(image, horizon, rng)

    brush = Brush(image)
    x = -rng.uniform(0, 40)
    while x < width:
        house_width = rng.uniform(50, 100)
        house(brush, x, horizon, house_width, clutter, rng)
        x += house_width

    pavement = one_of(rng, (185, 180, 172), (170, 170, 175))
    gradient(image, horizon, height, pavement, shade(pavement, 0.9))
    for k in range(1, 4):
        y = horizon + 24 * k
        brush.line([complex(0, y), complex(width, y)], 1, shade(pavement, 0.8))
    if rng.random() < 0.5:
        gradient(image, min(height - 26, horizon + 60), height, (105, 105, 110), (90, 90, 95))

    for _ in range(rng.poisson(0.7 + clutter)):
        x = rng.uniform(0, width)
        brush.line([complex(x, horizon + 14), complex(x, 30)], 4, (70, 75, 80))
        brush.oval(complex(x, 28), 9, 6, (250, 240, 200), (90, 90, 90))


def house(
    brush: Brush, x: float, horizon: int, width: float, clutter: float, rng: np.random.Generator
) -> None:
    """A house from `x` to the right, with windows in rows."""
    tall = rng.uniform(0.5, 0.95) * horizon
    wall = one_of(rng, (180, 120, 100), (170, 165, 155), (200, 180, 140), (130, 140, 155))
    brush.rect(complex(x + width / 2, horizon - tall / 2), width, tall, wall, shade(wall, 0.7))

    rows = np.arange(horizon - tall + 12, horizon - 22, 26).tolist()
    columns = np.arange(x + 12, x + width - 8, 22).tolist()
    panes = [complex(column, row) for row in rows for column in columns]
    for pane, color in zip(panes, pane_colors(len(panes), clutter, rng), strict=True):
        brush.rect(pane, 10, 14, color)


def pane_colors(count: int, clutter: float, rng: np.random.Generator) -> list[Color]:
    """Dark panes and lit ones; without clutter all are dark."""
    if clutter > 0:
        return tinted_many(rng, (DARK_PANE, LIT_PANE), 16, count)
    return [DARK_PANE] * count


def beach(image: np.ndarray, horizon: int, clutter: float, rng: np.random.Generator) -> None:
    """The sea with waves, sand with pebbles; palms."""
    height, width = image.shape[:2]
    sky(image, horizon, rng)
    sea = one_of(rng, (60, 140, 190), (80, 170, 190), (70, 120, 170))
    shore = min(horizon + int(rng.uniform(24, 60)), height - 40)
    gradient(image, int(horizon * 0.8), shore, shade(sea, 0.85), shade(sea, 1.25))
    sand = one_of(rng, (232, 212, 160), (222, 196, 150))
    gradient(image, shore, height, shade(sand, 0.95), sand)

    brush = Brush(image)
    for _ in range(8):
        x = rng.uniform(0, width)
        y = rng.uniform(horizon * 0.85, shore)
        brush.line([complex(x, y), complex(x + 22, y)], 1.5, (225, 240, 245))
    brush.line([complex(0, shore), complex(width, shore)], 4, (245, 250, 250))

    for _ in range(rng.poisson(0.8 + clutter)):
        palm(brush, rng.uniform(0, width), shore)

    # Pebbles.
    for _ in range(6):
        centre = complex(rng.uniform(0, width), rng.uniform(shore + 10, height))
        brush.oval(centre, 4, 2, shade(sand, 0.8))


def palm(brush: Brush, x: float, shore: int) -> None:
    """A palm on the shore."""
    crown = complex(x + 22, shore - 95)
    stem = [complex(x, shore + 10), complex(x + 8, shore - 50), crown]
    brush.line(stem, 7, (140, 105, 70))
    for dx, dy in ((-34, 8), (-22, -16), (6, -24), (32, -12), (36, 12)):
        brush.line([crown, complex(x + 22 + dx, shore - 95 + dy)], 6, (80, 145, 70))
