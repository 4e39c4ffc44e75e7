from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from rmlr_lightning.drawing.labels import place_label, place_name

SIZE = (400, 200)
FONT = ImageFont.load_default(13)


@pytest.fixture
def image() -> Image.Image:
    return Image.new("RGB", SIZE)


@pytest.fixture
def draw(image) -> ImageDraw.ImageDraw:
    return ImageDraw.Draw(image, "RGBA")


def assert_apart_and_on_the_image(occupied) -> None:
    for first, second in combinations(occupied, 2):
        apart = first[2] <= second[0] or second[2] <= first[0]
        apart |= first[3] <= second[1] or second[3] <= first[1]
        assert apart
    assert all(x1 >= 0 and y1 >= 0 and x2 <= 400 and y2 <= 200 for x1, y1, x2, y2 in occupied)


def test_labels_of_one_corner_do_not_overlap_and_stay_on_the_image(draw):
    occupied = []
    for text in ("ride 0.90 · horse", "hold 0.80 · horse", "feed 0.70 · horse"):
        place_label(draw, FONT, SIZE, (390, 190), text, (200, 40, 40), occupied)
    assert_apart_and_on_the_image(occupied)


@pytest.mark.parametrize(
    "box",
    [(100, 50, 160, 120), (100, 50, 110, 55), (390, 190, 400, 200), (0, 0, 9, 9), (0, 0, 400, 200)],
    ids=["medium", "small", "lower right", "upper left", "whole"],
)
def test_names_of_one_box_do_not_overlap_and_stay_on_the_image(draw, box):
    occupied = [(100, 90, 200, 110)]  # a label
    for name in ("pizza", "banana"):
        place_name(draw, FONT, SIZE, box, name, occupied)
    assert_apart_and_on_the_image(occupied)


def test_a_name_is_in_the_lower_left_of_its_box(image, draw):
    occupied = []
    place_name(draw, FONT, SIZE, (100, 50, 160, 120), "pizza", occupied)
    ((x1, _, x2, y2),) = occupied
    assert (x1, y2) == (103, 117) and x2 < 160
    drawn = np.asarray(image).any(-1)
    assert drawn.any() and not drawn[:, :103].any() and not drawn[117:].any()


def test_a_name_without_a_free_place_is_still_drawn(image, draw):
    place_name(draw, FONT, SIZE, (100, 50, 160, 120), "pizza", [(0, 0, *SIZE)])
    assert np.asarray(image).any()
