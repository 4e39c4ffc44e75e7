"""V-COCO annotations, from any of the three layouts in use; the embedded world writes one of them.

- the official `vcoco_*.json`, which needs COCO's instances for the boxes (`vcoco_official.py`)
- UPT's `instances_vcoco_*.json`, which brings its own vocabulary (`vcoco_json.py`)
- QPIC's `{trainval,test}_vcoco.json` (`qpic_json.py`)

Boxes of all three are continuous. An interaction without its object is a row with an empty role; UPT's layout leaves
such rows out. Actions without roles (stand, walk, run, smile) and `point instr` give no rows.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.qpic import read_qpic
from rmlr_lightning.annotations.rows import Pictures, Rows, targets_of
from rmlr_lightning.annotations.vcoco_official import (
    EXPECTED,
    SOURCE,
    official_rows,
    read_ids,
    read_instances,
    resolve,
)
from rmlr_lightning.annotations.vcoco_upt import read_upt
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary, vcoco, vcoco_action_roles, vcoco_actions

_ANY = f"{EXPECTED}, UPT's instances_vcoco_*.json or QPIC's {{trainval,test}}_vcoco.json"


class VCOCOAnnotations(NamedTuple):
    """What an annotation file of V-COCO's kind says."""

    vocabulary: Vocabulary  # verbs are action-roles, such as "hold obj"
    targets: list[
        Target
    ]  # one an image, those without interactions included; size (0, 0) where no file says it


def read_vcoco(
    path: str | PathLike[str],
    *,
    instances: str | PathLike[str] | None = None,
    ids: str | PathLike[str] | Sequence[int] | None = None,
) -> VCOCOAnnotations:
    """Read V-COCO annotations; the layout is told by the content, plain or gzip.

    Args:
        path: the annotation file.
        instances: COCO's instances json. The official layout needs it; the others, which do not say how large the
            images are, take the sizes from it.
        ids: the image ids to read, in their order: a list or a file with one on each line (`splits/vcoco_*.ids`).
            By default all images of the file; the official layout then lists those with annotated persons, by id.

    Returns:
        Targets with boxes in continuous 0-based pixels; rows in the order of the file (the official layout: by action,
        role and person). HOIs are those that the vocabulary knows, followed by others that occur.

    Raises:
        AnnotationError: a file is missing, broken, of another layout, or contradicts another or itself.
    """
    file = AnnotationFile(Path(path), _ANY, SOURCE)
    document = file.json()
    vocabulary = vcoco()
    if isinstance(document, dict) and "classes" in document:
        vocabulary, pictures, rows = read_upt(file, document)
    elif (
        isinstance(document, list)
        and document
        and isinstance(document[0], dict)
        and "file_name" in document[0]
    ):
        pictures, rows = _from_qpic(file, document)
    elif (isinstance(document, dict) and "vcoco" in document) or (
        isinstance(document, list)
        and document
        and isinstance(document[0], dict)
        and "action_name" in document[0]
    ):
        pictures, rows = official_rows(file, resolve(file, document, instances, ids))
        instances = ids = None  # used already
    else:
        keys = (
            f" with keys {shown(', '.join(sorted(document)))}" if isinstance(document, dict) else ""
        )
        raise file.error(f"not a layout of V-COCO annotations: {shown(document)}{keys}")
    if instances is not None:
        pictures = _with_sizes(pictures, read_instances(instances))
    if ids is not None:
        pictures, rows = _chosen(file, pictures, rows, read_ids(ids))
    if not pictures.names:
        raise file.error("lists no images")
    vocabulary = _with_seen(vocabulary, rows)
    return VCOCOAnnotations(vocabulary, targets_of(file, pictures, rows, vocabulary))


def _from_qpic(file: AnnotationFile, document: list) -> tuple[Pictures, Rows]:
    # QPIC numbers every role of every action, and actions without roles too: 29 verbs
    numbered = [
        (a, r) for a, action in enumerate(vcoco_actions()) for r in range(len(action.roles))
    ]
    numbered = [(a, r) for a, r in numbered if r > 0 or len(vcoco_actions()[a].roles) == 1]
    verb_of = {pair: verb for verb, pair in enumerate(vcoco_action_roles())}
    verbs = np.array([verb_of.get(pair, -1) for pair in numbered])
    pictures, rows = read_qpic(file, document, range(len(numbered)), empty_roles=True)
    rows = rows._replace(verbs=verbs[rows.verbs])
    return pictures, _take(rows, np.flatnonzero(rows.verbs >= 0))


def _with_seen(vocabulary: Vocabulary, rows: Rows) -> Vocabulary:
    known = set(vocabulary.hois)
    there = rows.objects >= 0
    seen = set(zip(rows.verbs[there].tolist(), rows.objects[there].tolist(), strict=True))
    return vocabulary._replace(hois=(*vocabulary.hois, *sorted(seen - known)))


def _with_sizes(pictures: Pictures, coco: dict) -> Pictures:
    size_of = {image["id"]: (image["height"], image["width"]) for image in coco["images"]}
    sizes = np.array([size_of.get(image_id, (0, 0)) for image_id in pictures.ids], dtype=np.int64)
    return pictures._replace(sizes=sizes.reshape(-1, 2))


def _chosen(
    file: AnnotationFile, pictures: Pictures, rows: Rows, ids: list[int]
) -> tuple[Pictures, Rows]:
    position = {image_id: i for i, image_id in enumerate(pictures.ids)}
    absent = [image_id for image_id in ids if image_id not in position]
    if absent:
        raise file.error(
            f"does not hold {len(absent)} of the images that `ids` asks for, {absent[0]} first"
        )
    chosen = np.array([position[image_id] for image_id in ids], dtype=np.int64)
    rank = np.full(len(pictures.ids), -1)
    rank[chosen] = np.arange(len(chosen))
    rows = _take(rows._replace(image=rank[rows.image]), np.flatnonzero(rank[rows.image] >= 0))
    rows = _take(rows, np.argsort(rows.image, kind="stable"))
    return Pictures([pictures.names[i] for i in chosen], ids, pictures.sizes[chosen]), rows


def _take(rows: Rows, index: np.ndarray) -> Rows:
    return Rows(*(column[index] for column in rows))
