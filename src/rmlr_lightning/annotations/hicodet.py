"""HICO-DET annotations in any of the three layouts in use; the synthetic benchmark writes two.

- the official `anno_bbox.mat`, with `anno.mat` for the image-level labels (`hicodet_matlab.py`)
- UPT's `instances_{train,test}2015.json`, which also holds the vocabulary (`hicodet_upt.py`)
- QPIC's `{trainval,test}_hico.json` (`qpic.py`)

The first two count pixels from 1, QPIC's from 0; all three include the last pixel. Boxes become
continuous and 0-based: pixels 1..w of an image of width w become 0..w.
"""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.annotations.hicodet_matlab import read_anno, read_anno_bbox
from rmlr_lightning.annotations.hicodet_upt import read_upt
from rmlr_lightning.annotations.matlab_file import is_matlab
from rmlr_lightning.annotations.qpic import read_qpic
from rmlr_lightning.annotations.rows import Rows, targets_of
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet

_EXPECTED = (
    "HICO-DET's anno_bbox.mat, UPT's instances_{train,test}2015.json or QPIC's "
    "{trainval,test}_hico.json"
)
_LABELS = "HICO-DET's anno.mat"
_WITHOUT_LABELS = (
    "data.test.image_labels=null (+data... in rmlr-eval) takes the boxed labels for Known Object"
)
_HINT = (
    "get hico_20160224_det.tar.gz from https://websites.umich.edu/~ywchao/hico/ or the json from "
    "https://github.com/fredzzhang/hicodet, or make the synthetic benchmark with "
    "`rmlr-prepare synthetic`"
)


class HICODetAnnotations(NamedTuple):
    """Content of an annotation file in one of HICO-DET's layouts."""

    vocabulary: Vocabulary
    targets: list[Target]  # one per image, in the order of the file; QPIC's have size (0, 0)


def read_hicodet(
    path: str | PathLike[str], split: str = "test", image_labels: str | PathLike[str] | None = None
) -> HICODetAnnotations:
    """Read HICO-DET annotations; the layout is recognised by the content, plain or gzip.

    Args:
        path: the annotation file.
        split: "train" or "test": the variable of a .mat to read. A json holds one split.
        image_labels: `anno.mat`, for the image-level labels of the Known-Object setting. Without
            it they are read from UPT's json (key `image_hois`) if it has them.

    Returns:
        Targets with boxes in continuous 0-based pixels, images without pairs included.

    Raises:
        AnnotationError: the file is missing, broken, of another layout, or contradicts itself.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    content = file.read()
    vocabulary, image_hois = hicodet(), None

    if is_matlab(content):
        images, rows = read_anno_bbox(file, content, split)
        rows = _shifted(rows, first=-1, last=0)
    else:
        document = file.json(content)
        if isinstance(document, dict) and "annotation" in document:
            vocabulary, images, rows, image_hois = read_upt(file, document)
            rows = _shifted(rows, first=-1, last=0)
        elif isinstance(document, list):
            # QPIC counts verbs from 1
            verb_ids = range(1, len(vocabulary.verbs) + 1)
            images, rows = read_qpic(file, document, verb_ids, empty_roles=False)
            rows = _shifted(rows._replace(verbs=rows.verbs - 1), first=0, last=1)
        else:
            raise file.other_layout(document, "HICO-DET")

    if not images.names:
        raise file.error("lists no images")
    # an explicit file takes precedence over the labels in the annotations
    if image_labels is not None:
        labels = AnnotationFile(Path(image_labels), _LABELS, f"{_WITHOUT_LABELS}; {_HINT}")
        image_hois = read_anno(labels, split, images.names, len(vocabulary.hois))
    targets = targets_of(file, images, rows, vocabulary, image_hois)
    return HICODetAnnotations(vocabulary, targets)


def _shifted(rows: Rows, first: int, last: int) -> Rows:
    """Add `first` to the coordinates of the first pixel and `last` to those of the last."""
    # the last pixel is included, so the box ends one pixel after the start of the last one:
    # 1-based x1..x2 is x1 - 1..x2, 0-based x1..x2 is x1..x2 + 1
    shift = np.array([first, first, last, last], dtype=np.float64)
    return rows._replace(boxes_h=rows.boxes_h + shift, boxes_o=rows.boxes_o + shift)
