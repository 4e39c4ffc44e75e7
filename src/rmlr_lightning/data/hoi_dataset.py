"""Images with annotated interactions, whatever annotation files they come from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from rmlr_lightning.annotations.held_out import SHARE, is_held_out
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.data.augmentation import RandomShortest
from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, canvas_pixels, transform
from rmlr_lightning.data.truth import true_entities, truth_of
from rmlr_lightning.data.views import View
from rmlr_lightning.errors import UserError
from rmlr_lightning.images.image_file import ImageFolders, open_image
from rmlr_lightning.ops.boxes import shifted
from rmlr_lightning.ops.classes import Renumber
from rmlr_lightning.ops.zero_shot import rows_of, without_pairs
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary

SHIFT = 0.1  # of the side of a box


class Annotations(Protocol):
    """What a reader of annotation files returns."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def targets(self) -> list[Target]: ...


class HOIDataset(Dataset):
    """Items with pixels and annotated pairs; with `external` also the true boxes.

    Args:
        annotations: output of a reader: `vocabulary` and `targets`.
        images: the folder that the targets' file names are relative to, or a list of folders that
            are searched in order.
        resize: size of the canvas.
        augment: a torchvision v2 transform over (pixels, groups of boxes). A pair stays if a crop
            leaves something of both of its boxes.
        random_resize: draws the canvas of each item, in place of `resize`. Caches use `resize`.
        external: "truth" passes the true boxes as external detections, "shifted" such
            that are off by a tenth of their sides.
        only_interacting: leave out images without pairs, as the field does in training.
        held_out: False keeps the images that are not held out, True those that are; None keeps
            all. The side of an image depends on its file name alone.
        share: of the images that is held out, where a data set has no validation split.
        unseen: HOIs of which training must not see a pair (`ops.zero_shot`).
        unseen_annotations: "removed" drops the pairs that have one; images that are left without
            pairs leave with only_interacting. "masked" keeps them, as the task leaves the unseen
            HOIs out of all losses.
        limit: the first so many images.

    Raises:
        UserError: a wrong option, or no image is left.
    """

    def __init__(
        self,
        annotations: Annotations,
        images: str | Path | Sequence[str | Path],
        resize: ResizeExact | ResizeShortest,
        augment: Callable | None = None,
        random_resize: RandomShortest | None = None,
        external: str | None = None,
        only_interacting: bool = False,
        held_out: bool | None = None,
        share: float = SHARE,
        unseen: Callable[[Vocabulary], frozenset[int]] | None = None,
        unseen_annotations: str = "removed",
        limit: int | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"limit={limit}: expected a number of images from 1")
        if external not in (None, "truth", "shifted"):
            raise UserError(f"external={external}: choose null, truth (the true boxes) or shifted")
        if unseen_annotations not in ("removed", "masked"):
            raise UserError(f"unseen_annotations={unseen_annotations}: choose removed or masked")

        # of the file, whose numbers scorers use; and of the data set, once it is united
        self.file_vocabulary: Vocabulary = annotations.vocabulary
        self.vocabulary: Vocabulary = annotations.vocabulary
        self._annotated = annotations.targets
        self._unseen = unseen if unseen_annotations == "removed" else None
        self._only_interacting, self._limit = only_interacting, limit
        self._held_out, self._share = held_out, share
        self.images, self.resize, self.augment = ImageFolders(images), resize, augment
        self.random_resize, self.external = random_resize, external
        self._select()

    def _select(self) -> None:
        """Choose the targets of this split from those of the file."""
        targets = self._annotated
        if self._unseen is not None:
            hidden = self._unseen(self.vocabulary)
            targets = [without_pairs(target, hidden) for target in targets]
        self.targets = [target for target in targets if self._is_kept(target)][: self._limit]
        if not self.targets:
            raise UserError(
                f"{self.images}: no image is left for this split (only_interacting, held_out, "
                "share and limit leave none)"
            )
        self._size_of = {t.file_name: tuple(t.size.tolist()) for t in self.targets}
        self._by_id = {target.image_id: target for target in self.targets}

    def _is_kept(self, target: Target) -> bool:
        is_out = self._held_out is not None and is_held_out(target.file_name, self._share)
        right_side = self._held_out is None or is_out == self._held_out
        return right_side and (len(target.verbs) > 0 or not self._only_interacting)

    def unite(self, vocabulary: Vocabulary) -> None:
        """Number the classes by a vocabulary that has all of this one's, by name.

        Splits of a data set share one order of classes (`ops.classes`).
        """
        if vocabulary == self.vocabulary:
            return
        renumber = Renumber(self.vocabulary, vocabulary)
        self._annotated = [renumber(target) for target in self._annotated]
        self.vocabulary = vocabulary
        # unseen HOIs may be drawn from the vocabulary
        self._select()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Item:
        target = self.targets[index]
        resize = self.resize if self.random_resize is None else self.random_resize.draw()
        image = self.image(target.file_name)
        out = transform(image, [target.boxes_h, target.boxes_o], resize, self.augment)
        kept = out.inside[0] & out.inside[1]
        target = rows_of(target._replace(boxes_h=out.boxes[0], boxes_o=out.boxes[1]), kept)
        return self.item(target, out.size, pixels=out.pixels)

    def item(self, target: Target, size: Int[Tensor, "2"], **parts: object) -> Item:
        """The item of an image whose boxes have been augmented with it.

        Args:
            size: (height, width) of the file, or of what a crop left of it.
            parts: other fields of the item.
        """
        truth = truth_of(target, size, len(self.vocabulary.verbs))
        external = None
        if self.external is not None:
            external = true_entities(target, size, self.vocabulary.subject)
        if self.external == "shifted":
            # by the image, so that it has the same boxes in every epoch
            boxes = shifted(external.boxes, SHIFT, int(target.image_id))
            external = external._replace(boxes=boxes)
        return Item(target.image_id, size, truth=truth, external=external, **parts)

    def target(self, image_id: int) -> Target:
        """The exact annotations of an image."""
        return self._by_id[image_id]

    def image(self, file_name: str) -> Image.Image:
        """One of its images, as it is."""
        return open_image(self.images / file_name, self._size_of.get(file_name))

    def pixels(self, index: int, view: View) -> tuple[Float[Tensor, "3 H W"], Int[Tensor, "2"]]:
        """An image in a view, in [0, 1] without augmentation, and (height, width) of its file."""
        image = self.image(self.targets[index].file_name)
        pixels = transform(image, [], view.resize(self.resize)).pixels
        return pixels.flip(2) if view.flip else pixels, torch.tensor([image.height, image.width])

    def costs(self) -> list[tuple[int, int]]:
        """Cost of each image, to group similar ones in a batch: canvas pixels, annotated rows."""
        return [
            (canvas_pixels(self.resize, target.size), len(target.verbs)) for target in self.targets
        ]


def hicodet_dataset(
    annotations: str,
    images: str | Path | Sequence[str | Path],
    split: str = "train",
    image_labels: str | None = None,
    **options: object,
) -> HOIDataset:
    """A split of HICO-DET, or of anything in its layout. See `read_hicodet` and `HOIDataset`."""
    return HOIDataset(read_hicodet(annotations, split, image_labels), images, **options)


def vcoco_dataset(
    annotations: str,
    images: str | Path | Sequence[str | Path],
    instances: str | None = None,
    ids: str | None = None,
    **options: object,
) -> HOIDataset:
    """A split of V-COCO, or of anything in its layout. See `read_vcoco` and `HOIDataset`."""
    return HOIDataset(read_vcoco(annotations, instances=instances, ids=ids), images, **options)


def relations_dataset(
    annotations: str,
    images: str | Path | Sequence[str | Path],
    vocabulary: str | None = None,
    **options: object,
) -> HOIDataset:
    """A split of data of your own, or with relations. See `read_relations` and `HOIDataset`."""
    return HOIDataset(read_relations(annotations, vocabulary), images, **options)
