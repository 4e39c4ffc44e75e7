"""V-COCO annotations in any of the three layouts in use; the synthetic benchmark writes one.

- the official `vcoco_*.json`, which needs COCO's instances for the boxes (`vcoco_official.py`)
- UPT's `instances_vcoco_*.json`, which also holds the vocabulary (`vcoco_upt.py`)
- QPIC's `{trainval,test}_vcoco.json` (`qpic.py`)

Boxes of all three are continuous. An interaction without an object is a row with an empty role;
UPT's layout leaves such rows out. Actions without roles (stand, walk, run, smile) and
`point instr` give no rows.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmlr_lightning.annotations.coco_instances import read_ids, read_instances
from rmlr_lightning.annotations.file import AnnotationFile
from rmlr_lightning.annotations.qpic import read_qpic
from rmlr_lightning.annotations.rows import ImageList, Rows, targets_of
from rmlr_lightning.annotations.vcoco_official import (
    EXPECTED,
    HINT,
    is_official,
    official_rows,
    parsed_official,
)
from rmlr_lightning.annotations.vcoco_upt import read_upt
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary, vcoco, vcoco_action_roles, vcoco_actions

_ALL_EXPECTED = f"{EXPECTED}, UPT's instances_vcoco_*.json or QPIC's {{trainval,test}}_vcoco.json"


class VCOCOAnnotations(NamedTuple):
    """Content of an annotation file in one of V-COCO's layouts."""

    vocabulary: Vocabulary  # verbs are action-roles, such as "hold obj"
    targets: list[Target]  # one per image; size (0, 0) where no file holds it


def read_vcoco(
    path: str | PathLike[str],
    *,
    instances: str | PathLike[str] | None = None,
    ids: str | PathLike[str] | Sequence[int] | None = None,
) -> VCOCOAnnotations:
    """Read V-COCO annotations; the layout is recognised by the content, plain or gzip.

    Args:
        path: the annotation file.
        instances: COCO's instances json. The official layout needs it for its boxes; the others
            take the image sizes from it.
        ids: the image ids to read, in this order: a list, or a file with one per line
            (`splits/vcoco_*.ids`). By default all images of the file; for the official layout
            those with annotated people, by id.

    Returns:
        Targets with boxes in continuous 0-based pixels, images without interactions included.
        Rows are in the order of the file (the official layout: by action, role and person).
        The vocabulary's hois are followed by other pairs that occur in the file.

    Raises:
        AnnotationError: a file is missing, broken, of another layout, or contradicts another file
            or itself.
    """
    file = AnnotationFile(Path(path), _ALL_EXPECTED, HINT)
    document = file.json()
    vocabulary = vcoco()

    if is_official(document):
        images, rows = official_rows(file, parsed_official(file, document, instances, ids))
    else:
        if isinstance(document, dict) and "classes" in document:
            vocabulary, images, rows = read_upt(file, document)
        elif _first_record_has(document, "file_name"):
            images, rows = _qpic_rows(file, document)
        else:
            raise file.other_layout(document, "V-COCO")
        # these layouts hold no image sizes, and all images of their split
        if instances is not None:
            images = _with_sizes(images, read_instances(instances))
        if ids is not None:
            images, rows = _only_images(file, images, rows, read_ids(ids))

    if not images.names:
        raise file.error("lists no images")
    vocabulary = _with_occurring_hois(vocabulary, rows)
    return VCOCOAnnotations(vocabulary, targets_of(file, images, rows, vocabulary))


def _first_record_has(document: Any, key: str) -> bool:
    is_list = isinstance(document, list) and len(document) > 0
    return is_list and isinstance(document[0], dict) and key in document[0]


def _qpic_rows(file: AnnotationFile, document: list) -> tuple[ImageList, Rows]:
    """QPIC's rows with the verbs of `vcoco()`; rows of other verbs are left out."""
    # QPIC has 29 verbs: all roles of all actions but agents, and actions without other roles
    qpic_verbs = [
        (index, role)
        for index, action in enumerate(vcoco_actions())
        for role in range(len(action.roles))
        if role > 0 or len(action.roles) == 1
    ]
    verb_of = {action_role: verb for verb, action_role in enumerate(vcoco_action_roles())}
    verbs = np.array([verb_of.get(action_role, -1) for action_role in qpic_verbs])

    images, rows = read_qpic(file, document, range(len(qpic_verbs)), empty_roles=True)
    rows = rows._replace(verbs=verbs[rows.verbs])
    return images, _take(rows, np.flatnonzero(rows.verbs >= 0))


def _with_occurring_hois(vocabulary: Vocabulary, rows: Rows) -> Vocabulary:
    # appended, so that the indices of the vocabulary's own hois stay
    there = rows.objects >= 0
    pairs = set(zip(rows.verbs[there].tolist(), rows.objects[there].tolist(), strict=True))
    others = sorted(pairs - set(vocabulary.hois))
    return vocabulary._replace(hois=(*vocabulary.hois, *others))


def _with_sizes(images: ImageList, coco: dict) -> ImageList:
    size_of = {image["id"]: (image["height"], image["width"]) for image in coco["images"]}
    sizes = [size_of.get(image_id, (0, 0)) for image_id in images.ids]
    return images._replace(sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2))


def _only_images(
    file: AnnotationFile, images: ImageList, rows: Rows, ids: list[int]
) -> tuple[ImageList, Rows]:
    """The images with these ids, in their order, with their rows."""
    position = {image_id: i for i, image_id in enumerate(images.ids)}
    absent = [image_id for image_id in ids if image_id not in position]
    if absent:
        raise file.error(f"does not hold {len(absent)} of the images in `ids`, {absent[0]} first")
    kept = np.array([position[image_id] for image_id in ids], dtype=np.int64)

    new_position = np.full(len(images.ids), -1)
    new_position[kept] = np.arange(len(kept))
    rows = rows._replace(image=new_position[rows.image])
    rows = _take(rows, np.flatnonzero(rows.image >= 0))
    # rows follow their images; stable, so that their order within an image stays
    rows = _take(rows, np.argsort(rows.image, kind="stable"))
    return ImageList([images.names[i] for i in kept], ids, images.sizes[kept]), rows


def _take(rows: Rows, index: np.ndarray) -> Rows:
    return Rows(*(column[index] for column in rows))
