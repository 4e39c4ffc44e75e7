"""Annotated interactions with cached Scenes in place of images."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch.utils.data import Dataset

from rmlr_lightning.cache.shard import Outline
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.types import Target

CONFIDENT = 0.2  # as the default of `Selection`; here it only estimates the number of pairs


class CachedHOIDataset(Dataset):
    """Items with the cached Scene of each image and its annotated pairs in the Scene's view.

    Args:
        uncached: the data set without a cache; its augmentation is not used.
        stores: caches of its images, one per view. Of several, one is drawn at random for each
            item, by torch's generator, so that runs can be repeated.
        subject: the detector's label of the humans' class; None: any.
        pixels: also load the images as the detector saw them in that view, for extractors that
            need pixels.
    """

    def __init__(
        self,
        uncached: HOIDataset,
        stores: Sequence[SceneStore],
        subject: int | None,
        pixels: bool = False,
    ) -> None:
        self.uncached, self.stores, self.pixels = uncached, list(stores), pixels
        self.subject = subject
        self.vocabulary, self.targets = uncached.vocabulary, uncached.targets

    def __len__(self) -> int:
        return len(self.uncached)

    def __getitem__(self, index: int) -> Item:
        store = self._draw_store()
        scene, view = store.scene(index), store.view
        size = scene.sizes.long()
        target = self.targets[index]
        target = target._replace(
            boxes_h=view.boxes(target.boxes_h, size), boxes_o=view.boxes(target.boxes_o, size)
        )
        pixels = self.uncached.pixels(index, view)[0] if self.pixels else None
        return self.uncached.item(target, size, scene=scene, pixels=pixels)

    def _draw_store(self) -> SceneStore:
        if len(self.stores) == 1:
            return self.stores[0]
        return self.stores[int(torch.randint(len(self.stores), ()))]

    def target(self, image_id: int) -> Target:
        """See `HOIDataset.target`."""
        return self.uncached.target(image_id)

    def image(self, file_name: str) -> Image.Image:
        """See `HOIDataset.image`."""
        return self.uncached.image(file_name)

    def costs(self) -> list[tuple[int, int]]:
        """Cost of each image, to group similar ones in a batch: memory cells, expected pairs."""
        return [_cost(self.stores[0].outline(i), self.subject) for i in range(len(self))]

    def largest(self) -> tuple[dict[str, tuple[int, int]], int]:
        """(rows, columns) of the largest maps, by name, and rows of the longest annotation.

        Compiled training reserves them (`ops.capacity`).
        """
        sizes: dict[str, tuple[int, int]] = {}
        for store in self.stores:
            for index in range(len(self)):
                for name, size in store.outline(index).maps.items():
                    known = sizes.get(name, (0, 0))
                    sizes[name] = max(known[0], size[0]), max(known[1], size[1])
        return sizes, max(len(target.objects) for target in self.targets)

    def missing_augmentations(self) -> list[str]:
        """Names of the augmentations that the uncached data set has and this one has not."""
        augmentations = (self.uncached.augment, self.uncached.random_resize)
        # a name may occur twice: multi-scale, before a crop and after it
        names = list(dict.fromkeys(name for part in augmentations for name in _names(part)))
        if any(store.view.flip for store in self.stores):
            names = [name for name in names if name != "RandomHorizontalFlip"]
        return names


def _names(augmentation: Callable | None) -> list[str]:
    """The classes of the single transforms; those of `Compose` and `RandomApply` are theirs."""
    if augmentation is None:
        return []
    parts = getattr(augmentation, "transforms", None)
    if parts is None:
        return [type(augmentation).__name__]
    return [name for part in parts for name in _names(part)]


def _cost(outline: Outline, subject: int | None) -> tuple[int, int]:
    confident = outline.scores >= CONFIDENT
    human = confident if subject is None else confident & (outline.labels == subject)
    rows, columns = outline.maps["memory"]
    return rows * columns, int(human.sum()) * (int(confident.sum()) - 1)
