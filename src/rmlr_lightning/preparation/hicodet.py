"""Checks HICO-DET."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.images.image_check import Track
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.check import Split, check_splits
from rmlr_lightning.preparation.report import Report

SOURCE = """\
HICO-DET (Chao et al., WACV 2018)
  images and annotations: hico_20160224_det.tar.gz, linked at
    https://websites.umich.edu/~ywchao/hico/, to be unpacked into {data}
  json annotations: https://github.com/fredzzhang/hicodet
  licence: none is stated; the photographs are from Flickr and belong to their authors"""

# UPT's json leaves out the training images without pairs. Papers count the pairs of train
# differently (117,654 in HAKE), so these are not compared.
PUBLISHED = {
    "train": {"images": (38_118, 37_633)},
    "test": {"images": (9_658,), "with_pairs": (9_546,), "pairs": (33_405,)},
}


def check_hicodet(splits: Mapping[str, Mapping[str, Any]], decode: bool, track: Track) -> None:
    """Check the files that `data=hicodet` reads.

    Args:
        splits: options of `hicodet_dataset` by split: annotations, split, image_labels, images.
        decode, track: see `check_splits`.

    Raises:
        UserError: an annotation file is missing or broken, or there were problems.
    """
    report = Report()
    found = []
    # val is a share of train, so two splits are all files
    for name in ("train", "test"):
        options = splits[name]
        labels = options.get("image_labels")
        # the boxes can be checked without it
        if labels and not Path(labels).is_file():
            report.problem(
                f"{name}: {labels}: no such file; it is in the archive, and Known Object needs it "
                "(without it: data.test.image_labels=null)"
            )
            labels = None
        read = read_hicodet(options["annotations"], name, labels)
        files = [Path(options["annotations"]), *([Path(labels)] if labels else [])]
        images = ImageFolders(options["images"])
        found.append(Split(name, tuple(files), read.targets, images, PUBLISHED[name]))
    check_splits(report, found, decode, track)
    report.finish("HICO-DET")
