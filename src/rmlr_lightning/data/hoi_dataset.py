"""Pictures with their interactions, whatever annotation files they come from."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from rmlr_lightning.annotations.hicodet import HICODetAnnotations, read_hicodet
from rmlr_lightning.annotations.vcoco import VCOCOAnnotations, read_vcoco
from rmlr_lightning.cache.views import View
from rmlr_lightning.data.image_file import open_image
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities, Target
from rmlr_lightning.vocabulary import Vocabulary


class HOIDataset(Dataset):
    """(pixels (3, H, W) in [0, 1], Target), and with `given="truth"` also the true boxes as entities.

    Args:
        annotations: what a reader returns: `vocabulary`, `targets`, and perhaps `image_hois`.
        images: the folder that the targets' file names are relative to.
        resize: decides the canvas.
        augment: a torchvision v2 transform over (pixels, groups of boxes).
        given: "truth" hands out the true boxes in place of a detector's.
        only_interacting: leave out images without pairs, as the field does in training.
        held_out: False keeps the images that `share` does not hold out, True those that it does; None keeps all. An
            image's side depends on its file name alone.
        share: how much of the images is held out, to make choices on where a data set has no validation split.
        limit: the first so many images.

    Raises:
        UserError: nothing is left.
    """

    def __init__(
        self,
        annotations: HICODetAnnotations | VCOCOAnnotations,
        images: str | Path,
        resize: ResizeExact | ResizeShortest,
        augment: Callable | None = None,
        given: str | None = None,
        only_interacting: bool = False,
        held_out: bool | None = None,
        share: float = 0.05,
        limit: int | None = None,
    ) -> None:
        self.vocabulary: Vocabulary = annotations.vocabulary
        if limit is not None and limit < 1:
            raise UserError(f"limit={limit}: expected a number of images from 1")
        labels = getattr(annotations, "image_hois", None)
        keep = [
            index
            for index, target in enumerate(annotations.targets)
            if (len(target.verbs) or not only_interacting)
            and (held_out is None or (_lot(target.file_name) < share) == held_out)
        ][:limit]
        if not keep:
            raise UserError(
                f"{images}: no image is left for this split (only_interacting, held_out, share, limit leave none)"
            )
        self.targets: list[Target] = [annotations.targets[i] for i in keep]
        self.image_hois = (
            {self.targets[n].image_id: labels[i] for n, i in enumerate(keep)}
            if labels is not None
            else None
        )
        self.images, self.resize, self.augment, self.given = Path(images), resize, augment, given

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple:
        target = self.targets[index]
        picture = self.picture(target.file_name)
        if not target.size.all():  # QPIC's files do not say
            target = target._replace(size=torch.tensor([picture.height, picture.width]))
        pixels, (boxes_h, boxes_o) = transform(
            picture, [target.boxes_h, target.boxes_o], self.resize, self.augment
        )
        target = target._replace(boxes_h=boxes_h, boxes_o=boxes_o)
        return (pixels, target) if self.given is None else (pixels, target, true_entities(target))

    def picture(self, file_name: str) -> Image.Image:
        """One of its pictures as it is."""
        return open_image(self.images / file_name)

    def pixels(self, index: int, view: View) -> tuple[Tensor, Tensor]:
        """A picture in a view, (3, H, W) in [0, 1] without augmentation, and the size (height, width) of its file."""
        picture = self.picture(self.targets[index].file_name)
        pixels, _ = transform(picture, [], view.resize(self.resize))
        return pixels.flip(2) if view.flip else pixels, torch.tensor(
            [picture.height, picture.width]
        )

    def costs(self) -> list[tuple[int, int]]:
        """What makes an image dear, to batch alike with alike: pixels of its canvas, then true pairs."""
        return [
            (
                math.prod(self.resize.canvas(*target.size.tolist())) if target.size.all() else 0,
                len(target.verbs),
            )
            for target in self.targets
        ]


def hicodet_dataset(
    annotations: str, images: str, split: str = "train", image_labels: str | None = None, **options
) -> HOIDataset:
    """A split of HICO-DET, or of anything in its layout. See `read_hicodet` and `HOIDataset`."""
    return HOIDataset(read_hicodet(annotations, split, image_labels), images, **options)


def vcoco_dataset(
    annotations: str, images: str, instances: str | None = None, ids: str | None = None, **options
) -> HOIDataset:
    """A split of V-COCO, or of anything in its layout. See `read_vcoco` and `HOIDataset`."""
    return HOIDataset(read_vcoco(annotations, instances=instances, ids=ids), images, **options)


def _lot(file_name: str) -> float:
    """A number in [0, 1) drawn from the name."""
    return int(hashlib.sha256(Path(file_name).name.encode()).hexdigest()[:8], 16) / 2**32


def true_entities(target: Target) -> Entities:
    """The different boxes of a target as certain entities of one image, relative to its size, without tokens."""
    scale = target.size.flip(0).repeat(2)
    real = target.objects >= 0
    boxes = torch.cat([target.boxes_h, target.boxes_o[real]]) / scale
    labels = torch.cat([torch.zeros_like(target.objects), target.objects[real]])
    rows: Tensor = torch.unique(torch.cat([labels[:, None].double(), boxes.double()], 1), dim=0)
    boxes, count = rows[:, 1:].float().reshape(-1, 4), len(rows)
    return Entities(
        boxes,
        torch.ones(count),
        rows[:, 0].long(),
        torch.zeros(count, 0),
        torch.ones(count, dtype=torch.bool),
    )
