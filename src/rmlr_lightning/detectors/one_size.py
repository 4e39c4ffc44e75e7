"""A detector run on the images of each size by themselves, so that none is padded."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from rmlr_lightning.ops.same_size import original_order, padded_together, parts_of_one_size
from rmlr_lightning.types import Entities, Images, Scene


def by_size(images: Images, run: Callable[[Images], Scene]) -> Scene:
    """The Scenes of a padded batch, each as if its image were alone.

    Networks read the padding of a batch, those that take masks a little at the edge of an image,
    the others everywhere. Padding enters only here, in the maps of smaller images.

    Args:
        run: images of one size, without padding -> their Scene.
    """
    parts = parts_of_one_size(images)
    scenes = [run(part.images) for part in parts]
    if len(scenes) == 1:
        return scenes[0]
    return _together(scenes, original_order([part.rows for part in parts], images.mask.device))


def all_real(features: Float[Tensor, "B C h w"]) -> Bool[Tensor, "B h w"]:
    """The mask of a map without padding."""
    return torch.ones_like(features[:, 0], dtype=torch.bool)


def stretched(images: Images, size: tuple[int, int]) -> Images:
    """Images without padding at another size (height, width) in pixels."""
    if size == tuple(images.pixels.shape[-2:]):
        return images
    pixels = F.interpolate(images.pixels, size, mode="bilinear", align_corners=False)
    return Images(pixels, images.mask.new_ones(len(pixels), *size), images.sizes)


def padded(images: Images, size: tuple[int, int]) -> Images:
    """A batch with more padding, up to this size (height, width) in pixels."""
    height, width = images.pixels.shape[-2:]
    more = (0, size[1] - width, 0, size[0] - height)
    return images._replace(pixels=F.pad(images.pixels, more), mask=F.pad(images.mask, more))


def _together(scenes: Sequence[Scene], order: Tensor) -> Scene:
    """Scenes of batches of different image sizes as one, padded, in this order."""
    # the number of entities does not depend on the size
    fields = zip(*(scene.entities for scene in scenes), strict=True)
    maps, masks = (
        {
            name: padded_together([getattr(scene, field)[name] for scene in scenes], order)
            for name in scenes[0].maps
        }
        for field in ("maps", "map_masks")
    )
    return Scene(
        Entities(*(torch.cat(field)[order] for field in fields)),
        padded_together([scene.memory for scene in scenes], order),
        padded_together([scene.memory_mask for scene in scenes], order),
        torch.cat([scene.sizes for scene in scenes])[order],
        maps,
        masks,
    )
