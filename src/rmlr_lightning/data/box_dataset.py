"""Boxes of COCO-format instance files, to train and test a detector on."""

import contextlib
import io
from pathlib import Path

import torch
from PIL import Image
from pycocotools.coco import COCO
from torch.utils.data import Dataset

from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.image_file import open_image
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import BoxTarget
from rmlr_lightning.vocabulary import COCO_INDEX_OF_CATEGORY


def read_coco_boxes(path: str | Path) -> list[BoxTarget]:
    """All images of a COCO instances json, their boxes as continuous xyxy pixels; those without area are left out."""
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; expected COCO instances (for the embedded world: `rmlr-prepare synthetic`)"
        )
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timings
            coco = COCO(str(path))
        targets = []
        for image_id, image in coco.imgs.items():
            rows = [
                row for row in coco.imgToAnns[image_id] if row["bbox"][2] > 0 and row["bbox"][3] > 0
            ]
            boxes = torch.tensor([row["bbox"] for row in rows], dtype=torch.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            if not boxes.isfinite().all():
                raise ValueError(f"image {image_id} has a box that is not finite")
            labels = torch.tensor(
                [COCO_INDEX_OF_CATEGORY[row["category_id"]] for row in rows], dtype=torch.long
            )
            crowd = torch.tensor([bool(row.get("iscrowd", 0)) for row in rows], dtype=torch.bool)
            size = torch.tensor([image["height"], image["width"]])
            targets.append(BoxTarget(image["file_name"], image_id, size, boxes, labels, crowd))
    except (AssertionError, ValueError, RuntimeError, KeyError, TypeError, IndexError) as error:
        raise UserError(
            f"{path}: not a COCO instances file ({type(error).__name__}: {error})"
        ) from error
    return targets


class CocoBoxes(Dataset):
    """Pictures with their boxes: (pixels (3, H, W) in [0, 1], BoxTarget)."""

    def __init__(
        self,
        annotations: str | Path,
        images: str | Path,
        resize: ResizeExact | ResizeShortest,
        augment=None,
        limit: int | None = None,
    ) -> None:
        self.targets = read_coco_boxes(annotations)[:limit]
        if not self.targets:
            raise UserError(f"{annotations}: no image in it (limit={limit})")
        self.images = Path(images)
        self.resize = resize
        self.augment = augment

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Item:
        target = self.targets[index]
        picture: Image.Image = open_image(self.images / target.file_name)
        pixels, (boxes,) = transform(picture, [target.boxes], self.resize, self.augment)
        target = target._replace(boxes=boxes)
        return Item(target.image_id, target.size, pixels=pixels, boxes=target)
