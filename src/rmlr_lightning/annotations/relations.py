"""COCO's instances json with relations, as data sets of relations on the Hugging Face hub have it.

Besides COCO's `images`, `annotations` and `categories` it has `rel_categories` ({id, name}: the
verbs) and `rel_annotations` ({subject_id, predicate_id, object_id}: ids of annotations and of a
rel_category). PSG and VG150 are published so. `rmlr-prepare custom` writes this layout, too, with
a vocabulary.json beside it.

Boxes (x, y, width, height) are continuous and 0-based. Subjects may be of any class.
"""

from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rmlr_lightning.annotations.categories import category_names
from rmlr_lightning.annotations.coco_instances import checked_instances
from rmlr_lightning.annotations.columns import LARGEST_ID, fields_of, integers_of
from rmlr_lightning.annotations.file import AnnotationFile, shown
from rmlr_lightning.annotations.rows import ImageList, Rows, targets_of
from rmlr_lightning.annotations.vocabulary_file import NAME, read_vocabulary
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary

EXPECTED = (
    "COCO's instances json with rel_categories and rel_annotations (subject_id, predicate_id, "
    "object_id)"
)
HINT = "see docs/DATA.md for this layout; `rmlr-prepare custom FOLDER` writes it"


class RelationAnnotations(NamedTuple):
    """Content of a file with relations."""

    vocabulary: Vocabulary
    targets: list[Target]  # one per image, in the order of the file


class Relations(NamedTuple):
    """The relations of a file, with its own classes."""

    images: ImageList
    objects: tuple[str, ...]  # by rising category id
    verbs: tuple[str, ...]
    rows: Rows  # objects and verbs index the two lists above
    subjects: np.ndarray  # (K,) class of each row's subject


def is_relations(document: Any) -> bool:
    """Whether a parsed file has this layout."""
    return isinstance(document, dict) and "rel_annotations" in document


def read_relations(
    path: str | PathLike[str], vocabulary: str | PathLike[str] | None = None
) -> RelationAnnotations:
    """Read a file with relations, plain or gzip.

    Args:
        vocabulary: a vocabulary.json, which gives all splits of a data set the same classes. By
            default the one beside the file; without one the vocabulary is what the file holds, with
            subjects of any class and no rare HOI.

    Raises:
        AnnotationError: a file is missing, broken, of another layout, or contradicts itself, or has
            a class that the vocabulary lacks.
    """
    file = AnnotationFile(Path(path), EXPECTED, HINT)
    found = parsed_relations(file, file.json())
    # what `rmlr-prepare custom` writes, so that scorers need no further option
    beside = Path(path).with_name(NAME)
    if vocabulary is None and beside.is_file():
        vocabulary = beside
    if vocabulary is None:
        classes = own_vocabulary(found)
    else:
        classes = read_vocabulary(vocabulary)
        found = _by_name(file, found, classes)

    targets = targets_of(file, found.images, found.rows, classes)
    return RelationAnnotations(classes, _with_subjects(file, found, classes, targets))


