from itertools import combinations

import pytest
from PIL import Image, ImageDraw, ImageFont

from rmlr_lightning.drawing.labels import place_label

SIZE = (400, 200)
FONT = ImageFont.load_default(13)


@pytest.fixture
def draw() -> ImageDraw.ImageDraw:
    return ImageDraw.Draw(Image.new("RGB", SIZE), "RGBA")


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
