"""The curve's mean is the AP, and no point is above the precision that a threshold can reach."""

import numpy as np
import pytest

from rmlr_lightning.scoring.precision_recall import precision_at_levels
from rmlr_lightning.scoring.record import make_record
from tests.metrics import tiny_worlds as worlds
from tests.scoring.test_record import results


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_over_the_levels_is_the_ap(seed):
    matched = make_record(results(seed), worlds.VOCABULARY).matched["default"]
    levels = precision_at_levels(matched)
    assert levels.shape == (5, 11)
    np.testing.assert_allclose(levels.mean(axis=1), matched.ap(), atol=1e-12)
    assert (np.diff(levels) <= 0).all()  # the best precision from a level on
