"""Small random scenes for the tests."""

import numpy as np
import torch
from PIL import Image

from rmlr_lightning.data.truth import collate_truths, truth_of
from rmlr_lightning.types import Entities, Images, Scene, Target, Truth


def random_entities(batch: int, count: int, seed: int = 0, width: int = 16) -> Entities:
    """Boxes of sensible size; people are label 0; some rows are padding."""
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(batch, count, 2, generator=g) * 0.6
    boxes = torch.cat([corner, corner + 0.1 + 0.3 * torch.rand(batch, count, 2, generator=g)], -1)
    labels = torch.randint(0, 4, (batch, count), generator=g)
    mask = torch.rand(batch, count, generator=g) < 0.8
    scores = torch.rand(batch, count, generator=g)
    return Entities(boxes, scores, labels, torch.randn(batch, count, width, generator=g), mask)


def random_scene(batch: int, count: int, seed: int = 0, width: int = 16) -> Scene:
    """Entities and a memory of 6 x 8 cells."""
    g = torch.Generator().manual_seed(seed + 1)
    memory = torch.randn(batch, width, 6, 8, generator=g)
    sizes = torch.tensor([[120, 160]]).expand(batch, 2)
    return Scene(
        random_entities(batch, count, seed, width),
        memory,
        torch.ones(batch, 6, 8, dtype=torch.bool),
        sizes,
    )


def random_images(batch: int, height: int = 48, width: int = 64, seed: int = 0) -> Images:
    """Noise."""
    g = torch.Generator().manual_seed(seed)
    pixels = torch.rand(batch, 3, height, width, generator=g)
    return Images(
        pixels,
        torch.ones(batch, height, width, dtype=torch.bool),
        torch.tensor([[120, 160]]).repeat(batch, 1),
    )


def noise_image(width: int, height: int, spread: float = 60, seed: int = 0) -> Image.Image:
    """Grey noise around 128, the same in every process (Pillow's has no seed)."""
    noise = np.random.default_rng(seed).normal(128, spread, (height, width))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def target_of(
    boxes_h: list,
    boxes_o: list,
    objects: list[int],
    verbs: list[int],
    size: tuple[int, int] = (120, 160),
    image_id: int = 0,
) -> Target:
    """A target from lists; hois are left at 0."""
    return Target(
        f"{image_id}.jpg",
        image_id,
        torch.tensor(size),
        torch.tensor(boxes_h, dtype=torch.float64).reshape(-1, 4),
        torch.tensor(boxes_o, dtype=torch.float64).reshape(-1, 4),
        torch.tensor(objects, dtype=torch.long),
        torch.tensor(verbs, dtype=torch.long),
        torch.zeros(len(verbs), dtype=torch.long),
    )


def truth_of_targets(targets: list[Target], verbs: int) -> Truth:
    """The padded record of these targets."""
    return collate_truths([truth_of(target, target.size, verbs) for target in targets])
