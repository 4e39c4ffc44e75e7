"""What a run hands to Lightning's Trainer."""

import pytest
from omegaconf import OmegaConf
from pytorch_lightning import Callback

from rmlr_lightning.callbacks.epoch_table import EpochTable
from rmlr_lightning.report.run_folders import is_part
from rmlr_lightning.runs.training import shown_callbacks


def test_progress_is_turned_off_by_the_option_of_the_trainer_alone():
    table, other = EpochTable("val/map_full"), Callback()
    for trainer, expected in (({"enable_progress_bar": False}, [other]), ({}, [table, other])):
        cfg = OmegaConf.create({"trainer": trainer})
        assert shown_callbacks(cfg, [table, other]) == expected


@pytest.mark.fault
@pytest.mark.parametrize(
    ("limit", "expected"), [(None, False), (1.0, False), (1, True), (2, True), (0.5, True)]
)
def test_a_test_of_a_part_of_the_images_is_told_apart(limit, expected):
    assert is_part(limit) == expected
