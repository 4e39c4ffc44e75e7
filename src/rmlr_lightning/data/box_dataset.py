"""Images with annotated boxes, to train and evaluate a detector."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch.utils.data import Dataset

from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.data.augmentation import RandomShortest
from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.image_file import ImageFolders, open_image
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.errors import UserError


class CocoBoxes(Dataset):
    """Items with pixels and annotated boxes.

    Args:
        annotations: COCO's instances json.
        images: the folder that its file names are relative to, or a list of folders that are
            searched in order.
        resize: size of the canvas.
        augment: a torchvision v2 transform over (pixels, groups of boxes).
        random_resize: draws the canvas of each item, in place of `resize`.
        limit: the first so many images.

    Raises:
        UserError: the annotations cannot be read or list no images.
    """

    def __init__(
        self,
        annotations: str | Path,
        images: str | Path | Sequence[str | Path],
        resize: ResizeExact | ResizeShortest,
        augment: Callable | None = None,
        random_resize: RandomShortest | None = None,
        limit: int | None = None,
    ) -> None:
        self.targets = read_coco_boxes(annotations)[:limit]
        if not self.targets:
            raise UserError(f"{annotations}: no image in it (limit={limit})")
        self.images = ImageFolders(images)
        self.resize = resize
        self.augment, self.random_resize = augment, random_resize

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Item:
        target = self.targets[index]
        resize = self.resize if self.random_resize is None else self.random_resize.draw()
        image = open_image(self.images / target.file_name, tuple(target.size.tolist()))
        out = transform(image, [target.boxes], resize, self.augment)
        kept = out.inside[0]
        target = target._replace(
            size=out.size,  # which the boxes are relative to; smaller than the file after a crop
            boxes=out.boxes[0][kept],
            labels=target.labels[kept],
            crowd=target.crowd[kept],
        )
        return Item(target.image_id, out.size, pixels=out.pixels, boxes=target)
