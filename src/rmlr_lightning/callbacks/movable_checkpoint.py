"""Checkpoints of a run whose folder may be moved."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from rmlr_lightning.errors import raise_limits

PREVIOUS = "previous.ckpt"


class MovableCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, whose best score stays that of the file in its folder.

    When a run resumes in another folder, Lightning's own class forgets the best score, so that a
    worse checkpoint replaces the best one. Here the score is kept if the old folder is gone and
    the new one holds the file. It is forgotten if the file is gone, or is of a later step than the
    one that the run resumes from.

    Args:
        keep_previous: keep the checkpoint that a new one replaces, as previous.ckpt.
        options: those of `ModelCheckpoint`.
    """

    def __init__(self, *args: Any, keep_previous: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.keep_previous = keep_previous
        self._resumed_step = 0
        self._validated = False  # in this epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = not trainer.sanity_checking
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # In an epoch without a validation the score is that of earlier weights.
        if self.monitor is None or self._validated:
            super().on_train_epoch_end(trainer, pl_module)
        self._validated = False

    def _should_save_on_train_epoch_end(self, trainer: Trainer) -> bool:
        # Where not every epoch is validated, Lightning saves right after the validation. A run that
        # resumes from such a checkpoint would miss the end of that epoch.
        if self._save_on_train_epoch_end is None and trainer.val_check_interval == 1.0:
            return True
        return super()._should_save_on_train_epoch_end(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *arguments: Any, **options: Any
    ) -> None:
        # A run that resumes from an epoch's last batch would miss the end of that epoch: its
        # validation and its checkpoints, which are written a moment later.
        if self.monitor is not None or not trainer.is_last_batch:
            super().on_train_batch_end(trainer, pl_module, *arguments, **options)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # Lightning calls this before `load_state_dict`.
        self._resumed_step = checkpoint["global_step"]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        old_folder = Path(state_dict["dirpath"])
        new_folder = Path(self.dirpath)
        best = Path(state_dict["best_model_path"]).name

        # A folder that still exists was copied or left, not moved: its scores are not ours.
        if best and not old_folder.is_dir() and (new_folder / best).is_file():
            state_dict = _moved(state_dict, new_folder)
        super().load_state_dict(state_dict)

        # A run that was stopped after it wrote a best checkpoint and before the last one, and whose
        # options then changed, may never write that best checkpoint again.
        if self.monitor is not None and self._step_of_best() > self._resumed_step:
            self._forget()

    def _step_of_best(self) -> float:
        """The step of the file with the best weights; infinite if it cannot be read."""
        if not self.best_model_path:
            return 0
        try:
            read = torch.load(self.best_model_path, map_location="cpu", weights_only=True)
            return read["global_step"]
        except Exception as error:  # torch raises errors of many classes for a damaged file
            raise_limits(error)
            return float("inf")

    def _forget(self) -> None:
        self.best_model_path = self.kth_best_model_path = ""
        self.best_model_score = None
        self.best_k_models = {}
        self.kth_value = torch.tensor(-torch.inf if self.mode == "max" else torch.inf)

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        if self.keep_previous and trainer.is_global_zero and Path(filepath).is_file():
            keep_previous(Path(filepath))
        super()._save_checkpoint(trainer, filepath)


def keep_previous(path: Path) -> None:
    """Give a checkpoint a second name, which stays when a new file takes the first one."""
    link = path.with_name(f".{PREVIOUS}.part")
    link.unlink(missing_ok=True)
    try:
        os.link(path, link)
    except OSError:  # a file system without links
        shutil.copyfile(path, link)
    os.replace(link, path.with_name(PREVIOUS))


def _moved(state_dict: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The state with all of its files in another folder."""

    def move(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    scores = {move(path): score for path, score in state_dict["best_k_models"].items()}
    paths = {
        name: move(state_dict[name])
        for name in ("best_model_path", "kth_best_model_path", "last_model_path")
    }
    return state_dict | paths | {"best_k_models": scores, "dirpath": str(folder)}