def parsed_relations(file: AnnotationFile, document: Any) -> Relations:
    """The checked relations of a parsed file.

    Raises:
        AnnotationError: as `read_relations`.
    """
    object_names = category_names(file, document)
    verb_names = category_names(file, document, "rel_categories")
    coco = checked_instances(file, document, list(object_names))

    names = [image["file_name"] for image in coco["images"]]
    file.check_names(names, "file_name of 'images'")
    if not names:
        raise file.error("lists no images")
    ids = [image["id"] for image in coco["images"]]
    sizes = [(image["height"], image["width"]) for image in coco["images"]]
    images = ImageList(names, ids, np.array(sizes, dtype=np.int64).reshape(-1, 2))

    position = {image_id: i for i, image_id in enumerate(ids)}
    entities = coco["annotations"]
    place = np.array([position[entity["image_id"]] for entity in entities], dtype=np.int64)
    subject, obj, verb = _indices(file, document, entities, list(verb_names))
    _check_images(file, document, place[subject], place[obj], position)

    # one row per box of the file; relations refer to them by position from here on
    xywh = np.array([entity["bbox"] for entity in entities], dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    index = {number: i for i, number in enumerate(object_names)}
    classes = np.array([index[entity["category_id"]] for entity in entities], dtype=np.int64)

    # rows follow their images; stable, so that their order within an image stays
    order = np.argsort(place[subject], kind="stable")
    subject, obj, verb = subject[order], obj[order], verb[order]
    rows = Rows(place[subject], boxes[subject], boxes[obj], classes[obj], verb)
    return Relations(
        images, tuple(object_names.values()), tuple(verb_names.values()), rows, classes[subject]
    )


def own_vocabulary(found: Relations) -> Vocabulary:
    """The classes of one file; HOIs are the pairs that occur, subjects are of any class."""
    pairs = set(zip(found.rows.verbs.tolist(), found.rows.objects.tolist(), strict=True))
    return Vocabulary(found.verbs, tuple(sorted(pairs)), frozenset(), found.objects, None)


def _indices(
    file: AnnotationFile, document: dict, entities: list[dict], verb_ids: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every relation the positions of its subject, object and verb in their lists."""
    relations = file.member(document, "rel_annotations", list)
    positions = []
    for key, known, what in (
        ("subject_id", [entity["id"] for entity in entities], "annotation"),
        ("object_id", [entity["id"] for entity in entities], "annotation"),
        ("predicate_id", verb_ids, "entry of 'rel_categories'"),
    ):
        listed = [[value] for value in fields_of(file, relations, key, "relation")]
        # exact: "12" or 12.0 are refused, because ids are compared, not computed with
        values = integers_of(
            file, listed, range(len(listed)), key, 0, LARGEST_ID, "relation", exact=True
        )
        place = {number: i for i, number in enumerate(known)}
        found = np.array([place.get(value, -1) for value in values.tolist()], dtype=np.int64)
        if (found < 0).any():
            row = int(np.flatnonzero(found < 0)[0])
            raise file.error(f"relation {row} has {key} {values[row]}, the id of no {what}")
        positions.append(found)
    return positions[0], positions[1], positions[2]


def _check_images(
    file: AnnotationFile, document: dict, of_subject: np.ndarray, of_object: np.ndarray, known: dict
) -> None:
    """Subject and object are boxes of one image, that of the relation if it names one."""
    relations = document["rel_annotations"]
    stated = []
    for row, relation in enumerate(relations):
        image_id = relation.get("image_id")
        is_stated = "image_id" in relation
        place = known.get(image_id, -1) if type(image_id) is int else -1
        stated.append(place if is_stated else int(of_subject[row]))
    wrong = (of_subject != of_object) | (of_subject != np.array(stated, dtype=np.int64))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise file.error(
            f"relation {row} has a subject, an object or an image_id of different images"
        )


def _by_name(file: AnnotationFile, found: Relations, vocabulary: Vocabulary) -> Relations:
    """The same relations with the vocabulary's numbers; only classes in use must be known."""
    rows = found.rows
    in_use = np.concatenate([rows.objects, found.subjects])
    objects = _mapped(file, found.objects, vocabulary.objects, in_use, "category")
    verbs = _mapped(file, found.verbs, vocabulary.verbs, rows.verbs, "rel_category")
    rows = rows._replace(objects=objects[rows.objects], verbs=verbs[rows.verbs])
    return Relations(
        found.images, vocabulary.objects, vocabulary.verbs, rows, objects[found.subjects]
    )


def _mapped(
    file: AnnotationFile,
    names: tuple[str, ...],
    known: tuple[str, ...],
    in_use: np.ndarray,
    noun: str,
) -> np.ndarray:
    # -1 is only an error where it is used: a hub file lists classes that no relation has
    index = {name: i for i, name in enumerate(known)}
    mapped = np.array([index.get(name, -1) for name in names], dtype=np.int64)
    unknown = in_use[mapped[in_use] < 0]
    if len(unknown):
        raise file.error(f"{noun} {shown(names[unknown[0]])} is not in the vocabulary")
    return mapped


def _with_subjects(
    file: AnnotationFile, found: Relations, vocabulary: Vocabulary, targets: list[Target]
) -> list[Target]:
    """The targets with a class per subject, unless the vocabulary has one for all of them."""
    if vocabulary.subject is not None:
        others = found.subjects[found.subjects != vocabulary.subject]
        if len(others):
            name = vocabulary.objects[others[0]]
            raise file.error(f"has a subject {shown(name)}, not {shown(vocabulary.subject_name)}")
        return targets
    parts = torch.from_numpy(found.subjects).split([len(target.verbs) for target in targets])
    # cloned: a view would carry the subjects of the whole file into every worker
    return [
        target._replace(subjects=part.clone()) for target, part in zip(targets, parts, strict=True)
    ]
