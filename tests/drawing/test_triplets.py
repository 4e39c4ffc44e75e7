import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from rmlr_lightning.drawing import triplets
from rmlr_lightning.drawing.triplets import HUMAN_COLOUR, draw_triplets, group_by_pair, label_of
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import Vocabulary
from tests.scenes import noise_image

FOUND = Detections(
    torch.tensor([[10.0, 10, 40, 90]] * 3 + [[60.0, 10, 90, 90]]),
    torch.tensor([[30.0, 30, 50, 50]] * 3 + [[70.0, 60, 99, 99]]),
    torch.tensor([1, 1, 1, 2]),
    torch.tensor([0, 1, 2, 1]),
    torch.tensor([0.9, 0.5, 0.05, 0.7]),
)
VOCABULARY = Vocabulary(("ride", "hold_on", "push"), (), frozenset())


def test_rows_are_grouped_by_pair_and_ranked():
    pairs = group_by_pair(FOUND, score_threshold=0.1)
    assert [pair.verbs for pair in pairs] == [
        [(0, np.float32(0.9)), (1, 0.5)],
        [(1, np.float32(0.7))],
    ]


def test_boxes_are_drawn_where_they_are():
    drawn = draw_triplets(Image.new("RGB", (100, 100), "white"), FOUND, VOCABULARY, width=100)
    pixels = np.asarray(drawn)
    assert tuple(pixels[80, 10]) == HUMAN_COLOUR
    assert tuple(pixels[95, 5]) == (255, 255, 255)


def test_the_number_of_pairs_follows_threshold_and_maximum():
    image = Image.new("RGB", (100, 100), "white")

    def has_second_human(**options) -> bool:
        drawn = draw_triplets(image, FOUND, VOCABULARY, width=100, **options)
        return tuple(np.asarray(drawn)[80, 90]) == HUMAN_COLOUR

    assert has_second_human(score_threshold=0.6)
    assert not has_second_human(score_threshold=0.6, max_pairs=1)
    assert not has_second_human(score_threshold=0.8)


def test_a_label_names_all_verbs_that_fit_and_counts_the_others():
    pair = group_by_pair(FOUND)[0]
    font = ImageFont.load_default(13)
    everything = "ride 0.90, hold on 0.50, push 0.05 · bicycle"
    room = font.getlength(everything)
    assert label_of(pair, VOCABULARY, font, room) == everything
    assert label_of(pair, VOCABULARY, font, room - 1) == "ride 0.90, hold on 0.50, +1 · bicycle"
    assert label_of(pair, VOCABULARY, font, 0) == "ride 0.90, +2 · bicycle"


@pytest.mark.parametrize(("max_pairs", "count"), [(1, ["+1 pair"]), (2, [])])
def test_pairs_that_are_not_drawn_are_counted(max_pairs, count, monkeypatch):
    texts = []
    monkeypatch.setattr(triplets, "place_label", lambda *values: texts.append(values[4]))
    draw_triplets(Image.new("RGB", (100, 100)), FOUND, VOCABULARY, max_pairs=max_pairs)
    assert [text for text in texts if text.startswith("+")] == count
    assert len(texts) == max_pairs + len(count)


def test_small_images_are_enlarged_and_captions_fit_below():
    image = Image.new("RGB", (100, 50))
    drawn = draw_triplets(image, FOUND, VOCABULARY, caption="a caption " * 30, width=400)
    assert drawn.width == 400
    assert drawn.height > 200


def test_without_detections_the_image_is_unchanged():
    image = noise_image(80, 60, 40).convert("RGB")
    empty = Detections(*(field[:0] for field in FOUND))
    drawn = draw_triplets(image, empty, VOCABULARY, width=80)
    assert np.array_equal(np.asarray(drawn), np.asarray(image))
