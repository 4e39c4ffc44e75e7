"""Checks V-COCO, and makes the one file of it that otherwise needs Python 2."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmlr_lightning.annotations.coco_instances import read_ids, read_instances
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_once
from rmlr_lightning.images.image_check import Track
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.check import Split, check_splits
from rmlr_lightning.preparation.report import Report

SOURCE = """\
V-COCO (Gupta and Malik, 2015)
  annotations: https://github.com/s-gupta/v-coco (MIT licence), cloned into {data}/v-coco
  images: train2014.zip and val2014.zip of https://cocodataset.org, to be unpacked
    into {data}/mscoco2014; they are from Flickr, whose terms of use apply
  boxes: annotations_trainval2014.zip of https://cocodataset.org (CC BY 4.0), to be unpacked into
    {data}/mscoco2014"""

PUBLISHED = {
    "trainval": {"images": (5_400,), "with_pairs": (4_969,)},
    "test": {"images": (4_946,), "with_pairs": (4_532,)},
}
INSTANCES = "instances_vcoco_all_2014.json"


def check_vcoco(splits: Mapping[str, Mapping[str, Any]], decode: bool, track: Track) -> None:
    """Check the files that `data=vcoco` reads.

    Args:
        splits: options of `vcoco_dataset` by split: annotations, instances, ids, images.
        decode, track: see `check_splits`.

    Raises:
        UserError: an annotation file is missing or broken, or there were problems.
    """
    report = Report()
    found = []
    for name, key in (("trainval", "train"), ("test", "test")):
        options = splits[key]
        extra = {kind: options.get(kind) for kind in ("instances", "ids")}
        read = read_vcoco(options["annotations"], **extra)
        files = [Path(path) for path in (options["annotations"], *extra.values()) if path]
        images = ImageFolders(options["images"])
        found.append(Split(name, tuple(files), read.targets, images, PUBLISHED[name]))
    check_splits(report, found, decode, track)
    report.finish("V-COCO")


def make_instances(vcoco: Path, coco: Path, data: Path) -> Path | None:
    """Make `instances_vcoco_all_2014.json` from COCO's own instances, unless it exists.

    It has the images of V-COCO and all their annotations: those of train first, in COCO's order,
    as the authors' script writes them.

    Args:
        vcoco: V-COCO's folder, with splits/vcoco_all.ids; the file is made here.
        coco: COCO's folder of images; its annotations are searched here and in `data`.
        data: the folder of all data sets.

    Returns:
        The file if it was made; None if it exists, or if V-COCO's splits are not here.

    Raises:
        UserError: the list of images or COCO's instances are missing or broken, or lack images.
    """
    # splits/ comes with a clone of the official repository; UPT's json needs no instances
    out, ids = vcoco / INSTANCES, vcoco / "splits" / "vcoco_all.ids"
    if out.exists() or not ids.parent.is_dir():
        return None
    if not ids.is_file():
        raise UserError(
            f"{ids}: no such file; it lists the images of {INSTANCES}, and is in a clone of "
            "https://github.com/s-gupta/v-coco"
        )
    # the zip of annotations unpacks into a folder of this name, wherever the user was
    places = (coco, coco.parent, data, data / "coco", data / "mscoco2014")
    sources = [
        _first([folder / "annotations" / name for folder in places])
        for name in ("instances_train2014.json", "instances_val2014.json")
    ]
    write_once(out, lambda: _picked(sources, set(read_ids(ids)), out))
    return out


def _first(paths: list[Path]) -> Path:
    return next((path for path in paths if path.is_file()), paths[0])


def _picked(sources: list[Path], ids: set[int], out: Path) -> bytes:
    merged: dict[str, Any] = {"images": [], "annotations": []}
    for source in sources:
        coco = read_instances(source)
        merged = {**coco, **merged}  # info, licenses and categories are those of train
        merged["images"] += [image for image in coco["images"] if image["id"] in ids]
        merged["annotations"] += [row for row in coco["annotations"] if row["image_id"] in ids]
        del coco  # COCO's train alone takes 2 GB in memory

    # checked before writing: a file with holes would be found much later, in training
    absent = ids - {image["id"] for image in merged["images"]}
    if absent:
        raise UserError(
            f"{out}: cannot be made: {sources[0].parent} lacks {len(absent):,} of V-COCO's images, "
            f"{min(absent)} first; it needs COCO's instances_train2014.json and "
            "instances_val2014.json"
        )
    return json.dumps(merged).encode()
