"""The brush: frames, and the extent of what was drawn."""

import cmath

import numpy as np
import pytest

from rmlr_lightning.synthetic.draw import Brush, mix, shade


def blank() -> np.ndarray:
    return np.zeros((100, 200, 3), np.uint8)


def test_frames_are_scaled_turned_and_mirrored():
    plain = Brush(blank(), 100 + 50j, 20 + 0j)
    assert plain.at(1 + 2j) == 120 + 90j
    mirrored = Brush(blank(), 100 + 50j, 20 + 0j, mirror=True)
    assert mirrored.at(1 + 2j) == 80 + 90j
    child = plain.child(1 + 0j, size=0.5, angle=cmath.pi / 2)
    assert child.at(1 + 0j) == pytest.approx(120 + 60j)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_box_is_the_extent_of_the_drawn_pixels(mirror):
    image = blank()
    brush = Brush(image, 100 + 50j, 10 + 0j, mirror)
    brush.rect(2 + 1j, 4, 2, (255, 255, 255))
    brush.disc(-3 + 0j, 1.5, (255, 255, 255))
    brush.line([0j, 0 - 3j], 0.4, (255, 255, 255))
    rows, columns = np.nonzero(image.any(axis=2))
    drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract(brush.box, drawn)).max() <= 2


def test_untracked_shapes_leave_the_box_and_children_share_it():
    brush = Brush(blank(), 100 + 50j, 10 + 0j)
    brush.disc(0j, 1, (255, 0, 0))
    before = list(brush.box)
    brush.disc(5 + 0j, 1, (255, 0, 0), track=False)
    brush.child(5 + 0j, own_box=True).disc(0j, 1, (255, 0, 0))
    assert brush.box == before
    brush.child(5 + 0j).disc(0j, 1, (255, 0, 0))
    assert brush.box != before


def test_colours_stay_within_a_byte():
    assert shade((200, 100, 0), 0.5) == (100, 50, 0)
    assert shade((200, 100, 0), 2.0) == (227, 177, 127)
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)
