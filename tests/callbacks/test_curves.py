import errno
import os
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from rmlr_lightning import files
from rmlr_lightning.callbacks.curves import Curves


def after_epoch(callback: Curves, epoch: int, validated: bool = True, **values: float) -> None:
    logged = {name.replace("__", "/"): torch.tensor(value) for name, value in values.items()}
    trainer = SimpleNamespace(callback_metrics=logged, current_epoch=epoch, is_global_zero=True)
    trainer.sanity_checking = False
    if validated:
        callback.on_validation_end(trainer, None)
    callback.on_train_epoch_end(trainer, None)


@pytest.mark.fault
def test_an_epoch_without_a_validation_has_no_point_of_the_last_one(tmp_path):
    curves = Curves(str(tmp_path / "curves.png"), ["val/map"])
    after_epoch(curves, 0, val__map=0.25)
    after_epoch(curves, 1, validated=False, val__map=0.25)
    assert curves.history == {"val/map": [(1, 0.25)]}


def test_names_and_patterns_choose_what_is_plotted(tmp_path):
    names = OmegaConf.create(["train/loss", "val/map_*"])
    curves = Curves(str(tmp_path / "curves.png"), names)
    after_epoch(curves, 0, train__loss=2.0, train__loss_word=1.0, val__map_full=0.25, val__ap=0.5)
    after_epoch(curves, 1, train__loss=1.0, val__map_full=0.5, val__map_seen=0.75)
    assert curves.history == {
        "train/loss": [(1, 2.0), (2, 1.0)],
        "val/map_full": [(1, 0.25), (2, 0.5)],
        "val/map_seen": [(2, 0.75)],
    }
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_a_resumed_run_continues_its_curves(tmp_path):
    first = Curves(str(tmp_path / "curves.png"), ["train/loss"])
    after_epoch(first, 0, train__loss=2.0)
    second = Curves(str(tmp_path / "curves.png"), ["train/loss"])
    second.load_state_dict(first.state_dict())
    after_epoch(second, 1, train__loss=1.0)
    assert second.history == {"train/loss": [(1, 2.0), (2, 1.0)]}


@pytest.mark.fault
def test_a_full_disk_costs_the_plot_and_not_the_run(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    curves = Curves(str(tmp_path / "curves.png"), ["train/loss"])
    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_and_rename", full)
        after_epoch(curves, 0, train__loss=2.0)
    assert "curves.png: the disk is full" in capsys.readouterr().out
    # the plot of the next epoch has both points
    after_epoch(curves, 1, train__loss=1.0)
    assert curves.history == {"train/loss": [(1, 2.0), (2, 1.0)]}
    assert (tmp_path / "curves.png").exists()
