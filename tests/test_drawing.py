import numpy as np
import torch
from PIL import Image

from rmlr_lightning.drawing import HUMAN, by_pair, contact_sheet, curves, triplets_picture
from rmlr_lightning.types import Detections

FOUND = Detections(
    torch.tensor([[10.0, 10, 40, 90]] * 3 + [[60.0, 10, 90, 90]]),
    torch.tensor([[30.0, 30, 50, 50]] * 3 + [[70.0, 60, 99, 99]]),
    torch.tensor([1, 1, 1, 2]),
    torch.tensor([0, 1, 2, 1]),
    torch.tensor([0.9, 0.5, 0.05, 0.7]),
)
VERBS = ("ride", "hold_on", "push")


def test_rows_are_grouped_by_pair_and_ranked():
    pairs = by_pair(FOUND, threshold=0.1, top=2)
    assert [pair[3] for pair in pairs] == [[(0, np.float32(0.9)), (1, 0.5)], [(1, np.float32(0.7))]]


def test_boxes_are_drawn_where_they_are():
    picture = triplets_picture(Image.new("RGB", (100, 100), "white"), FOUND, VERBS, width=100)
    pixels = np.asarray(picture)
    assert tuple(pixels[80, 10]) == HUMAN
    assert tuple(pixels[95, 5]) == (255, 255, 255)


def test_small_pictures_are_enlarged_and_captions_fit_below():
    picture = triplets_picture(
        Image.new("RGB", (100, 50)), FOUND, VERBS, caption="a caption " * 30, width=400
    )
    assert picture.width == 400
    assert picture.height > 200


def test_nothing_found_leaves_the_picture_as_it_was():
    image = Image.effect_noise((80, 60), 40).convert("RGB")
    nothing = Detections(*(field[:0] for field in FOUND))
    assert np.array_equal(
        np.asarray(triplets_picture(image, nothing, VERBS, width=80)), np.asarray(image)
    )


def test_sheets_hold_all_tiles():
    sheet = contact_sheet([Image.new("RGB", (20, 10))] * 5, columns=2, width=40)
    assert sheet.size == (80, 60)


def test_curves_write_a_png(tmp_path):
    curves(
        {"train/loss": [(1, 0.5), (2, 0.3)], "val/map_full": [(1, 0.2), (2, 0.4)]},
        tmp_path / "a" / "curves.png",
    )
    with Image.open(tmp_path / "a" / "curves.png") as picture:
        assert picture.width > 500
