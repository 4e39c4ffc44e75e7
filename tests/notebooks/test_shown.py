"""Names in figures of notebooks do not cover each other."""

from itertools import combinations

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from support.shown import boxes_on, keep_apart


@pytest.fixture
def figure():
    made = plt.figure(layout="constrained")
    yield made
    plt.close(made)


def extents(figure: Figure) -> list:
    figure.draw_without_rendering()
    texts = figure.axes[0].texts
    return [(text.get_bbox_patch() or text).get_window_extent() for text in texts]


def test_names_of_boxes_on_each_other_are_apart(figure):
    boxes = torch.tensor([[0.2, 0.3, 0.5, 0.6], [0.21, 0.32, 0.5, 0.6], [0.25, 0.3, 0.5, 0.6]])
    image = Image.new("RGB", (224, 160))
    boxes_on(figure.add_subplot(), image, boxes, names=["person 0", "banana 1", "pizza 2"])
    found = extents(figure)
    assert len(found) == 3
    assert not any(a.overlaps(b) for a, b in combinations(found, 2))


@pytest.mark.parametrize("up", [True, False])
def test_names_of_one_point_are_stacked(up, figure):
    axis = figure.add_subplot()
    style = {"xytext": (5, 3), "textcoords": "offset points"}
    keep_apart([axis.annotate(f"name {place}", (1, 1), **style) for place in range(4)], up)
    found = extents(figure)
    assert not any(a.overlaps(b) for a, b in combinations(found, 2))
    assert [box.y0 for box in found] == sorted((box.y0 for box in found), reverse=not up)
    assert len({box.x0 for box in found}) == 1
