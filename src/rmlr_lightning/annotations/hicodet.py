"""HICO-DET annotations, from any of the three layouts in use; the embedded world writes one of them.

- the official `anno_bbox.mat`, with `anno.mat` for the image-level labels (`hicodet_mat.py`)
- UPT's `instances_{train,test}2015.json`, which brings its own vocabulary (`hicodet_json.py`)
- QPIC's `{trainval,test}_hico.json` (`qpic_json.py`)

The first two count pixels from 1 and include the last one; QPIC's count from 0 and include it. All become continuous
and 0-based, so that the pixels 1..w of an image w wide are the box 0..w.
"""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.hicodet_matlab import read_anno, read_anno_bbox
from rmlr_lightning.annotations.hicodet_upt import read_upt
from rmlr_lightning.annotations.matlab_file import is_matlab
from rmlr_lightning.annotations.qpic import read_qpic
from rmlr_lightning.annotations.rows import targets_of
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet

_EXPECTED = "HICO-DET's anno_bbox.mat, UPT's instances_{train,test}2015.json or QPIC's {trainval,test}_hico.json"
_LABELS = "HICO-DET's anno.mat"
_SOURCE = (
    "get hico_20160224_det.tar.gz from https://websites.umich.edu/~ywchao/hico/ or the json from "
    "https://github.com/fredzzhang/hicodet, or make the embedded world with `rmlr-prepare synthetic`"
)


class HICODetAnnotations(NamedTuple):
    """What an annotation file of HICO-DET's kind says."""

    vocabulary: Vocabulary
    targets: list[
        Target
    ]  # one an image, those without pairs included; size (0, 0) where the file does not say (QPIC)
    image_hois: (
        list[frozenset[int]] | None
    )  # for each image its positive image-level labels; None where unknown


def read_hicodet(
    path: str | PathLike[str], split: str = "test", image_labels: str | PathLike[str] | None = None
) -> HICODetAnnotations:
    """Read HICO-DET annotations; the layout is told by the content, plain or gzip.

    Args:
        path: the annotation file.
        split: "train" or "test"; chooses the variable of a .mat, a json holds one split.
        image_labels: `anno.mat`, for the image-level labels of the Known-Object setting. Without it they are those of
            UPT's json (key `image_hois`) if it has them.

    Returns:
        Targets with boxes in continuous 0-based pixels, in the order of the file.

    Raises:
        AnnotationError: the file is missing, broken, of another layout, or contradicts itself.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _SOURCE)
    content = file.read()
    vocabulary, image_hois = hicodet(), None
    if is_matlab(content):
        pictures, rows = read_anno_bbox(file, content, split)
        margin = (1, 0)
    else:
        document = file.json(content)
        if isinstance(document, dict) and "annotation" in document:
            vocabulary, pictures, rows, image_hois = read_upt(file, document)
            margin = (1, 0)
        elif isinstance(document, list):
            pictures, rows = read_qpic(
                file, document, range(1, len(vocabulary.verbs) + 1), empty_roles=False
            )
            rows = rows._replace(verbs=rows.verbs - 1)
            margin = (0, 1)
        else:
            keys = (
                f" with keys {shown(', '.join(sorted(document)))}"
                if isinstance(document, dict)
                else ""
            )
            raise file.error(f"not a layout of HICO-DET annotations: {shown(document)}{keys}")
    if not pictures.names:
        raise file.error("lists no images")
    shift = np.repeat(np.array([-margin[0], margin[1]], dtype=np.float64), 2)
    rows = rows._replace(boxes_h=rows.boxes_h + shift, boxes_o=rows.boxes_o + shift)
    targets = targets_of(file, pictures, rows, vocabulary)
    if image_labels is not None:
        labels = AnnotationFile(Path(image_labels), _LABELS, _SOURCE)
        image_hois = read_anno(labels, split, pictures.names, len(vocabulary.hois))
    return HICODetAnnotations(vocabulary, targets, image_hois)
