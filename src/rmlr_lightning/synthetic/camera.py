"""The camera: a colour cast, exposure, grain, and at times a little blur."""

import cv2
import numpy as np


def photograph(image: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """The image as a camera takes it, uint8 RGB; `noise` is that of WorldConfig."""
    grain = rng.uniform(1, 5) * noise if noise > 0 else 0.0

    # Exposure, times a cast per channel; a table, since a pixel has 256 values. The offset makes
    # up for the grain, which only adds.
    gain = rng.normal(1.0, 0.05 * noise) * (1 + rng.normal(0, 0.03 * noise, 3))
    offset = rng.normal(0, 5 * noise)
    table = np.arange(256)[:, None] * gain + offset - int(grain * 1.7)
    table = np.clip(table, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, np.ascontiguousarray(table[None]))

    # Only some images are out of focus.
    if rng.random() < 0.3 * noise:
        image = cv2.GaussianBlur(image, (3, 3), 0)
    if grain > 0.3:
        image = cv2.add(image, grain_pattern(image.shape, grain, rng))
    return image


def grain_pattern(
    shape: tuple[int, int, int], grain: float, rng: np.random.Generator
) -> np.ndarray:
    """Random values in blocks of 2 x 2 pixels, uint8."""
    height, width, channels = shape

    # Blocks: a grain of single pixels would not survive JPEG and resizing.
    small = (height // 2, width // 2, channels)
    pattern = rng.integers(0, max(2, int(grain * 3.5)), small, dtype=np.uint8)
    return cv2.resize(pattern, (width, height), interpolation=cv2.INTER_NEAREST)
