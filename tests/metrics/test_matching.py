"""The joins behind the metrics: sizes of key spaces and of chunks change nothing."""

import numpy as np
import pytest

from rmlr_lightning.metrics import matching
from rmlr_lightning.metrics.average_precision import ranking


def test_groups_are_found_in_any_key_space():
    keys = np.array([7, 3, 7, 900])
    groups = matching.group(keys)
    for size in (902, 10**12):  # 901: above the last group
        found = matching.locate(groups, np.array([3, 4, 7, 900, 0, 899, 901]), size)
        assert found.tolist() == [0, -1, 1, 2, -1, -1, -1]
    assert groups.members[groups.starts[1] : groups.starts[2]].tolist() == [0, 2]


@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 17])
def test_the_first_of_equal_overlaps_wins_in_any_chunk(monkeypatch, chunk):
    monkeypatch.setattr(matching, "CHUNK", chunk)
    groups = matching.group(np.array([0, 0, 0, 1, 1]))
    table = np.array([[0.5, 0.5, 0.2, 0.0, 0.0], [0.1, 0.7, 0.7, 0.0, 0.0], [0, 0, 0, 0.0, 0.3]])
    best, overlap = matching.best_match(
        groups, np.array([0, 0, 1]), lambda row, other: table[row, other]
    )
    assert best.tolist() == [0, 1, 4] and overlap.tolist() == [0.5, 0.7, 0.3]


def test_the_first_by_score_then_row_keeps_the_annotation():
    annotations = np.array([1, 1, 0, 1, 0])
    scores = np.array([0.5, 0.9, 0.1, 0.9, 0.1])
    first = matching.first_to_match(annotations, scores)
    assert first.tolist() == [False, True, True, False, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_fast_ranking_is_the_plain_one(dtype):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 600, 5000)
    scores = rng.choice(
        [-np.inf, -2.5, -1e-30, -0.0, 0.0, 1e-30, 0.1, 0.5, 1.0, 3e38, np.inf], 5000
    ).astype(dtype)
    plain = sorted(range(5000), key=lambda row: (classes[row], -scores[row]))
    assert ranking(classes, scores).tolist() == plain
    wide = classes.astype(np.int64) << 40  # does not fit one integer with the score and the row
    assert ranking(wide, scores).tolist() == plain


def test_a_chunk_has_as_many_whole_rows_as_fit_and_at_least_one(monkeypatch):
    monkeypatch.setattr(matching, "CHUNK", 4)
    groups = matching.group(np.repeat([0, 1, 2], [1, 2, 5]))
    chunks = matching.joined(groups, np.array([1, 1, 0, 2, 0, 0]))
    assert [(begin, end) for begin, end, *_ in chunks] == [(0, 2), (2, 3), (3, 4), (4, 6)]
