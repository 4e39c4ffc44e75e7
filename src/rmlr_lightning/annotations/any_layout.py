"""Annotations in any layout that the package reads, recognised by content."""

from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rmlr_lightning.annotations.coco_boxes import BoxAnnotations, is_instances, read_coco_boxes
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.annotations.hicodet import HICODetAnnotations, read_hicodet
from rmlr_lightning.annotations.matlab_file import is_matlab
from rmlr_lightning.annotations.relations import (
    RelationAnnotations,
    is_relations,
    read_relations,
)
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.annotations.vcoco_official import is_official
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary

_EXPECTED = (
    "annotations of HICO-DET or V-COCO (official, UPT's, QPIC's), or COCO's instances with or "
    "without relations"
)
_HINT = "see docs/DATA.md for the layouts"


class AnyAnnotations(NamedTuple):
    """Content of a file of interactions in any layout."""

    layout: str
    vocabulary: Vocabulary
    targets: list[Target]


def read_any(
    path: str | PathLike[str],
    split: str = "test",
    instances: str | PathLike[str] | None = None,
    ids: str | PathLike[str] | None = None,
) -> AnyAnnotations | BoxAnnotations:
    """Read an annotation file by the reader of its layout.

    COCO's instances without relations are boxes only.

    Args:
        split: the variable of HICO-DET's .mat to read.
        instances, ids: see `read_vcoco`.

    Raises:
        AnnotationError: the file is missing, broken or of an unknown layout.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    content = file.read()
    if is_matlab(content):
        return AnyAnnotations("HICO-DET's anno_bbox.mat", *read_hicodet(path, split))
    # parsed here and again by the reader, which costs seconds and keeps the readers apart
    document = file.json(content)
    if is_relations(document):
        return AnyAnnotations("COCO with relations", *read_relations(path))
    if isinstance(document, dict) and "annotation" in document:
        return AnyAnnotations("HICO-DET in UPT's layout", *read_hicodet(path))
    if _is_qpic_hicodet(document):
        return AnyAnnotations("HICO-DET in QPIC's layout", *read_hicodet(path))
    layouts = {
        "V-COCO, official": is_official(document),
        "V-COCO in UPT's layout": isinstance(document, dict) and "classes" in document,
        "V-COCO in QPIC's layout": _first(document, "file_name"),
    }
    for layout, is_it in layouts.items():
        if is_it:
            return AnyAnnotations(layout, *read_vcoco(path, instances=instances, ids=ids))
    if is_instances(document):
        return read_coco_boxes(path)
    raise file.other_layout(document, "interaction")


def read_pairs(
    path: str | PathLike[str],
    split: str = "test",
    image_labels: str | PathLike[str] | None = None,
) -> HICODetAnnotations | RelationAnnotations:
    """What HICO-DET's metric is defined on: HICO-DET in any layout, or COCO with relations.

    Args:
        split, image_labels: see `read_hicodet`.

    Raises:
        AnnotationError: as `read_any`.
    """
    file = AnnotationFile(Path(path), _EXPECTED, _HINT)
    content = file.read()
    if not is_matlab(content) and is_relations(file.json(content)):
        return read_relations(path)
    return read_hicodet(path, split, image_labels)


def _first(document: Any, key: str) -> bool:
    is_list = isinstance(document, list) and len(document) > 0
    return is_list and isinstance(document[0], dict) and key in document[0]


def _is_qpic_hicodet(document: Any) -> bool:
    # V-COCO's records have no img_id, and their names start with COCO
    return _first(document, "img_id") and not str(document[0].get("file_name")).startswith("COCO")
