"""VRD's real test annotations as COCO with relations: nothing is lost on the way."""

import json
from collections import Counter

import pytest

from rmlr_lightning.annotations.relations import read_relations


@pytest.fixture(scope="module")
def vrd(shared):
    """The parsed files, with the images that have a known size."""
    folder = shared / "data" / "vrd"

    def load(name):
        return json.loads((folder / name).read_text())

    sizes, annotations = load("test_image_metadata.json"), load("annotations_test.json")
    return sizes, annotations, load("objects.json"), load("predicates.json")


@pytest.fixture(scope="module")
def converted(vrd, tmp_path_factory):
    """VRD has boxes per relation (ymin, ymax, xmin, xmax): equal ones of an image become one."""
    sizes, annotations, objects, predicates = vrd
    coco = {"images": [], "annotations": [], "rel_annotations": []}
    coco["categories"] = [{"id": i, "name": name} for i, name in enumerate(objects)]
    coco["rel_categories"] = [{"id": i, "name": name} for i, name in enumerate(predicates)]
    for image_id, (name, relations) in enumerate(annotations.items()):
        size = sizes.get(name, {"width": 0, "height": 0})
        coco["images"].append({"id": image_id, "file_name": name, **size})
        ids = {}
        for relation in relations:
            for role in ("subject", "object"):
                y1, y2, x1, x2 = relation[role]["bbox"]
                key = (relation[role]["category"], y1, y2, x1, x2)
                if key not in ids:
                    ids[key] = len(coco["annotations"])
                    box = {"category_id": key[0], "bbox": [x1, y1, x2 - x1, y2 - y1]}
                    coco["annotations"].append({"id": ids[key], "image_id": image_id, **box})
                relation[role]["id"] = ids[key]
            coco["rel_annotations"].append(
                {
                    "subject_id": relation["subject"]["id"],
                    "object_id": relation["object"]["id"],
                    "predicate_id": relation["predicate"],
                }
            )
    path = tmp_path_factory.mktemp("vrd") / "test.json"
    path.write_text(json.dumps(coco))
    return read_relations(path)


def test_counts_are_those_of_its_description(converted):
    assert len(converted.targets) == 1000
    assert sum(len(target.verbs) for target in converted.targets) == 7638
    assert len(converted.vocabulary.objects) == 100 and len(converted.vocabulary.verbs) == 70
    assert converted.vocabulary.subject is None


def test_every_triplet_is_there_by_name(vrd, converted):
    _, annotations, objects, predicates = vrd
    expected = Counter(
        (name, objects[row["subject"]["category"]], predicates[row["predicate"]])
        + (objects[row["object"]["category"]], *row["object"]["bbox"])
        for name, rows in annotations.items()
        for row in rows
    )
    classes = converted.vocabulary
    found = Counter()
    for target in converted.targets:
        columns = (target.subjects, target.verbs, target.objects, target.boxes_o.int())
        for subject, verb, obj, box in zip(*(c.tolist() for c in columns), strict=True):
            x1, y1, x2, y2 = box
            names = (classes.objects[subject], classes.verbs[verb], classes.objects[obj])
            found[target.file_name, *names, y1, y2, x1, x2] += 1
    assert found == expected
