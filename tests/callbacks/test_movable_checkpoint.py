"""The checkpoints of conf/callbacks/default.yaml: the best and the last epoch."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.demos.boring_classes import BoringModel

from rmlr_lightning.callbacks.movable_checkpoint import MovableCheckpoint
from rmlr_lightning.runs.config import conf_dir

# Lightning's warning about every folder in which a run resumes
pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
SCORES = [0.5, 0.9, 0.3, 0.4]  # by epoch; the second is best


class ScoredModel(BoringModel):
    def validation_step(self, batch, batch_idx):
        self.log("score", SCORES[self.current_epoch])


def configured(run_folder: Path) -> list[ModelCheckpoint]:
    """The callbacks `best` and `last` as rmlr-train makes them."""
    group = OmegaConf.load(Path(conf_dir(), "callbacks", "default.yaml"))
    values = {"task": {"monitor": "score"}, "paths": {"output": str(run_folder)}}
    cfg = OmegaConf.merge({"callbacks": group}, values)
    return [instantiate(cfg.callbacks.best), instantiate(cfg.callbacks.last)]


def run(run_folder, epochs, resume=None, every=1, callbacks=None) -> Trainer:
    """Train for some epochs with a validation `every` so many."""
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=callbacks or configured(run_folder),
        check_val_every_n_epoch=every,
        limit_train_batches=1,
        limit_val_batches=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(ScoredModel(), ckpt_path=resume, weights_only=True)
    return trainer


def steps_of(path):
    """Training steps, of which there is one per epoch."""
    return torch.load(path, weights_only=False)["global_step"]


@pytest.mark.parametrize("every", [1, 2])
def test_the_last_checkpoint_is_that_of_the_last_epoch_though_it_is_not_the_best(tmp_path, every):
    trainer = run(tmp_path, 4, every=every)
    assert steps_of(tmp_path / "checkpoints" / "best.ckpt") == 2
    assert steps_of(tmp_path / "checkpoints" / "last.ckpt") == 4
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
        "previous.ckpt",
    ]
    assert steps_of(tmp_path / "checkpoints" / "previous.ckpt") == 3
    assert Path(trainer.checkpoint_callback.best_model_path).name == "best.ckpt"


def test_the_last_checkpoint_holds_the_score_of_the_best(tmp_path):
    run(tmp_path, 2)
    trainer = run(tmp_path, 4, tmp_path / "checkpoints" / "last.ckpt")
    assert steps_of(tmp_path / "checkpoints" / "best.ckpt") == 2
    assert trainer.checkpoint_callback.best_model_score == pytest.approx(0.9)


def test_the_best_checkpoint_survives_a_worse_one_after_the_folder_moved(tmp_path):
    run(tmp_path / "before", 2)
    (tmp_path / "before").rename(tmp_path / "after")
    folder = tmp_path / "after" / "checkpoints"
    best = run(tmp_path / "after", 4, folder / "last.ckpt").checkpoint_callback
    assert steps_of(folder / "best.ckpt") == 2
    assert steps_of(folder / "last.ckpt") == 4
    assert best.best_model_score == pytest.approx(0.9)
    assert best.best_model_path == str(folder / "best.ckpt")


@pytest.mark.fault
def test_a_best_checkpoint_of_a_later_step_is_not_taken_for_the_one_before(tmp_path, monkeypatch):
    """Stopped after it wrote its best checkpoint and before the last; then it scores otherwise."""
    run(tmp_path, 1)
    folder = tmp_path / "checkpoints"
    shutil.copy(folder / "last.ckpt", tmp_path / "first.ckpt")
    run(tmp_path, 2, folder / "last.ckpt")
    monkeypatch.setattr(sys.modules[__name__], "SCORES", [0.5, 0.4])
    best = run(tmp_path, 2, tmp_path / "first.ckpt").checkpoint_callback
    assert best.best_model_score == pytest.approx(0.4)
    kept = torch.load(folder / "best.ckpt", weights_only=True)["callbacks"]
    assert any(state["best_model_score"] == pytest.approx(0.4) for state in kept.values())


@pytest.mark.fault
def test_a_best_checkpoint_that_is_gone_is_not_tested(tmp_path):
    run(tmp_path, 2)
    (tmp_path / "checkpoints" / "best.ckpt").unlink()
    best = run(tmp_path, 2, tmp_path / "checkpoints" / "last.ckpt").checkpoint_callback
    assert best.best_model_path == ""


@pytest.mark.fault
def test_the_best_checkpoint_is_written_when_its_epoch_is_complete(tmp_path):
    """Only then can a run resume from it as from the last one."""
    run(tmp_path, 4, every=2)
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    progress = best["loops"]["fit_loop"]["epoch_progress"]["current"]
    assert progress["ready"] == progress["processed"] == 2


@pytest.mark.fault
def test_no_checkpoint_lies_between_the_last_batch_and_the_end_of_an_epoch(tmp_path):
    """Lightning resumes from one without that end. Every epoch here has one batch."""
    options = {"every_n_train_steps": 1, "enable_version_counter": False}
    recovery = MovableCheckpoint(tmp_path, "recovery", **options)
    run(tmp_path, 2, callbacks=[*configured(tmp_path), recovery])
    assert not (tmp_path / "recovery.ckpt").exists()
    assert steps_of(tmp_path / "checkpoints" / "last.ckpt") == 2


@pytest.mark.fault
def test_the_checkpoint_before_is_kept_where_files_have_no_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", no_links)
    run(tmp_path, 3)
    assert steps_of(tmp_path / "checkpoints" / "previous.ckpt") == 2


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_scores_of_a_folder_that_is_still_there_are_not_taken_over(tmp_path):
    run(tmp_path / "first", 2)
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    best = run(tmp_path / "second", 4, last).checkpoint_callback
    assert steps_of(tmp_path / "first" / "checkpoints" / "best.ckpt") == 2
    assert best.best_model_path == str(tmp_path / "second" / "checkpoints" / "best.ckpt")
    assert best.best_model_score == pytest.approx(0.4)


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_lightnings_own_class_still_needs_this_one(tmp_path):
    """When this fails, `MovableCheckpoint` can be replaced by `ModelCheckpoint`."""

    def own(folder):
        options = {"mode": "max", "enable_version_counter": False}
        return [
            ModelCheckpoint(folder, "best", monitor="score", **options),
            ModelCheckpoint(folder, "last", **options),
        ]

    run(tmp_path, 2, callbacks=own(tmp_path / "before"))
    (tmp_path / "before").rename(tmp_path / "after")
    last = tmp_path / "after" / "last.ckpt"
    run(tmp_path, 4, last, callbacks=own(tmp_path / "after"))
    assert steps_of(tmp_path / "after" / "best.ckpt") > 2
