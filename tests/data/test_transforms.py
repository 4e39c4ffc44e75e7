"""Canvas sizes. `detr_canvases.npz` holds those of facebookresearch/detr's resize (commit 29901c5).

A row is a size in HICO-DET's test set: height, width, number of its images, and (height, width) of
the canvas for a shortest side of 800 and of 480, both with a longest side of 1333.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rmlr_lightning.data.transforms import ResizeShortest

ROWS = np.load(Path(__file__).parent / "detr_canvases.npz")["table"].tolist()
SHARED = Path(os.environ.get("RMLR_SHARED", Path(__file__).parents[3] / "shared"))
SIZES = SHARED / "data" / "hicodet" / "instances_test2015.json"


@pytest.mark.parametrize(("shortest", "column"), [(800, 3), (480, 5)])
def test_canvases_of_all_hicodet_test_images_are_detrs(shortest, column):
    resize = ResizeShortest(shortest, 1333)
    found = [[*resize.canvas(height, width)] for height, width, *_ in ROWS]
    assert found == [row[column : column + 2] for row in ROWS]


def test_the_recorded_sizes_are_those_of_the_annotations():
    if not SIZES.exists():
        pytest.skip(f"{SIZES} is not here")
    sizes = Counter(tuple(size) for size in json.loads(SIZES.read_text(encoding="utf-8"))["size"])
    assert sizes == {(width, height): count for height, width, count, *_ in ROWS}
    assert sizes.total() == 9658


def test_without_a_limit_the_shorter_side_decides():
    assert ResizeShortest(100, float("inf")).canvas(10, 999) == (100, 9990)
