"""What backgrounds share: tints, gradients, sky and trees. All draw in place, in pixels."""

import cv2
import numpy as np

from rmlr_lightning.synthetic.chance import tinted
from rmlr_lightning.synthetic.draw import Brush, Color, mix, shade

WHITE = (255, 255, 255)


def one_of(rng: np.random.Generator, *choices: Color) -> Color:
    """One of the colours, tinted."""
    return tinted(rng, choices, 16)


def gradient(image: np.ndarray, y0: int, y1: int, top: Color, bottom: Color) -> None:
    """Fills rows y0 to y1 from one colour to the other, as far as the image goes."""
    share = np.linspace(0, 1, max(y1 - y0, 1))[:, None]
    band = np.array(top) * (1 - share) + np.array(bottom) * share
    band = band.astype(np.uint8)[: image.shape[0] - y0]

    # Resized into place: numpy's own broadcast of three bytes takes six times as long.
    rows = image[y0 : y0 + len(band)]
    size = rows.shape[1::-1]
    cv2.resize(band[:, None], size, dst=rows, interpolation=cv2.INTER_NEAREST)


def sky(image: np.ndarray, horizon: int, rng: np.random.Generator) -> None:
    """A sky down to the horizon with up to three clouds."""
    top = one_of(rng, (120, 180, 235), (150, 200, 240), (190, 205, 225), (250, 200, 160))
    gradient(image, 0, horizon, top, mix(top, (250, 250, 245), 0.7))

    brush = Brush(image)
    cloud = mix(top, WHITE, 0.75)
    for _ in range(rng.integers(0, 4)):
        x = rng.uniform(0, image.shape[1])
        y = rng.uniform(5, horizon * 0.6)
        for dx in (-18, 0, 18):
            brush.oval(complex(x + dx, y - 3 * (dx == 0)), 20, 8, cloud)


def tree(brush: Brush, x: float, y: float, height: float, rng: np.random.Generator) -> None:
    """A tree whose trunk begins at (x, y)."""
    leaf = one_of(rng, (70, 130, 60), (90, 150, 70), (60, 110, 70), (190, 150, 60))
    bark = one_of(rng, (110, 80, 55))
    brush.line([complex(x, y), complex(x, y - height * 0.6)], height * 0.1, bark)

    # Three discs: left, right and the top, the upper the lighter.
    for dx, dy, radius in ((-0.2, 0.62, 0.24), (0.2, 0.6, 0.24), (0, 0.8, 0.28)):
        centre = complex(x + dx * height, y - dy * height)
        brush.disc(centre, radius * height, shade(leaf, 0.9 + 0.25 * dy))
