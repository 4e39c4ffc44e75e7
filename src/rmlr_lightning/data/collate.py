"""From a list of pictures to a padded batch."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rmlr_lightning.types import Batch, Entities, Images, Inputs


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


def collate(items: list[tuple]) -> Batch:
    """(pixels, target) or (pixels, target, given entities) of several images -> Batch. Sizes are those of the files."""
    pixels, targets, *given = zip(*items, strict=True)
    images = collate_images(list(pixels), [target.size for target in targets])
    entities = collate_entities(list(given[0])) if given else None
    return Batch(Inputs(images, None, entities), list(targets))
