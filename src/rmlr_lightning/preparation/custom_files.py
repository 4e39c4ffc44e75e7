"""The user's files of a data set: COCO boxes with triplets, or COCO with relations, per split."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from rmlr_lightning.annotations.categories import category_names
from rmlr_lightning.annotations.coco_instances import checked_instances
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile, shown
from rmlr_lightning.annotations.relations import is_relations, parsed_relations
from rmlr_lightning.annotations.triplets import EXPECTED as TRIPLETS
from rmlr_lightning.annotations.triplets import HINT, Triplet, read_triplets
from rmlr_lightning.errors import UserError

SPLITS = ("train", "val", "test")
BOXES = "COCO's instances json (images, annotations, categories)"


class Relation(NamedTuple):
    """An interaction by annotation ids, with the names of its classes."""

    subject_id: int
    object_id: int
    subject: str
    verb: str
    object: str


class SplitRecords(NamedTuple):
    """One split in the user's numbers of images and boxes, with classes by name."""

    images: list[dict[str, Any]]  # id, file_name, width, height
    entities: list[dict[str, Any]]  # as COCO's annotations, and `category`: the name
    relations: list[Relation]
    objects: list[str]  # names of the file's classes, in its order
    verbs: list[str]

    def of_images(self, names: Collection[str]) -> "SplitRecords":
        """What belongs to the images with these file names; all classes stay."""
        images = [image for image in self.images if image["file_name"] in names]
        ids = {image["id"] for image in images}
        entities = [entity for entity in self.entities if entity["image_id"] in ids]
        kept = {entity["id"] for entity in entities}
        relations = [row for row in self.relations if row.subject_id in kept]
        return self._replace(images=images, entities=entities, relations=relations)


def read_custom(folder: Path) -> dict[str, SplitRecords]:
    """The splits that a folder holds.

    Either train.json, val.json and test.json with relations; or boxes.json (boxes_SPLIT.json) with
    triplets.csv or .json that has a column split, or with train.csv, val.csv and test.csv or .json.

    Raises:
        UserError: a file is missing or broken, or contradicts another.
    """
    own = {name: _first(folder, [f"{name}.csv", f"{name}.json"]) for name in SPLITS}
    own = {name: path for name, path in own.items() if path is not None}
    table = _first(folder, ["triplets.csv", "triplets.json"])
    if own and table:
        raise UserError(f"{folder}: {table.name} or {own.popitem()[1].name}? Keep one of them")
    if not own and not table:
        raise UserError(
            f"{folder}: neither triplets.csv nor train.csv or train.json is there; expected "
            f"{TRIPLETS}, or COCO with relations; {HINT}"
        )
    if table is not None:
        return _splits_of_table(folder, table)

    # a .json of a split may be either: its content decides
    splits = {}
    for name, path in own.items():
        document = _relation_document(path)
        splits[name] = (
            _with_relations(path, document)
            if document is not None
            else _with_triplets(path, _boxes(folder, name), read_triplets(path))
        )
    return splits


def _splits_of_table(folder: Path, table: Path) -> dict[str, SplitRecords]:
    rows = read_triplets(table)
    by_split: dict[str, list[Triplet]] = {}
    for row in rows:
        by_split.setdefault(row.split or "train", []).append(row)
    others = sorted(set(by_split) - set(SPLITS))
    if others:
        raise AnnotationFile(table, TRIPLETS, HINT).error(
            f"holds split {shown(others[0])}, not one of {', '.join(SPLITS)}"
        )

    # an image in two splits would be trained and tested on
    split_of: dict[str, str] = {}
    for name, of_split in by_split.items():
        for row in of_split:
            if split_of.setdefault(row.image, name) != name:
                raise AnnotationFile(table, TRIPLETS, HINT).error(
                    f"image {shown(row.image)} is in split {split_of[row.image]} and in {name}"
                )
    return {
        name: _with_triplets(table, _boxes(folder, name), of_split)
        for name, of_split in by_split.items()
    }


def _first(folder: Path, names: list[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _boxes(folder: Path, split: str) -> Path:
    return _first(folder, [f"boxes_{split}.json", "boxes.json"]) or folder / "boxes.json"


def _relation_document(path: Path) -> dict | None:
    """The parsed file if it has relations; None for a table of triplets."""
    if path.suffix == ".csv":
        return None
    document = AnnotationFile(path, TRIPLETS, HINT).json()
    return document if is_relations(document) else None


def _with_relations(path: Path, document: dict) -> SplitRecords:
    file = AnnotationFile(path, BOXES, HINT)
    parsed_relations(file, document)  # checks all that is used below
    boxes = _named(file, document)
    verbs = category_names(file, document, "rel_categories")
    category = {entity["id"]: entity["category"] for entity in boxes.entities}
    relations = [
        Relation(
            row["subject_id"],
            row["object_id"],
            category[row["subject_id"]],
            verbs[row["predicate_id"]],
            category[row["object_id"]],
        )
        for row in document["rel_annotations"]
    ]
    return boxes._replace(relations=relations, verbs=list(verbs.values()))


def _with_triplets(path: Path, boxes_path: Path, rows: list[Triplet]) -> SplitRecords:
    file = AnnotationFile(boxes_path, BOXES, HINT)
    document = file.json()
    checked_instances(file, document, list(category_names(file, document)))
    boxes = _named(file, document)
    image_id = {image["file_name"]: image["id"] for image in boxes.images}
    entity = {entity["id"]: entity for entity in boxes.entities}

    def wrong(row: Triplet, problem: str) -> AnnotationError:
        return AnnotationFile(path, TRIPLETS, HINT).error(f"{shown(row.image)}: {problem}")

    relations = []
    for row in rows:
        if row.image not in image_id:
            raise wrong(row, f"no such file_name in {boxes_path.name}")
        if row.verb is None:
            continue
        for kind, number in (("human", row.human), ("object", row.object)):
            if number not in entity or entity[number]["image_id"] != image_id[row.image]:
                raise wrong(row, f"{kind} {number} is no annotation of it in {boxes_path.name}")
        classes = [entity[number]["category"] for number in (row.human, row.object)]
        relations.append(Relation(row.human, row.object, classes[0], row.verb, classes[1]))

    # a table has no order of verbs; sorted, the numbers do not depend on the rows' order
    verbs = sorted({row.verb for row in rows if row.verb is not None})
    listed = boxes._replace(relations=relations, verbs=verbs)
    # images without a row are of another split, or not annotated
    return listed.of_images({row.image for row in rows})


def _named(file: AnnotationFile, document: dict) -> SplitRecords:
    """Images and boxes of a checked file, with their classes by name."""
    names = category_names(file, document)
    file.check_names([image["file_name"] for image in document["images"]], "file_name of 'images'")
    keys = ("id", "file_name", "width", "height")
    images = [{key: image[key] for key in keys} for image in document["images"]]
    entities = [
        {**entity, "category": names[entity["category_id"]]} for entity in document["annotations"]
    ]
    return SplitRecords(images, entities, [], list(names.values()), [])
