"""From a list of pictures, or of Scenes of one image, to a padded batch."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.types import Batch, BoxTarget, Entities, Images, Inputs, Scene, Target


class Item(NamedTuple):
    """What a data set yields for one image; plain tuples that begin alike do as well."""

    pixels: Tensor | None  # (3, h, w) in [0, 1]
    target: Target | BoxTarget
    given: Entities | None = None  # boxes from elsewhere, without batch dimension
    scene: Scene | None = None  # what the detector said, without batch dimension


def collate_images(pixels: list[Tensor], sizes: list[Tensor]) -> Images:
    """Pad pictures (3, h, w) at the right and bottom to the largest of the batch; the mask is True on pixels."""
    height = max(picture.shape[1] for picture in pixels)
    width = max(picture.shape[2] for picture in pixels)
    batch = torch.zeros(len(pixels), 3, height, width)
    mask = torch.zeros(len(pixels), height, width, dtype=torch.bool)
    for index, picture in enumerate(pixels):
        batch[index, :, : picture.shape[1], : picture.shape[2]] = picture
        mask[index, : picture.shape[1], : picture.shape[2]] = True
    return Images(batch, mask, torch.stack(sizes))


def collate_entities(items: list[Entities]) -> Entities:
    """Entities of single images, padded to the fullest."""
    return Entities(*(pad_sequence(field, batch_first=True) for field in zip(*items, strict=True)))


def collate_scenes(scenes: list[Scene]) -> Scene:
    """Scenes of single images in any precision -> a padded one in float32, labels and sizes as integers."""
    entities = [scene.entities for scene in scenes]
    count = max(len(e.scores) for e in entities)
    fields = [
        _padded([e[place] for e in entities], (count, *entities[0][place].shape[1:]))
        for place in range(5)
    ]
    height = max(scene.memory.shape[1] for scene in scenes)
    width = max(scene.memory.shape[2] for scene in scenes)
    memory = _padded([scene.memory for scene in scenes], (scenes[0].memory.shape[0], height, width))
    mask = _padded([scene.memory_mask for scene in scenes], (height, width))
    sizes = torch.stack([scene.sizes for scene in scenes]).long()
    return Scene(Entities(*fields), memory, mask, sizes)


def single_scenes(scene: Scene) -> list[Scene]:
    """The reverse of `collate_scenes`: real entities only, memories cut to what is real; batches of one image."""
    singles = []
    for index in range(len(scene.sizes)):
        real = scene.entities.mask[index]
        mask = scene.memory_mask[index]
        height, width = int(mask.any(1).sum()), int(mask.any(0).sum())
        entities = Entities(*(field[index : index + 1, real] for field in scene.entities))
        memory = scene.memory[index : index + 1, :, :height, :width]
        sizes = scene.sizes[index : index + 1]
        singles.append(Scene(entities, memory, mask[None, :height, :width], sizes))
    return singles


def collate(items: list[tuple]) -> Batch:
    """`Item`s of several images -> Batch. Sizes are those of the files."""
    pixels, targets, given, scenes = zip(*(Item(*item) for item in items), strict=True)
    images = (
        None
        if pixels[0] is None
        else collate_images(list(pixels), [target.size for target in targets])
    )
    scene = None if scenes[0] is None else collate_scenes(list(scenes))
    entities = None if given[0] is None else collate_entities(list(given))
    return Batch(Inputs(images, scene, entities), list(targets))


def _padded(values: list[Tensor], shape: tuple[int, ...]) -> Tensor:
    """Zeros where a value ends before the shape does. Numbers become float32 or int64."""
    kind = values[0].dtype
    dtype = (
        torch.float32
        if kind.is_floating_point
        else torch.bool
        if kind == torch.bool
        else torch.int64
    )
    whole = all(value.shape == shape for value in values)
    batch = (torch.empty if whole else torch.zeros)(len(values), *shape, dtype=dtype)
    for row, value in zip(batch, values, strict=True):
        row[tuple(slice(side) for side in value.shape)].copy_(value)
    return batch
