"""What notebooks count as missed, and which images they show."""

import numpy as np
import pytest
import torch
from support.shipped import mean_interval, missed_by_image, worst
from support.shown import show

from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    ("hold", "eat"), ((0, 1), (1, 1), (0, 2)), frozenset(), ("person", "cup", "apple")
)
PERSON, OTHER, OBJECT = [10.0, 10, 50, 90], [200.0, 10, 240, 90], [60.0, 40, 80, 60]


def annotated(name: str, person: list[float], hoi: int) -> Target:
    verb, obj = VOCABULARY.hois[hoi]
    return Target(
        name,
        0,
        torch.tensor([100, 300]),
        torch.tensor([person], dtype=torch.float64),
        torch.tensor([OBJECT], dtype=torch.float64),
        torch.tensor([obj]),
        torch.tensor([verb]),
        torch.tensor([hoi]),
    )


def detected(*rows: tuple[list[float], int]) -> Detections:
    verbs, objects = zip(*(VOCABULARY.hois[hoi] for _, hoi in rows), strict=True)
    return Detections(
        torch.tensor([person for person, _ in rows]),
        torch.tensor([OBJECT] * len(rows)),
        torch.tensor(objects),
        torch.tensor(verbs),
        torch.linspace(0.9, 0.1, len(rows)),
    )


def test_only_as_many_detections_count_as_there_are_interactions():
    results = [
        (annotated("found.jpg", PERSON, 0), detected((PERSON, 0), (PERSON, 1))),
        (annotated("second.jpg", PERSON, 0), detected((PERSON, 1), (PERSON, 0))),
        (annotated("object.jpg", PERSON, 0), detected((PERSON, 2))),
        (annotated("nobody.jpg", PERSON, 0), detected((OTHER, 2))),
    ]
    missed = missed_by_image(results, VOCABULARY)
    expected = {"wrong_verb": 1, "missed_object": 2, "missed_human": 3}
    for name, counts in missed.items():
        assert counts.tolist() == [int(image == expected.get(name)) for image in range(4)]


def test_an_image_is_shown_for_one_type_only():
    missed = {"a": np.array([0, 3, 2]), "b": np.array([0, 5, 1])}
    assert worst(missed, 1) == {"a": [1], "b": [2]}
    assert worst(missed, 5) == {"a": [1, 2], "b": []}


def test_the_interval_holds_the_mean():
    mean, low, high = mean_interval(np.arange(100.0))
    assert low < mean == 49.5 < high


def test_a_tensor_with_other_dimensions_than_letters_is_refused(capsys):
    show("logits", "B P V", torch.zeros(1, 2, 3))
    assert capsys.readouterr().out.split()[:5] == ["logits", "B", "P", "V", "1"]
    with pytest.raises(ValueError, match="logits: B P has 2 letters"):
        show("logits", "B P", torch.zeros(1, 2, 3))
