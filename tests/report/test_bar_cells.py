"""Bars inside of tables: where each begins and ends, and what they share."""

import math
import re

from rmlr_lightning.report.bar_cells import LOSS, WIDTH, with_bars
from rmlr_lightning.report.inline_svg import VARIABLES


def bars(*values, limit=1.0, both_signs=False):
    rows = with_bars([{"ap": value} for value in values], "ap", limit, both_signs)
    return [str(row["bar"]) for row in rows]


def ends(bar: str) -> tuple[float, float]:
    """Left and right end, in the pixels of a cell."""
    points = re.findall(r"[ML] (\S+) ", re.search(r' d="([^"]*)" style="fill: var', bar)[1])
    return min(map(float, points)), max(map(float, points))


def test_a_bar_is_as_long_as_its_value():
    assert [ends(bar) for bar in bars(0.25, 1.0, 0.0)] == [(0, WIDTH / 4), (0, WIDTH), (0, 0)]


def test_the_limit_has_the_longest_bar():
    assert [ends(bar)[1] for bar in bars(3.0, 1.5, limit=3.0)] == [WIDTH, WIDTH / 2]


def test_losses_go_to_the_left_in_another_colour():
    gain, loss = bars(0.1, -0.2, limit=0.2, both_signs=True)
    assert ends(gain) == (WIDTH / 2, WIDTH * 3 / 4) and ends(loss) == (0, WIDTH / 2)
    assert VARIABLES[LOSS] in loss and VARIABLES[LOSS] not in gain


def test_gains_and_losses_share_the_line_of_zero():
    lines = [
        re.findall(r'd="([^"]*)" style="fill: none', bar) for bar in bars(1, -1, both_signs=True)
    ]
    assert lines == [["M 100 12 L 100 0"]] * 2


def test_what_is_undefined_has_no_bar():
    assert ends(bars(math.nan)[0]) == (0, 0)


def test_values_that_are_all_zero_have_no_bars():
    assert [ends(bar) for bar in bars(0.0, 0.0, limit=0.0)] == [(0, 0)] * 2


def test_the_other_cells_of_a_row_stay():
    assert with_bars([{"name": "ride bicycle", "ap": 0.5}], "ap", 1.0)[0]["name"] == "ride bicycle"


def test_bars_are_left_to_the_numbers_beside_them_by_screen_readers():
    assert all('aria-hidden="true"' in bar for bar in bars(0.5, 0.6))
