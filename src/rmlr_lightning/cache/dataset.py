"""Interactions with Scenes from the cache in place of pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.hoi_dataset import HOIDataset, true_entities

CONFIDENT = 0.2  # as the default of `Selection`; here it only sorts batches


class CachedHOIDataset(Dataset):
    """Items: the Scene of one image and its Target, changed as the view demands.

    Args:
        interactions: the data set without a cache; its augmentation is not used.
        folders: caches of its images, one a view. With several, one is drawn at random for each item, by torch's
            generator, so that runs can be repeated.
        pixels: load the pictures too, as the detector saw them in that view (`model/remine=backbone` needs them).
    """

    def __init__(
        self, interactions: HOIDataset, folders: Sequence[SceneStore], pixels: bool = False
    ) -> None:
        self.plain, self.folders, self.pixels = interactions, list(folders), pixels
        self.vocabulary, self.targets = interactions.vocabulary, interactions.targets
        self.image_hois = interactions.image_hois

    def __len__(self) -> int:
        return len(self.plain)

    def __getitem__(self, index: int) -> Item:
        views = len(self.folders)
        folder = self.folders[int(torch.randint(views, ())) if views > 1 else 0]
        scene, view, target = folder.scene(index), folder.view, self.targets[index]
        size = scene.sizes.long()
        target = target._replace(
            size=size,
            boxes_h=view.boxes(target.boxes_h, size),
            boxes_o=view.boxes(target.boxes_o, size),
        )
        pixels = self.plain.pixels(index, view)[0] if self.pixels else None
        given = true_entities(target) if self.plain.given is not None else None
        return Item(pixels, target, given, scene)

    def picture(self, file_name: str):
        """See `HOIDataset.picture`."""
        return self.plain.picture(file_name)

    def costs(self) -> list[tuple[int, int]]:
        """What makes an image dear, to batch alike with alike: cells of its memory, then pairs to expect."""
        return [_cost(self.folders[0].scene(index)) for index in range(len(self))]

    def lacks(self) -> list[str]:
        """The names of the augmentations that the data set without a cache has and this one has not."""
        augment = self.plain.augment
        parts = getattr(augment, "transforms", [augment] if augment is not None else [])
        names = [type(part).__name__ for part in parts]
        flips = any(folder.view.flip for folder in self.folders)
        return [name for name in names if not (flips and name == "RandomHorizontalFlip")]


def _cost(scene) -> tuple[int, int]:
    sure: Tensor = scene.entities.scores >= CONFIDENT
    people = int((sure & (scene.entities.labels == 0)).sum())
    return scene.memory_mask.numel(), people * (int(sure.sum()) - 1)
