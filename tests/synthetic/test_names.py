"""The names of the room are those of the package, and the room needs nothing else of it."""

import subprocess
import sys

from rmlr_lightning.synthetic import names
from rmlr_lightning.synthetic.write_vcoco import upt_classes
from rmlr_lightning.vocabulary import (
    COCO_CATEGORY_IDS,
    COCO_INDEX,
    COCO_OBJECTS,
    hicodet,
    vcoco,
    vcoco_actions,
)


def test_coco_names_are_the_packages():
    assert names.COCO_OBJECTS == COCO_OBJECTS
    assert names.COCO_CATEGORY_IDS == COCO_CATEGORY_IDS
    assert names.COCO_INDEX == COCO_INDEX


def test_hicodet_hois_are_the_packages():
    real = hicodet()
    expected = {(real.verbs[verb], COCO_OBJECTS[obj]) for verb, obj in real.hois}
    assert names.hicodet_hois() == expected


def test_vcoco_actions_are_the_packages():
    ours = [(action["name"], tuple(action["roles"])) for action in names.vcoco_actions()]
    assert ours == [(action.name, action.roles) for action in vcoco_actions()]
    assert tuple(upt_classes()) == vcoco().verbs


def test_the_room_imports_nothing_else_of_the_package_and_no_torch():
    code = """
import sys
import rmlr_lightning.synthetic
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("rmlr_lightning.")}
print(sorted(rooms), "torch" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "['synthetic'] False\n"
