"""Columns are converted at once and named one by one: the message names the first wrong value."""

from pathlib import Path

import numpy as np
import pytest

from rmlr_lightning.annotations.columns import (
    boxes_of,
    counts_of,
    fields_of,
    integers_of,
    lists_of,
    members_of,
    numbers_of,
)
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile

FILE = AnnotationFile(Path("some.json"), "some layout", "get it somewhere")
NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def test_values_are_concatenated():
    integers = integers_of(FILE, [[1, 2], [], [3.0]], NAMES, "verb", 0, 4)
    assert integers.dtype == np.int64 and integers.tolist() == [1, 2, 3]
    assert numbers_of(FILE, [[0.5], [], [1]], NAMES, "score", 0, 1).tolist() == [0.5, 1]
    assert boxes_of(FILE, [[], [], []], NAMES, "bbox").shape == (0, 4)

    boxes = boxes_of(FILE, [[[1, 2, 3, 4]], [], [[0.1, 2, 3, float("nan")]]], NAMES, "bbox")
    assert boxes.dtype == np.float64 and boxes[1, 0] == 0.1 and np.isnan(boxes[1, 3])


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: fields_of(FILE, [{"id": 1}, {}], "id", "row"), "row 1 has no key 'id'"),
        (lambda: fields_of(FILE, [{"id": 1}, 3], "id", "row"), "row 1 is 3, not an object"),
        (
            lambda: lists_of(FILE, [{"v": []}, {"v": 2}], "v", NAMES[:2]),
            "'v' of image 'b.jpg' is 2",
        ),
        (lambda: members_of(FILE, [[], [{}]], "v", NAMES[:2]), "a record of image 'b.jpg' has no"),
        (
            lambda: counts_of(FILE, {"x": [[1], [2]], "y": [[1], []]}, NAMES),
            "image 'b.jpg' has 1 'x' but 0 'y'",
        ),
        (lambda: boxes_of(FILE, [[], [[1, 2]], []], NAMES, "bbox"), "bbox of image 'b.jpg' is not"),
        (
            lambda: integers_of(FILE, [[1], [], [2, 9]], NAMES, "verb", 0, 9),
            "image 'c.jpg' has verb 9, not an integer in 0..8",
        ),
        (
            lambda: integers_of(FILE, [[0], [], []], NAMES, "verb", 0, 0),
            "image 'a.jpg' has verb 0, but no value is valid",
        ),
        (
            lambda: integers_of(FILE, [[1], ["2"], []], NAMES, "verb", 0, 9),
            "verb of image 'b.jpg' is not a list of integers",
        ),
        (
            lambda: integers_of(FILE, [[1], [True], []], NAMES, "id", 0, 9, exact=True),
            "id is not always an integer",
        ),
        (
            lambda: numbers_of(FILE, [[0.5], [1.5]], [0, 1], "score", 0, 1, "row"),
            r"row 1 has score 1.5, not in 0\.\.1",
        ),
        (
            lambda: numbers_of(FILE, [[float("nan")]], [0], "score", 0, 1, "row"),
            "row 0 has score nan",
        ),
    ],
)
def test_messages_name_the_place(read, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read()
    error = str(caught.value)
    assert error.startswith("some.json: ")
    assert error.endswith("; expected some layout; get it somewhere")
