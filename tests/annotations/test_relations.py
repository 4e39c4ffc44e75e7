"""COCO's instances with relations: classes by name, subjects of any class."""

import json

import pytest
import torch

from rmlr_lightning.annotations.any_layout import read_any
from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.annotations.vocabulary_file import read_vocabulary, vocabulary_json
from rmlr_lightning.vocabulary import Vocabulary
from tests.annotations.make_relations import RELATIONS, WELDING

CLASSES = Vocabulary(
    ("switch off", "polish", "weld"),
    ((0, 2), (2, 1), (2, 2)),
    frozenset({1, 2}),
    ("cat", "worker", "robot arm"),
    1,
)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "relations.json").write_text(json.dumps(WELDING | RELATIONS))
    return tmp_path / "relations.json"


@pytest.fixture
def vocabulary(tmp_path):
    (tmp_path / "classes.json").write_bytes(vocabulary_json(CLASSES, [10, 9, 0]))
    return tmp_path / "classes.json"


def triplets(annotations):
    """(file name, subject box, verb, object, object box) of every row, by name."""
    classes = annotations.vocabulary
    return [
        (target.file_name, human, classes.verbs[verb], classes.objects[obj], box)
        for target in annotations.targets
        for human, verb, obj, box in zip(
            target.boxes_h.tolist(),
            target.verbs.tolist(),
            target.objects.tolist(),
            target.boxes_o.tolist(),
            strict=True,
        )
    ]


EXPECTED = [
    ("a.jpg", [2, 3, 22, 43], "weld", "robot arm", [20.5, 3, 50.5, 23]),
    ("a.jpg", [2, 3, 22, 43], "switch off", "robot arm", [20.5, 3, 50.5, 23]),
    ("b.jpg", [20, 4, 30, 44], "switch off", "robot arm", [1, 1, 31, 31]),
    ("c.jpg", [5, 5, 35, 55], "weld", "worker", [15, 5, 45, 55]),
]


def test_a_file_has_its_own_classes(path):
    read = read_relations(path)
    assert triplets(read) == EXPECTED
    assert read.vocabulary == Vocabulary(
        ("switch off", "weld"), ((0, 1), (1, 0), (1, 1)), frozenset(), ("worker", "robot arm"), None
    )
    assert [target.image_id for target in read.targets] == [10, 11, 12, 13]
    assert read.targets[2].size.tolist() == [64, 48]
    assert [target.subjects.tolist() for target in read.targets] == [[0, 0], [0], [0], []]


def test_a_vocabulary_gives_other_numbers_and_the_same_names(path, vocabulary):
    read = read_relations(path, vocabulary)
    assert read.vocabulary == CLASSES
    assert triplets(read) == EXPECTED
    for target in read.targets:
        assert target.subjects is None  # all are of the vocabulary's class
        pairs = [CLASSES.hois[hoi] for hoi in target.hois.tolist()]
        assert pairs == list(zip(target.verbs.tolist(), target.objects.tolist(), strict=True))


def test_the_vocabulary_beside_the_file_is_taken(path, vocabulary):
    vocabulary.rename(vocabulary.with_name("vocabulary.json"))
    assert read_relations(path).vocabulary == CLASSES
    assert read_any(path).layout == "COCO with relations"


def test_a_vocabulary_of_any_subject_keeps_the_subjects_classes(path, tmp_path):
    classes = CLASSES._replace(subject=None)
    (tmp_path / "any.json").write_bytes(vocabulary_json(classes, [10, 9, 0]))
    read = read_relations(path, tmp_path / "any.json")
    assert read.vocabulary.subject is None
    assert torch.cat([target.subjects for target in read.targets]).unique().tolist() == [1]


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop("rel_categories"), "no key 'rel_categories'"),
        (lambda d: d["categories"][0].update(id="2"), "id of entry of 'categories', 0 is not"),
        (lambda d: d["categories"][0].update(id=2.0), "id is not always an integer"),
        (lambda d: d["categories"][0].update(id=1), "'categories' holds id 1 twice"),
        (lambda d: d["categories"][0].update(name="worker"), "holds 'worker' twice"),
        (lambda d: d["categories"][0].update(name=" "), "holds '', not a name"),
        (lambda d: d["annotations"][0].update(category_id=3), "none of the 2 categories"),
        (lambda d: d["rel_annotations"][1].update(subject_id="1"), "subject_id of relation 1 is"),
        (lambda d: d["rel_annotations"][1].update(object_id=2.0), "object_id is not always an int"),
        (lambda d: d["rel_annotations"][1].update(object_id=9), "object_id 9, the id of no annot"),
        (lambda d: d["rel_annotations"][1].update(predicate_id=1), "predicate_id 1, the id of no"),
        (lambda d: d["rel_annotations"][1].update(object_id=3), "relation 1 .* different images"),
        (lambda d: d["rel_annotations"][1].update(image_id=12), "relation 1 .* different images"),
        (lambda d: d["images"][0].update(file_name="b.jpg"), "holds 'b.jpg' twice"),
        (lambda d: d.update(images=[], annotations=[], rel_annotations=[]), "lists no images"),
    ],
)
def test_refused(path, edited, edit, match):
    with pytest.raises(AnnotationError, match=match) as caught:
        read_relations(edited(path, edit))
    assert "\n" not in str(caught.value) and str(path.name) in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d["objects"].__setitem__(2, "lathe"), "not a listed"),
        (lambda d: d.update(verbs=["weld"], hois=[], train_pairs=[]), "'switch off' is not in the"),
        (lambda d: d["hois"].pop(), "2 hois but 3 train_pairs"),
        (lambda d: d.update(hois=[["weld", "worker"]] * 3), "an HOI twice"),
        (lambda d: d.update(subject="robot arm"), "has a subject 'worker', not 'robot arm'"),
        (lambda d: d.update(subject="dog"), "'subject' is 'dog'"),
        (lambda d: (d["hois"].pop(), d["train_pairs"].pop()), "no HOI of the data set|'robot arm'"),
    ],
)
def test_vocabularies_that_do_not_fit_are_refused(path, vocabulary, edited, edit, match):
    with pytest.raises(AnnotationError, match=match):
        read_relations(path, edited(vocabulary, edit))


def test_a_vocabulary_is_read_as_it_was_written(vocabulary):
    assert read_vocabulary(vocabulary) == CLASSES
