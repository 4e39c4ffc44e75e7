"""Readers of annotations, with a small valid file for each, and what they may never accept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.annotations.any_layout import read_any
from rmlr_lightning.annotations.coco_boxes import BoxAnnotations, read_coco_boxes
from rmlr_lightning.annotations.coco_instances import read_ids
from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.annotations.triplets import read_triplets
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.annotations.vocabulary_file import read_vocabulary, vocabulary_json
from rmlr_lightning.data.truth import truth_of
from rmlr_lightning.metrics.vcoco_truth import vcoco_truth
from rmlr_lightning.synthetic.mat_structs import HEADER
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import Vocabulary, hicodet
from tests.annotations.make_hicodet import make_hicodet
from tests.annotations.make_relations import RELATIONS, TABLE, WELDING
from tests.annotations.make_vcoco import make_vcoco
from tests.faults.fuzz.contents import as_json, as_lines, unchanged
from tests.faults.fuzz.harness import Reader
from tests.metrics.tiny_worlds import VOCABULARY

IMAGES = [Path("COCO_val2014_000000000007.jpg"), Path("b.png")]
DETECTIONS = [
    {"image_id": 7, "category_id": 1, "bbox": [1, 2, 30.5, 40], "score": 0.5},
    {"image_id": 7, "category_id": 90, "bbox": [1.25, 2, 3, 4], "score": 1},
    {"image_id": "b.png", "category_id": 3, "bbox": [0, 0, 3, 4], "score": 0},
]
OWN_VOCABULARY = json.loads(vocabulary_json(VOCABULARY, [1, 20, 30, 40, 2]))


def annotation_readers(folder: Path) -> list[Reader]:
    """All of them.

    Args:
        folder: for the valid files.
    """
    make_hicodet(folder, images=3)
    make_vcoco(folder, images=3)
    for file in ("anno_bbox.mat", "anno.mat"):  # scipy writes the date into them
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(HEADER + content[len(HEADER) :])
    coco = json.loads((folder / "instances_vcoco_all_2014.json").read_text())
    relations = WELDING | RELATIONS
    table = [line.split(",") for line in TABLE.splitlines()]
    records = [dict(zip(table[0], row, strict=True)) for row in table[1:4]]
    one_file = {
        "coco": coco,
        "vcoco": json.loads((folder / "vcoco_test.json").read_text()),
        "ids": [image["id"] for image in coco["images"]],
    }

    def of_json(file: str, read: Callable[[Path], None], weight: int = 10) -> Reader:
        return Reader(file, json.loads((folder / file).read_text()), as_json, file, read, weight)

    def with_instances(path: Path) -> None:
        checked(read_vcoco(path, instances=folder / "instances_vcoco_all_2014.json"))

    def as_instances(path: Path) -> None:
        checked(read_vcoco(folder / "vcoco_test.json", instances=path))

    def image_labels(path: Path) -> None:
        checked(read_hicodet(folder / "anno_bbox.mat", image_labels=path))

    def of_bytes(file: str, read: Callable[[Path], None], weight: int) -> Reader:
        return Reader(file, (folder / file).read_bytes(), unchanged, file, read, weight)

    return [
        of_bytes("anno_bbox.mat", lambda path: checked(read_hicodet(path)), 60),
        of_bytes("anno.mat", image_labels, 10),
        of_json("instances_test2015.json", lambda path: checked(read_hicodet(path)), 30),
        of_json("test_hico.json", lambda path: checked(read_hicodet(path)), 30),
        of_json("instances_vcoco_test.json", lambda path: checked(read_vcoco(path)), 30),
        of_json("test_vcoco.json", lambda path: checked(read_vcoco(path)), 30),
        of_json("vcoco_test.json", with_instances, 20),
        of_json("instances_vcoco_all_2014.json", as_instances, 20),
        Reader("vcoco, one file", one_file, as_json, "gt.json", _official, 20),
        Reader("any layout", relations, as_json, "any.json", _any, 10),
        Reader("relations", relations, as_json, "r.json", lambda p: checked(read_relations(p)), 40),
        Reader("boxes", WELDING, as_json, "boxes.json", _boxes, 40),
        Reader("triplets.json", records, as_json, "triplets.json", _triplets, 20),
        Reader("triplets.csv", table, as_lines, "triplets.csv", _triplets, 20),
        Reader("vocabulary.json", OWN_VOCABULARY, as_json, "v.json", _vocabulary, 30),
        Reader("ids", [[7], [107], [207]], as_lines, "test.ids", _ids, 10),
        Reader("external detections", DETECTIONS, as_json, "d.json", _external, 40),
    ]


def checked(found: Any) -> None:
    """What every list of targets must be, whatever the file held."""
    vocabulary, targets = found.vocabulary, found.targets
    _check_vocabulary(vocabulary)
    assert targets
    assert len({target.file_name for target in targets}) == len(targets)
    assert len({target.image_id for target in targets}) == len(targets)
    for target in targets:
        _check_target(target, vocabulary)
        truth_of(target, torch.tensor([100, 100]), len(vocabulary.verbs))


def _check_target(target: Target, vocabulary: Vocabulary) -> None:
    assert isinstance(target.file_name, str) and target.file_name
    assert type(target.image_id) is int and (target.size >= 0).all()
    with_object = target.objects >= 0
    _check_boxes(target.boxes_h)
    _check_boxes(target.boxes_o[with_object])
    assert in_range(target.objects, -1, len(vocabulary.objects))
    assert in_range(target.verbs, 0, len(vocabulary.verbs))
    assert in_range(target.hois[with_object], 0, len(vocabulary.hois))
    rows = (target.verbs, target.objects, target.hois)
    for verb, obj, hoi in zip(*(column.tolist() for column in rows), strict=True):
        assert hoi < 0 or vocabulary.hois[hoi] == (verb, obj)
    if target.subjects is not None:
        assert in_range(target.subjects, 0, len(vocabulary.objects))
    if target.image_hois is not None:
        assert all(0 <= hoi < len(vocabulary.hois) for hoi in target.image_hois)


def _check_boxes(boxes: torch.Tensor) -> None:
    assert boxes.float().isfinite().all(), "a box with NaN or infinity"
    assert (boxes[:, 2:] >= boxes[:, :2]).all(), "a box of negative size"


def in_range(values: torch.Tensor, low: int, high: int) -> bool:
    """Whether all integers are in low..high-1."""
    return bool(((values >= low) & (values < high)).all())


def _check_vocabulary(vocabulary: Vocabulary) -> None:
    for names in (vocabulary.verbs, vocabulary.objects):
        assert len(set(names)) == len(names) and all(isinstance(n, str) and n for n in names)
    assert len(set(vocabulary.hois)) == len(vocabulary.hois)
    assert all(0 <= verb < len(vocabulary.verbs) for verb, _ in vocabulary.hois)
    assert all(0 <= obj < len(vocabulary.objects) for _, obj in vocabulary.hois)
    assert all(0 <= hoi < len(vocabulary.hois) for hoi in vocabulary.rare)
    assert vocabulary.subject is None or 0 <= vocabulary.subject < len(vocabulary.objects)


def _official(path: Path) -> None:
    official = read_vcoco_official(path)
    vcoco_truth(official.coco, official.actions, official.ids)


def _any(path: Path) -> None:
    found = read_any(path)
    if isinstance(found, BoxAnnotations):
        _check_box_annotations(found)
    else:
        checked(found)


def _boxes(path: Path) -> None:
    _check_box_annotations(read_coco_boxes(path))


def _check_box_annotations(found: BoxAnnotations) -> None:
    assert len(set(found.objects)) == len(found.objects)
    for target in found.targets:
        _check_boxes(target.boxes)
        assert in_range(target.labels, 0, len(found.objects))


def _triplets(path: Path) -> None:
    for row in read_triplets(path):
        assert row.image and isinstance(row.image, str)
        assert (row.human is None) == (row.verb is None) == (row.object is None)
        assert row.human is None or (type(row.human) is int and type(row.object) is int)
        assert row.verb is None or row.verb


def _vocabulary(path: Path) -> None:
    _check_vocabulary(read_vocabulary(path))


def _ids(path: Path) -> None:
    ids = read_ids(path)
    assert ids and len(set(ids)) == len(ids) and all(type(number) is int for number in ids)


def _external(path: Path) -> None:
    for found in read_external_detections(path, IMAGES, hicodet()).values():
        entities = found.entities(640, 480)
        _check_boxes(entities.boxes)
        assert ((entities.scores >= 0) & (entities.scores <= 1)).all()
        assert in_range(entities.labels, 0, len(hicodet().objects))
