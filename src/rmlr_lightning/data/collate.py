"""From items of single images to a padded batch."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.data.truth import collate_truths
from rmlr_lightning.ops.candidates import Rules, select_and_pair, with_vocabulary_classes
from rmlr_lightning.ops.masked import map_mask
from rmlr_lightning.types import Batch, BoxTarget, Entities, Images, Inputs, Scene, Truth


class Item(NamedTuple):
    """One image of a data set. Nothing in it has a batch dimension."""

    image_id: int
    size: Int[Tensor, "2"]  # (height, width) of the file
    pixels: Float[Tensor, "3 H W"] | None = None  # in [0, 1]
    scene: Scene | None = None  # cached detector outputs
    external: Entities | None = None  # external detections
    truth: Truth | None = None  # annotated pairs
    boxes: BoxTarget | None = None  # annotated boxes, for the detection task


def collate(items: list[Item], rules: Rules | None = None, half: bool = False) -> Batch:
    """Pads the parts that the items have; all items have the same parts.

    Args:
        rules: of a model in training: cached Scenes become candidate pairs here, so that a GPU
            never waits for their number.
        half: cached Scenes keep the precision that they are stored in.
    """
    first = items[0]
    sizes = [item.size for item in items]
    images = scene = external = truth = boxes = None
    if first.pixels is not None:
        images = collate_images([item.pixels for item in items], sizes)
    if first.scene is not None:
        scene = collate_scenes([item.scene for item in items], half)
    if first.external is not None:
        external = collate_entities([item.external for item in items])
    if first.truth is not None:
        truth = collate_truths([item.truth for item in items])
    if first.boxes is not None:
        boxes = in_few_tensors([item.boxes for item in items])
    inputs = Inputs(images, scene, external)
    if rules is not None and scene is not None and external is None:
        scene, pairs = select_and_pair(with_vocabulary_classes(scene, rules), rules)
        inputs = inputs._replace(scene=scene, pairs=pairs)
    return Batch(inputs, truth, [item.image_id for item in items], boxes)


def in_few_tensors(targets: list[BoxTarget]) -> list[BoxTarget]:
    """The same targets as views of one tensor per field.

    Each tensor that a loading process sends takes a file descriptor of the main process for as long
    as anything refers to it, and the system allows as few as 1,024.
    """
    counts = [len(target.labels) for target in targets]
    boxes, labels, crowd = (
        torch.cat([getattr(target, name) for target in targets]).split(counts)
        for name in ("boxes", "labels", "crowd")
    )
    sizes = torch.stack([target.size for target in targets])
    return [
        target._replace(size=sizes[i], boxes=boxes[i], labels=labels[i], crowd=crowd[i])
        for i, target in enumerate(targets)
    ]


def collate_images(pixels: list[Tensor], sizes: list[Tensor]) -> Images:
    """Images (3, h, w), padded at the right and bottom to the largest; True on pixels."""
    height = max(image.shape[1] for image in pixels)
    width = max(image.shape[2] for image in pixels)
    batch = torch.zeros(len(pixels), 3, height, width)
    mask = torch.zeros(len(pixels), height, width, dtype=torch.bool)
    for row, image in enumerate(pixels):
        batch[row, :, : image.shape[1], : image.shape[2]] = image
        mask[row, : image.shape[1], : image.shape[2]] = True
    return Images(batch, mask, torch.stack(sizes))


def collate_entities(entities: list[Entities]) -> Entities:
    """Entities of single images, padded to the fullest."""
    return Entities(
        *(pad_sequence(list(field), batch_first=True) for field in zip(*entities, strict=True))
    )


def collate_scenes(scenes: list[Scene], half: bool = False) -> Scene:
    """Scenes of single images in any precision, padded, in float32 and int64.

    Args:
        half: leave floating-point numbers as they are.
    """
    entities = [scene.entities for scene in scenes]
    count = max(len(single.scores) for single in entities)
    fields = []
    for values in zip(*entities, strict=True):
        fields.append(_padded(list(values), (count, *values[0].shape[1:]), half))

    memory = _padded_maps([scene.memory for scene in scenes], half)
    mask = _padded([scene.memory_mask for scene in scenes], tuple(memory.shape[2:]))
    sizes = torch.stack([scene.sizes for scene in scenes]).long()
    maps, masks = {}, {}
    for name in scenes[0].maps:
        maps[name] = _padded_maps([scene.maps[name] for scene in scenes], half)
        real = [torch.ones(scene.maps[name].shape[1:], dtype=torch.bool) for scene in scenes]
        masks[name] = _padded(real, tuple(maps[name].shape[2:]))
    return Scene(Entities(*fields), memory, mask, sizes, maps, masks)


def single_scenes(scene: Scene) -> list[Scene]:
    """The reverse of `collate_scenes`: batches of one image, cut to what is real."""
    singles = []
    for row in range(len(scene.sizes)):
        real = scene.entities.mask[row]
        entities = Entities(*(field[row : row + 1, real] for field in scene.entities))

        mask = scene.memory_mask[row]
        height, width = _extent(mask)
        memory = scene.memory[row : row + 1, :, :height, :width]
        sizes = scene.sizes[row : row + 1]
        maps = {}
        for name, value in scene.maps.items():
            rows, columns = _extent(map_mask(scene, name)[row])
            maps[name] = value[row : row + 1, :, :rows, :columns]
        singles.append(Scene(entities, memory, mask[None, :height, :width], sizes, maps))
    return singles


def _extent(mask: Bool[Tensor, "h w"]) -> tuple[int, int]:
    """Rows and columns that are not padding."""
    return int(mask.any(1).sum()), int(mask.any(0).sum())


def _padded_maps(maps: list[Tensor], half: bool) -> Tensor:
    """Maps "C h w" of single images, padded to the largest."""
    height, width = (max(single.shape[axis] for single in maps) for axis in (1, 2))
    return _padded(maps, (maps[0].shape[0], height, width), half)


def _padded(values: list[Tensor], shape: tuple[int, ...], half: bool = False) -> Tensor:
    """Values of one batch, zeros beyond their ends. Numbers become float32 or int64."""
    kind = values[0].dtype
    if kind.is_floating_point:
        dtype = kind if half else torch.float32
    else:
        dtype = torch.bool if kind == torch.bool else torch.int64

    # without padding the zeros would be written for nothing
    is_full = all(value.shape == shape for value in values)
    batch = (torch.empty if is_full else torch.zeros)(len(values), *shape, dtype=dtype)
    for row, value in zip(batch, values, strict=True):
        row[tuple(slice(side) for side in value.shape)].copy_(value)
    return batch
