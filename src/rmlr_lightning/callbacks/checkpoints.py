"""Best and last checkpoint of a run."""

from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint


class Checkpoints(ModelCheckpoint):
    """Lightning's, but the last checkpoint is that of the last epoch, and a run may be moved.

    Lightning's own writes the last only together with a best one, so that a run that breaks loses all epochs since its
    best; and it forgets how good the best was when a run goes on in a folder that was moved, so that a worse one
    replaces it. Here the score is kept if the old folder is gone and the new one has the file.
    """

    @property
    def state_key(self) -> str:
        """That of Lightning's own class, so that either goes on from a checkpoint of the other."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self._should_save_on_train_epoch_end(trainer):
            self._keep_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if not self._should_save_on_train_epoch_end(trainer):
            self._keep_last(trainer)

    def _keep_last(self, trainer: Trainer) -> None:
        if not self._should_skip_saving_checkpoint(
            trainer
        ):  # as it does when a best one was written at this step
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def load_state_dict(self, state_dict: dict) -> None:
        there, here = Path(state_dict["dirpath"]), Path(self.dirpath)
        best = Path(state_dict["best_model_path"]).name
        if best and not there.is_dir() and (here / best).is_file():
            state_dict = {**state_dict, "dirpath": self.dirpath}
            for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state_dict[name] = state_dict[name] and str(here / Path(state_dict[name]).name)
            kept = state_dict["best_k_models"]
            state_dict["best_k_models"] = {
                str(here / Path(path).name): score for path, score in kept.items()
            }
        super().load_state_dict(state_dict)
