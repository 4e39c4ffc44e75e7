import json

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.twins import Twin, TwinAccuracy, read_twins, twin_accuracy
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary
from tests.metrics import tiny_worlds

BOX_H, BOX_O = torch.tensor([0.0, 0, 40, 100]), torch.tensor([30.0, 20, 60, 50])
TWIN = Twin(BOX_H, BOX_O, object=41, own=(0, 2), other=(1,))


def found(scores: list[float], shift: float = 0.0, obj: int = 41) -> Detections:
    """One pair with verbs 0, 1, ... scored as given."""
    count = len(scores)
    return Detections(
        (BOX_H + shift).expand(count, 4),
        (BOX_O + shift).expand(count, 4),
        torch.full((count,), obj),
        torch.arange(count),
        torch.tensor(scores),
    )


def target(file_name: str) -> Target:
    return tiny_worlds.target(0, [])._replace(file_name=file_name)


@pytest.mark.parametrize(
    ("detections", "accuracy", "share"),
    [
        (found([0.6, 0.5, 0.1]), 1.0, 1.0),
        (found([0.1, 0.5, 0.6]), 1.0, 1.0),
        (found([0.1, 0.5, 0.2]), 0.0, 1.0),
        (found([0.5, 0.5, 0.2]), 0.5, 1.0),
        (found([0.6, 0.5, 0.1], shift=90), float("nan"), 0.0),
        (found([0.6, 0.5, 0.1], obj=3), float("nan"), 0.0),
        (found([]), float("nan"), 0.0),
    ],
)
def test_own_verbs_must_score_above_the_others(detections, accuracy, share):
    metric = TwinAccuracy({"a.jpg": [TWIN]})
    metric.update([detections] * 2, [target("a.jpg"), target("without_twins.jpg")])
    values = metric.compute()
    torch.testing.assert_close(values["twin_accuracy"], torch.tensor(accuracy), equal_nan=True)
    assert values["twins_found"] == share


def test_the_pair_that_overlaps_most_is_judged():
    metric = TwinAccuracy({"a.jpg": [TWIN]})
    near, exact = found([0.9, 0.1, 0.0], shift=4), found([0.1, 0.9, 0.0])
    both = Detections(*(torch.cat(pair) for pair in zip(near, exact, strict=True)))
    metric.update([both], [target("a.jpg")])
    assert metric.compute()["twin_accuracy"] == 0


def test_both_sides_are_read_and_nested_verbs_left_out(tmp_path):
    row = {
        "split": "test",
        "image_a": "a",
        "image_b": "b",
        "box_h": [0, 0, 1, 1],
        "box_o": [0, 0, 1, 1],
        "object": "cup",
    }
    twins = [
        row | {"verbs_a": ["hold", "eat"], "verbs_b": ["hold", "smell"]},
        row | {"verbs_a": ["hold", "eat"], "verbs_b": ["hold"]},
    ]
    (tmp_path / "world.json").write_text(
        json.dumps({"twins": [*twins, twins[0] | {"split": "val"}]})
    )
    read = read_twins(
        tmp_path / "world.json", "test", Vocabulary(("eat", "hold", "smell"), (), frozenset())
    )
    assert {name: [(t.own, t.other) for t in sides] for name, sides in read.items()} == {
        "a": [((0,), (2,))],
        "b": [((2,), (0,))],
    }


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_bad_files_are_named(tmp_path, content):
    path = tmp_path / "world.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"world\.json"):
        read_twins(path, "test", Vocabulary((), (), frozenset()))


def test_only_splits_with_twins_have_the_metric(tmp_path):
    vocabulary = Vocabulary((), (), frozenset())
    (tmp_path / "world.json").write_text('{"twins": []}')
    world = str(tmp_path / "world.json")
    assert twin_accuracy(None, vocabulary, frozenset(), "test") is None
    assert twin_accuracy(world, vocabulary, frozenset(), "val") is None
    assert twin_accuracy(world, vocabulary, frozenset(), "test").twins == {}
