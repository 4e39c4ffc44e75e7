"""What belongs to no pair: unused objects behind the people, and a bush or a post in front."""

import numpy as np

from rmlr_lightning.synthetic.config import ImageSpec, WorldConfig
from rmlr_lightning.synthetic.draw import Brush, shade
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.synthetic.scene import Actor, Scene

# Classes that can lie about unused.
DISTRACTORS = (
    "chair",
    "suitcase",
    "backpack",
    "sports ball",
    "dog",
    "cat",
    "bicycle",
    "bench",
    "bottle",
    "umbrella",
    "skateboard",
    "teddy bear",
)
MIN_PIXELS = 32

# Pixels between an unused object and a person: near ones would look like a pair.
MIN_GAP = 8


def distract(
    image: np.ndarray, scene: Scene, spec: ImageSpec, config: WorldConfig, rng: np.random.Generator
) -> list[tuple[str, list[float]]]:
    """Draws unused objects on the ground behind the people, away from them, in place.

    Returns:
        Names and boxes (xyxy, pixels). Objects for which there is no room are left out.
    """
    width, height = config.size
    taken = [columns_of(actor) for actor in scene.actors]
    drawn = []
    for _ in range(spec.distractors):
        kind = KINDS[DISTRACTORS[rng.integers(len(DISTRACTORS))]]
        scale = rng.uniform(0.5, 0.75) * height
        size = rng.uniform(*kind.size) * config.object_scale
        size = max(size, MIN_PIXELS / scale)
        look = rng.random(6)
        x = rng.uniform(0.08, 0.92) * width
        mirror = bool(rng.random() < 0.5)

        half = kind.half.real * size * scale
        if any(x - half < right + MIN_GAP and x + half > left - MIN_GAP for left, right in taken):
            continue
        if x - half < 0 or x + half > width:
            continue

        ground = rng.uniform(0.76, 0.86) * height
        centre = complex(x, ground - kind.half.imag * size * scale)
        brush = Brush(image, centre, size * scale + 0j, mirror)
        kind.draw(brush, look)
        taken.append((x - half, x + half))
        drawn.append((kind.name, brush.box))
    return drawn


def columns_of(actor: Actor) -> tuple[float, float]:
    """Left and right side of a person in pixels."""
    left, _, right, _ = actor.extent
    if actor.flip:
        left, right = -right, -left
    return actor.origin.real + actor.scale * left, actor.origin.real + actor.scale * right


def foreground(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draws a bush or a post in front of all, in place."""
    height, width = image.shape[:2]
    brush = Brush(image)
    x = rng.uniform(0, width)
    if rng.random() < 0.5:
        for _ in range(9):
            centre = complex(x + rng.uniform(-40, 40), height + rng.uniform(-22, 10))
            radius = rng.uniform(12, 20)
            brush.disc(centre, radius, shade((70, 120, 60), rng.uniform(0.8, 1.3)))
    else:
        foot = complex(x, height + 4)
        top = complex(x, height * rng.uniform(0.3, 0.6))
        brush.line([foot, top], 9, (120, 110, 105), (60, 55, 55))
