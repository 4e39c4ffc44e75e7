"""Checks any annotation file that the package reads, with its folder of images."""

from collections.abc import Sequence
from pathlib import Path

from rmlr_lightning.annotations.any_layout import read_any
from rmlr_lightning.annotations.coco_boxes import BoxAnnotations
from rmlr_lightning.errors import counted
from rmlr_lightning.images.image_check import Track
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.check import WITH_IMAGES, Split, check_boxes, check_splits
from rmlr_lightning.preparation.report import Report


def check_anything(
    annotations: Path,
    images: Sequence[Path],
    split: str,
    instances: Path | None,
    ids: Path | None,
    decode: bool,
    track: Track,
) -> None:
    """Check an annotation file and its images.

    Args:
        annotations: a file of any layout (see `read_any`).
        images: folders of its images, searched in order.
        split: "train" or "test", for HICO-DET's .mat.
        instances, ids: for V-COCO's official files.
        decode, track: see `check_splits`.

    Raises:
        UserError: a file is missing or broken, or there were problems.
    """
    report = Report()
    read = read_any(annotations, split, instances, ids)
    files = [path for path in (annotations, instances, ids) if path is not None]
    folders = ImageFolders(images or [annotations.parent])
    name = split if annotations.suffix == ".mat" else annotations.stem
    checked = Split(name, tuple(files), read.targets, folders, way_out=WITH_IMAGES)
    if isinstance(read, BoxAnnotations):
        report.line(f"{annotations}: COCO's boxes")
        if read.flat:
            report.line(f"  {counted(read.flat, 'box', 'boxes')} without area left out")
        check_boxes(report, checked, decode, track)
    else:
        report.line(f"{annotations}: {read.layout}")
        check_splits(report, [checked], decode, track)
    report.finish(annotations.name)
