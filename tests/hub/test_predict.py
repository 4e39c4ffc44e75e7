"""`HOIDetector.predict`: images of all kinds, external detections, and the result."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rmlr_lightning.errors import UserError
from rmlr_lightning.hub import result as module
from rmlr_lightning.hub.detector import HOIDetector
from rmlr_lightning.ops.calibration import probabilities
from tests.scenes import noise_image

BOXES = {
    "boxes": [[10, 10, 60, 90], [40, 30, 60, 50]],
    "labels": ["person", "cup"],
    "scores": [0.9, 0.8],
}


@pytest.fixture(scope="module")
def result(from_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "image.png"
    noise_image(224, 160, 50).convert("RGB").save(path)
    return from_checkpoint.predict(path)


def test_triplets_are_named_and_sorted(from_checkpoint, result):
    scores = [one.score for one in result]
    assert scores == sorted(scores, reverse=True) and 0 < len(scores) <= 100
    assert all(from_checkpoint.vocabulary.verbs[one.verb_index] == one.verb for one in result)


def test_the_probability_is_that_of_the_calibration_and_keeps_the_order(from_checkpoint, result):
    scores = torch.tensor([one.score for one in result])
    expected = probabilities(scores, from_checkpoint.saved.calibration).tolist()
    found = [one.probability for one in result]
    assert found == expected == sorted(found, reverse=True)
    assert [one for one in result if one.probability >= 0.3] == result.likely


def test_without_a_calibration_the_score_decides(from_checkpoint, result):
    detector = HOIDetector(from_checkpoint.saved._replace(calibration=None))
    found = detector.predict(result.image)
    assert [one[:7] for one in found] == [one[:7] for one in result]
    assert {one.probability for one in found} == {None}
    assert found.likely == [one for one in found if one.score >= 0.1]


def test_a_threshold_and_a_number_of_triplets(from_checkpoint, result):
    middle = result.triplets[len(result) // 2].score
    above = from_checkpoint.predict(result.image, threshold=middle)
    assert above.triplets == [one for one in result if one.score >= middle]
    assert from_checkpoint.predict(result.image, max_triplets=3).triplets == result.triplets[:3]


def test_an_image_may_be_of_any_kind(from_checkpoint, result):
    array = np.asarray(result.image)
    tensor = torch.from_numpy(array.copy()).movedim(-1, 0)
    for image in (result.name, result.image, array, tensor, tensor.float() / 255):
        assert from_checkpoint.predict(image).triplets == result.triplets
    assert from_checkpoint(result.name).triplets == result.triplets  # calling is predicting


def test_lists_and_folders_give_a_list_and_images_are_independent(
    from_checkpoint, result, tmp_path
):
    other = noise_image(100, 300, 20, seed=1).convert("RGB")
    other.save(tmp_path / "a.png")
    result.image.save(tmp_path / "b.png")
    listed = from_checkpoint.predict(iter([other, result.image]))
    in_folder = from_checkpoint.predict(tmp_path)
    for of_other, of_image in (listed, in_folder):
        assert of_image.triplets == result.triplets
        assert of_other.triplets == listed[0].triplets


def test_a_batch_gives_what_single_images_give(from_checkpoint, result):
    images = [result.image, result.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)] * 2
    together = from_checkpoint.predict(images, batch_size=3)
    for single, batched in zip(map(from_checkpoint.predict, images), together, strict=True):
        scores = [[one.score for one in found] for found in (single, batched)]
        np.testing.assert_allclose(*scores, rtol=1e-4)


def test_external_detections_replace_the_detector(from_checkpoint, result):
    found = from_checkpoint.predict(result.image, boxes=BOXES)
    assert {one.object for one in found} == {"cup"}
    np.testing.assert_allclose(found.triplets[0].box_h, BOXES["boxes"][0], atol=1e-3)
    arrays = {"boxes": torch.tensor(BOXES["boxes"]), "labels": np.array(["person", "cup"])}
    as_arrays = arrays | {"scores": np.array([0.9, 0.8])}
    again = from_checkpoint.predict([result.image] * 2, boxes=[as_arrays] * 2)
    assert [one.triplets for one in again] == [found.triplets] * 2


@pytest.mark.fault
@pytest.mark.parametrize(
    ("given", "match"),
    [
        (np.zeros((8, 8, 3), np.int64), "its values are int64"),
        (torch.zeros(8, 8, 3), "its shape is 8 x 3 x 8"),
        (Image.new("I", (8, 8)), "whole numbers of 32 bits"),
        (3, "an image is given as int; expected a file, a PIL image"),
        ([3], "an image is given as int"),
        ("https://example.org/a.jpg", "an address; download the image first"),
        ("nowhere.jpg", "nowhere.jpg: no such image"),
    ],
)
def test_images_of_other_kinds_are_refused_with_one_line(from_checkpoint, given, match):
    with pytest.raises(UserError, match=match) as caught:
        from_checkpoint.predict(given)
    assert "\n" not in str(caught.value)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"boxes": [[10, 10, 60, 90]]}, "1 boxes, 2 labels and 2 scores"),
        ({"boxes": [[500, 10, 600, 90]] * 2}, "in pixels of an image of 224 x 160"),
        ({"boxes": [[10, 10, 5, 90]] * 2}, "not x1, y1, x2, y2"),
        ({"boxes": [[10, 10, 60, 5000]] * 2}, "in pixels of an image"),  # mostly outside
        ({"boxes": [[0.1, 0.1, 0.5, 0.5]] * 2}, "in pixels of an image"),  # relative
        ({"boxes": "many"}, "expected N x 4 numbers"),
        ({"labels": ["person", "dragon"]}, "label 'dragon' is none of the classes"),
        # 1 is the person in COCO's files, and the bicycle where classes are counted from 0
        ({"labels": torch.tensor([1, 47])}, r"label 1 is no name; .* such as 'person'"),
        ({"scores": [0.9, 8]}, "a score is not in"),
    ],
)
def test_impossible_external_detections_are_refused(from_checkpoint, result, change, match):
    with pytest.raises(UserError, match=match):
        from_checkpoint.predict(result.image, boxes=BOXES | change)


@pytest.mark.fault
def test_external_detections_are_given_for_every_image(from_checkpoint, result):
    with pytest.raises(UserError, match="not as many external detections as images"):
        from_checkpoint.predict([result.image] * 2, boxes=[BOXES])
    with pytest.raises(UserError, match=r"boxes: one dict .* a list with one dict per image"):
        from_checkpoint.predict([result.image] * 2, boxes=BOXES)
    with pytest.raises(UserError, match="boxes: no labels"):
        from_checkpoint.predict(result.image, boxes={"boxes": [], "scores": []})


def test_a_drawing_shows_what_is_likely(result, monkeypatch):
    drawn = []

    def draw(image, detections, *_, **options):
        drawn.append((detections, options))
        return image

    monkeypatch.setattr(module, "draw_triplets", draw)
    result.plot(caption="a")
    result.plot(min_probability=0.0)
    (likely, options), (everything, _) = drawn
    assert len(likely.scores) == len(result.likely) < len(everything.scores) == len(result)
    assert options["caption"] == "a" and options["score_threshold"] == 0.0


def test_a_drawing_without_likely_triplets_is_the_image(result):
    nothing = module.Result(result.image, result.name, [], result.vocabulary)
    drawn = nothing.plot(width=result.image.width)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(result.image))


def test_a_drawing_is_an_image(result):
    assert result.plot(width=300).size == (300, round(160 * 300 / 224))


def test_a_result_is_written_as_json(result):
    plain = json.loads(json.dumps(result.to_dict()))
    assert (plain["height"], plain["width"]) == (160, 224)
    first = result.triplets[0]
    assert plain["triplets"][0]["verb"] == first.verb
    assert plain["triplets"][0]["probability"] == pytest.approx(first.probability, abs=1e-4)


def test_supervision_gets_two_rows_per_triplet(result, monkeypatch):
    fake = SimpleNamespace(Detections=lambda **columns: SimpleNamespace(**columns))
    monkeypatch.setitem(sys.modules, "supervision", fake)
    found = result.to_supervision(min_probability=0.0)
    assert found.xyxy.shape == (2 * len(result), 4)
    first = result.triplets[0]
    np.testing.assert_allclose(found.xyxy[:2], [first.box_h, first.box_o], rtol=1e-6)
    assert found.data["role"][:2].tolist() == ["human", "object"]
    assert found.data["class_name"][0] == first.verb and found.data["triplet"][2] == 1


def test_supervision_accepts_the_rows(result):
    supervision = pytest.importorskip("supervision", reason="pip install supervision")
    found = result.to_supervision(min_probability=0.0)
    assert isinstance(found, supervision.Detections) and len(found) == 2 * len(result)


@pytest.mark.fault
def test_without_supervision_the_error_is_one_line(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UserError, match=r"needs the package supervision: pip install supervision$"):
        result.to_supervision()
