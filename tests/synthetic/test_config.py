"""Settings that are out of range are refused with one line."""

import pytest

from rmlr_lightning.synthetic import WorldConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": 0, "val": 0, "test": 0},
        {"train": -1},
        {"size": (64, 48)},
        {"twins": 1.0},
        {"noise": -0.1},
        {"jitter": float("nan")},
    ],
)
def test_wrong_settings_are_refused_with_one_line(wrong):
    with pytest.raises(ValueError) as error:
        WorldConfig(**wrong)
    assert "\n" not in str(error.value)
    assert next(iter(wrong)) in str(error.value)
