"""Statistics over seeds, against sums written out by hand and the printed table of Student's t."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmlr_lightning.report.seed_statistics import paired_difference, spread

T_975 = {1: 12.706205, 2: 4.302653, 4: 2.776445}  # of a statistics book, by degrees of freedom


@pytest.mark.parametrize("values", [(0.50, 0.53), (0.50, 0.53, 0.49), (0.3, 0.31, 0.35, 0.29, 0.3)])
def test_mean_deviation_and_interval(values):
    got = spread(dict(enumerate(values)))
    mean = sum(values) / len(values)
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    half = T_975[len(values) - 1] * sd / math.sqrt(len(values))
    assert got[1:] == pytest.approx((mean, sd, mean - half, mean + half), abs=1e-7)


def test_one_seed_gives_no_interval():
    got = spread({4: 0.5})
    assert (got.seeds, got.mean) == ((4,), 0.5)
    assert (
        math.isnan(got.sd) and math.isnan(got.low) and math.isnan(got.high) and not got.significant
    )


@pytest.mark.parametrize("kind", [np.float64, np.float32])  # metrics of runs are float32
def test_equal_values_give_no_interval(kind):
    a, b = {0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5}  # the differences are equal up to rounding
    rounded = ({seed: float(kind(x)) for seed, x in row.items()} for row in (a, b))
    got = paired_difference(*rounded)
    assert got.mean == pytest.approx(0.1) and got.sd == pytest.approx(0, abs=1e-6)
    assert math.isnan(got.low) and math.isnan(got.high) and not got.significant


def test_no_seed_gives_nothing():
    assert spread({}).seeds == () and math.isnan(spread({}).mean)


def test_what_a_run_leaves_undefined_is_left_out():
    assert spread({0: 0.25, 1: math.nan, 2: 0.75}).seeds == (0, 2)


def test_differences_are_taken_seed_by_seed():
    a, b = {0: 0.50, 1: 0.60, 2: 0.70, 7: 0.9}, {2: 0.68, 1: 0.59, 0: 0.49, 8: 0.1}
    got = paired_difference(a, b)
    differences = [0.50 - 0.49, 0.60 - 0.59, 0.70 - 0.68]
    half = T_975[2] * statistics.stdev(differences) / math.sqrt(3)
    assert got.seeds == (0, 1, 2)
    assert (got.low, got.high) == pytest.approx(
        (sum(differences) / 3 - half, sum(differences) / 3 + half), abs=1e-7
    )


def test_pairing_removes_what_a_seed_does_to_both():
    """Rows that vary by 20 points over seeds and always differ by one."""
    a, b = {0: 0.31, 1: 0.51, 2: 0.712}, {0: 0.30, 1: 0.50, 2: 0.70}
    assert paired_difference(a, b).significant and spread(a).low < spread(b).high


@settings(deadline=None)
@given(st.lists(st.integers(0, 999).map(lambda x: x / 1000), min_size=2), st.floats(-1, 1))
def test_a_shift_of_all_values_shifts_the_interval(values, shift):
    plain, moved = (
        spread(dict(enumerate(values))),
        spread({k: v + shift for k, v in enumerate(values)}),
    )
    assert (moved.low, moved.mean, moved.high) == pytest.approx(
        (plain.low + shift, plain.mean + shift, plain.high + shift), abs=1e-9, nan_ok=True
    )


def test_the_order_of_a_and_b_turns_the_sign():
    a, b = {0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.7}
    assert paired_difference(a, b).low == pytest.approx(-paired_difference(b, a).high)
