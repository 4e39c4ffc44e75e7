"""Whatever an annotation file holds, its reader succeeds or raises AnnotationError."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmlr_lightning.annotations.coco_boxes import read_coco_boxes
from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.vocabulary import hicodet

numbers = st.integers(-(10**20), 10**20) | st.integers(-2, 700) | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
fuzz = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

IMAGES = [Path("COCO_val2014_000000000007.jpg")]
READ = {
    "instances_test2015.json": lambda fake, path: read_hicodet(path),
    "test_hico.json": lambda fake, path: read_hicodet(path),
    "instances_vcoco_test.json": lambda fake, path: read_vcoco(path),
    "test_vcoco.json": lambda fake, path: read_vcoco(path),
    "vcoco_test.json": lambda fake, path: read_vcoco(
        path, instances=fake / "instances_vcoco_all_2014.json"
    ),
    "instances_vcoco_all_2014.json": lambda fake, path: read_vcoco(
        fake / "vcoco_test.json", instances=path
    ),
    "coco_boxes.json": lambda fake, path: read_coco_boxes(path),
    "detections.json": lambda fake, path: read_external_detections(path, IMAGES, hicodet()),
    "anno_bbox.mat": lambda fake, path: read_hicodet(path),
    "anno.mat": lambda fake, path: read_hicodet(fake / "anno_bbox.mat", image_labels=path),
}
JSON = [name for name in READ if name.endswith("json")]


def read_or_refuse(name, fake, path):
    try:
        READ[name](fake, path)
    except AnnotationError as error:
        assert re.search(re.escape(str(path)), str(error)) or name.startswith("instances_vcoco_all")
        assert "\n" not in str(error)


def damage(data, node):
    """Replace or remove a random member of a document, at any depth."""
    while True:
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        place = data.draw(st.sampled_from(places))
        child = node[place]
        if isinstance(child, (dict, list)) and child and data.draw(st.booleans()):
            node = child
        elif data.draw(st.integers(0, 3)) == 0:
            del node[place]
            return
        else:
            node[place] = data.draw(values)
            return


@pytest.mark.parametrize("name", JSON)
@fuzz
@given(data=st.data())
def test_damaged_json(fake, tmp_path, name, data):
    document = json.loads((fake / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 2))):
        damage(data, document)
        if not document:
            break
    path = tmp_path / name
    path.write_text(json.dumps(document))
    read_or_refuse(name, fake, path)


@pytest.mark.parametrize("name", JSON)
@fuzz
@given(document=values)
def test_any_json(fake, tmp_path, name, document):
    path = tmp_path / name
    path.write_text(json.dumps(document))
    read_or_refuse(name, fake, path)


@pytest.mark.parametrize("name", READ)
@fuzz
@given(data=st.data())
def test_damaged_bytes(fake, tmp_path, name, data):
    content = bytearray((fake / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    read_or_refuse(name, fake, path)
