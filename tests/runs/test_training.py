"""What a run hands to Lightning's Trainer."""

from omegaconf import OmegaConf
from pytorch_lightning import Callback

from rmlr_lightning.callbacks.epoch_table import EpochTable
from rmlr_lightning.runs.training import shown_callbacks


def test_progress_is_turned_off_by_the_option_of_the_trainer_alone():
    table, other = EpochTable("val/map_full"), Callback()
    for trainer, expected in (({"enable_progress_bar": False}, [other]), ({}, [table, other])):
        cfg = OmegaConf.create({"trainer": trainer})
        assert shown_callbacks(cfg, [table, other]) == expected
