"""Images with annotated boxes, to train and evaluate a detector."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import torch
from torch.utils.data import Dataset
from torchvision.ops import batched_nms

from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.annotations.coco_instances import read_ids
from rmlr_lightning.annotations.held_out import SHARE, is_held_out
from rmlr_lightning.data.augmentation import RandomShortest
from rmlr_lightning.data.collate import Item
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import (
    ResizeExact,
    ResizeShortest,
    canvas_pixels,
    transform,
)
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.images.image_file import ImageFolders, open_image
from rmlr_lightning.ops.classes import index_of
from rmlr_lightning.types import BoxTarget, Target

Files = str | PathLike[str] | Sequence[str | PathLike[str]]


class BoxDataset(Dataset):
    """Items with pixels and annotated boxes.

    Args:
        objects: names of the classes that the targets' labels are indices into.
        images: the folder that the targets' file names are relative to, or a list of folders that
            are searched in order.
        resize: size of the canvas.
        augment: a torchvision v2 transform over (pixels, groups of boxes). Boxes that a crop cuts
            become their visible part.
        random_resize: draws the canvas of each item, in place of `resize`.
    """

    def __init__(
        self,
        objects: Sequence[str],
        targets: list[BoxTarget],
        images: str | Path | Sequence[str | Path] | ImageFolders,
        resize: ResizeExact | ResizeShortest,
        augment: Callable | None = None,
        random_resize: RandomShortest | None = None,
    ) -> None:
        self.objects = tuple(objects)
        self.targets = targets
        self.images = ImageFolders(images)
        self.resize = resize
        self.augment, self.random_resize = augment, random_resize
        self.notes: tuple[str, ...] = ()  # what the user should know when the data set is opened

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

    def unite(self, objects: Sequence[str]) -> None:
        """Number the classes by a list of names that has all of this one's."""
        if tuple(objects) == self.objects:
            return
        place = index_of(self.objects, objects)
        self.targets = [t._replace(labels=place[t.labels]) for t in self.targets]
        self.objects = tuple(objects)

    def costs(self) -> list[tuple[int, int]]:
        """Cost of each image, to group similar ones in a batch: canvas pixels, annotated boxes."""
        return [
            (canvas_pixels(self.resize, target.size), len(target.boxes)) for target in self.targets
        ]


def coco_boxes(
    annotations: Files,
    images: str | Path | Sequence[str | Path],
    ids: str | Path | None = None,
    exclude: Files = (),
    held_out: bool | None = None,
    share: float = SHARE,
    limit: int | None = None,
    **options: object,
) -> BoxDataset:
    """The boxes of COCO's instances json, or of several such files as one data set.

    Args:
        annotations: the file, or a list of files with the same classes.
        images: see `BoxDataset`.
        ids: only these images: a file with one id per line.
        exclude: none of these images: such a file, or a list of files.
        held_out, share: see `HOIDataset`.
        limit: the first so many images.
        options: of `BoxDataset`.

    Raises:
        UserError: a file cannot be read, two have different classes or one image, `ids` lists an
            image that no file holds, or no image or box is left.
    """
    files = _listed(annotations)
    read = [read_coco_boxes(file) for file in files]
    for file, other in zip(files, read, strict=True):
        if other.objects != read[0].objects:
            raise UserError(f"{file}: has other categories than {files[0]}")
    found = [target.image_id for one in read for target in one.targets]
    if len(set(found)) < len(found):
        raise UserError(f"{', '.join(map(str, files))}: two of the files hold one image id")

    only = None if ids is None else set(read_ids(ids))
    absent = sorted((only or set()) - set(found))
    if absent:
        raise UserError(
            f"{ids}: lists {counted(len(absent), 'image')} that {files[0]} does not hold, "
            f"{absent[0]} first"
        )
    without = {image for file in _listed(exclude) for image in read_ids(file)}

    def is_kept(target: BoxTarget) -> bool:
        right_side = held_out is None or is_held_out(target.file_name, share) == held_out
        listed = only is None or target.image_id in only
        return right_side and listed and target.image_id not in without

    targets = [target for one in read for target in one.targets if is_kept(target)][:limit]
    if not targets:
        raise UserError(
            f"{files[0]}: no image is left for this split (ids, exclude, held_out, share and "
            f"limit={limit} leave none)"
        )
    if not any(len(target.boxes) for target in targets):
        raise UserError(f"{files[0]}: no image of this split has a box, of {len(targets):,}")
    dataset = BoxDataset(read[0].objects, targets, images, **options)
    flat = sum(one.flat for one in read)
    if flat:
        dataset.notes = (f"{counted(flat, 'box', 'boxes')} of {files[0]} left out: no area",)
    return dataset


def interaction_boxes(
    interactions: Callable[..., HOIDataset], max_overlap: float = 0.7, **options: object
) -> BoxDataset:
    """The boxes of annotated interactions, whatever annotation files they come from.

    Args:
        interactions: makes the HOI data set, such as `hicodet_dataset`.
        max_overlap: see `boxes_of`.
        options: of the HOI data set.

    Raises:
        UserError: see `HOIDataset`.
    """
    dataset = interactions(**options)
    vocabulary = dataset.vocabulary
    return BoxDataset(
        vocabulary.objects,
        [boxes_of(target, vocabulary.subject, max_overlap) for target in dataset.targets],
        dataset.images,
        dataset.resize,
        dataset.augment,
        dataset.random_resize,
    )


def boxes_of(target: Target, subject: int | None, max_overlap: float = 0.7) -> BoxTarget:
    """The subjects and objects of an image's interactions, each instance once.

    A file repeats the box of an instance in each of its interactions; HICO-DET's annotators drew it
    anew each time. Of boxes of one class whose IoU exceeds `max_overlap` the first is kept,
    subjects before objects, in the order of the file: NMS without scores, as for UPT's detector.
    Two people who overlap that much become one.

    Args:
        subject: class of the subjects, where the target does not hold theirs.
    """
    with_object = target.objects >= 0
    subjects = target.subjects
    if subjects is None:
        subjects = torch.full_like(target.objects, subject)
    boxes = torch.cat([target.boxes_h, target.boxes_o[with_object]]).float().reshape(-1, 4)
    labels = torch.cat([subjects, target.objects[with_object]])

    has_area = (boxes[:, 2:] > boxes[:, :2]).all(1)
    boxes, labels = boxes[has_area], labels[has_area]
    order = torch.arange(len(boxes), 0, -1, dtype=torch.float32)
    kept = batched_nms(boxes, order, labels, max_overlap)
    crowd = torch.zeros(len(kept), dtype=torch.bool)
    return BoxTarget(
        target.file_name, target.image_id, target.size, boxes[kept], labels[kept], crowd
    )


def _listed(files: Files) -> list[str | PathLike[str]]:
    return [files] if isinstance(files, (str, PathLike)) else list(files)
