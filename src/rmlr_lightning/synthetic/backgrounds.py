"""Backgrounds: room and court here, park, street and beach in landscapes.py.

Their details, such as windows and trees, are no objects of the world.
"""

import numpy as np

from rmlr_lightning.synthetic.draw import Brush, mix, shade
from rmlr_lightning.synthetic.ground import WHITE, gradient, one_of
from rmlr_lightning.synthetic.landscapes import beach, park, street


def paint_place(
    place: str, size: tuple[int, int], clutter: float, rng: np.random.Generator
) -> np.ndarray:
    """An empty place of PLACES, RGB uint8 (height, width, 3).

    `size` is width and height in pixels; `clutter` is that of WorldConfig.
    """
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    horizon = int(height * rng.uniform(0.56, 0.68))
    DRAW[place](image, horizon, clutter, rng)
    return image


def room(image: np.ndarray, horizon: int, clutter: float, rng: np.random.Generator) -> None:
    """A wall with paintings, windows, shelves and lamps; floorboards, at times a carpet."""
    height, width = image.shape[:2]
    wall = one_of(
        rng,
        (214, 200, 178),
        (190, 208, 205),
        (222, 196, 186),
        (176, 190, 214),
        (208, 212, 180),
        (150, 160, 165),
    )
    floor = one_of(rng, (165, 120, 82), (140, 105, 80), (185, 175, 165), (120, 110, 110))
    image[:horizon] = wall
    gradient(image, horizon, height, shade(floor, 0.85), floor)

    # Boards run towards the viewer.
    brush = Brush(image)
    for k in range(-6, 13):
        far = complex(width / 2 + (k - 3.5) * 38, horizon)
        near = complex(width / 2 + (k - 3.5) * 80, height)
        brush.line([far, near], 1, shade(floor, 0.8))
    brush.line([complex(0, horizon), complex(width, horizon)], 5, mix(wall, WHITE, 0.6))

    details = (painting, window, shelf)
    for _ in range(rng.poisson(1.5 + 2 * clutter)):
        x = rng.uniform(10, width - 10)
        y = rng.uniform(25, horizon - 40)
        kind = rng.integers(4)
        if kind < len(details):
            details[kind](brush, x, y, rng)
        else:
            lamp(brush, x, horizon)

    if rng.random() < 0.5:
        centre = complex(rng.uniform(100, width - 100), (horizon + height) / 2 + 14)
        brush.oval(centre, rng.uniform(80, 150), 22, one_of(rng, (150, 90, 90), (100, 120, 140)))


def painting(brush: Brush, x: float, y: float, rng: np.random.Generator) -> None:
    """A framed painting."""
    brush.rect(complex(x, y), 46, 36, (120, 85, 55), (70, 50, 30))
    canvas = one_of(rng, (110, 160, 190), (210, 180, 120), (150, 180, 130))
    brush.rect(complex(x, y), 38, 28, canvas)


def window(brush: Brush, x: float, y: float, rng: np.random.Generator) -> None:
    """A window with a bar."""
    frame = (245, 245, 240)
    brush.rect(complex(x, y + 10), 66, 76, frame, (150, 150, 150))
    brush.rect(complex(x, y + 10), 56, 66, (170, 210, 240))
    brush.line([complex(x, y - 23), complex(x, y + 43)], 4, frame)


def shelf(brush: Brush, x: float, y: float, rng: np.random.Generator) -> None:
    """A shelf with five spines of books."""
    brush.line([complex(x - 32, y + 20), complex(x + 32, y + 20)], 5, (130, 95, 65))
    for k in range(5):
        spine = one_of(rng, (180, 90, 90), (90, 130, 150), (180, 170, 110))
        brush.rect(complex(x - 24 + 11 * k, y + 9), 8, 17, spine)


def lamp(brush: Brush, x: float, horizon: int) -> None:
    """A floor lamp."""
    brush.line([complex(x, horizon + 18), complex(x, horizon - 84)], 4, (90, 85, 85))
    outline = [
        complex(x - 18, horizon - 80),
        complex(x + 18, horizon - 80),
        complex(x + 10, horizon - 108),
        complex(x - 10, horizon - 108),
    ]
    brush.poly(outline, (245, 225, 170), (180, 150, 100))


def court(image: np.ndarray, horizon: int, clutter: float, rng: np.random.Generator) -> None:
    """A sports court: a panelled wall with boards, a floor with lines."""
    height, width = image.shape[:2]
    wall = one_of(rng, (90, 130, 110), (120, 140, 170), (170, 120, 100))
    image[:horizon] = wall

    brush = Brush(image)
    for x in range(0, width, 28):
        brush.line([complex(x, 0), complex(x, horizon)], 1, shade(wall, 0.85))
    for _ in range(rng.poisson(1 + clutter)):
        centre = complex(rng.uniform(0, width), horizon - 22)
        board = one_of(rng, (230, 230, 225), (240, 200, 80), (70, 90, 150))
        brush.rect(centre, 80, 28, board)

    floor = one_of(rng, (190, 110, 75), (75, 130, 160), (100, 150, 95), (205, 160, 105))
    gradient(image, horizon, height, shade(floor, 0.92), floor)

    white = (245, 245, 240)
    x = rng.uniform(80, width - 80)
    near = complex(x + rng.uniform(-90, 90), height)
    brush.line([complex(x, horizon), near], 4, white)
    brush.line([complex(0, horizon + 26), complex(width, horizon + 26)], 3, white)


DRAW = {"room": room, "park": park, "street": street, "beach": beach, "court": court}
PLACES = tuple(DRAW)
