"""What happens beside training: curves, prediction panels, checkpoints, what it costs, a moving average."""

import time
from pathlib import Path

import numpy as np
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from rmlr_lightning.pictures import contact_sheet, curves, triplets_picture
from rmlr_lightning.types import Batch


class Curves(Callback):
    """Draws loss and validation mAP over epochs into `path` after every validation."""

    def __init__(
        self, path: str, metrics: tuple[str, ...] = ("train/loss", "val/map_full", "val/map_rare", "val/map_non_rare")
    ) -> None:
        self.path = Path(path)
        self.metrics = tuple(metrics)
        self.history: dict[str, list[tuple[float, float]]] = {}

    def state_dict(self) -> dict:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict) -> None:
        self.history = state_dict["history"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning validates before this hook, so both kinds of metrics are there
        for name in self.metrics:
            if name in trainer.callback_metrics:
                self.history.setdefault(name, []).append(
                    (trainer.current_epoch + 1, float(trainer.callback_metrics[name]))
                )
        if trainer.is_global_zero and self.history:
            curves(self.history, self.path)


class Cost(Callback):
    """Seconds that fitting took, by the clock and of this process's CPU, over all starts of a run.

    What came after the checkpoint that a start goes on from is lost.
    """

    def __init__(self) -> None:
        self.before = {"fit_seconds": 0.0, "cpu_seconds": 0.0}
        self.began: tuple[float, float] | None = None

    @property
    def spent(self) -> dict[str, float]:
        """Seconds up to now."""
        if self.began is None:
            return dict(self.before)
        now = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        return {name: seconds + new for (name, seconds), new in zip(self.before.items(), now, strict=True)}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.began = time.perf_counter(), time.process_time()

    def state_dict(self) -> dict[str, float]:
        return self.spent

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        if self.began is not None:  # Lightning restores callbacks for a test, too
            self.before = dict(state_dict)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before, self.began = self.spent, None


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
        if not self._should_skip_saving_checkpoint(trainer):  # as it does when a best one was written at this step
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def load_state_dict(self, state_dict: dict) -> None:
        there, here = Path(state_dict["dirpath"]), Path(self.dirpath)
        best = Path(state_dict["best_model_path"]).name
        if best and not there.is_dir() and (here / best).is_file():
            state_dict = {**state_dict, "dirpath": self.dirpath}
            for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state_dict[name] = state_dict[name] and str(here / Path(state_dict[name]).name)
            kept = state_dict["best_k_models"]
            state_dict["best_k_models"] = {str(here / Path(path).name): score for path, score in kept.items()}
        super().load_state_dict(state_dict)


class MovingAverage(WeightAveraging):
    """Evaluates and keeps an exponential moving average of the weights that are trained.

    Lightning's own also averages what is frozen, which moves it by rounding errors, and integers, which moves them by
    one. Here frozen weights stay and buffers are copied. A checkpoint may lack what the task leaves out of it.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=self._average)
        self.decay = decay
        self._trained: set[int] = set()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._trained = {weight.data_ptr() for weight in self._average_model.parameters() if weight.requires_grad}

    def _average(self, averages: list[Tensor], currents: list[Tensor], _: Tensor) -> None:
        both = [pair for pair in zip(averages, currents, strict=True) if pair[0].data_ptr() in self._trained]
        for average, current in both:
            average.lerp_(current, 1 - self.decay)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            return  # Lightning's own would test the weights that were not averaged
        for key in ("state_dict", "current_model_state"):
            if key in checkpoint:
                checkpoint[key] = pl_module.state_dict() | checkpoint[key]  # they are loaded strictly
        super().on_load_checkpoint(trainer, pl_module, checkpoint)


class PredictionPanel(Callback):
    """Draws the model's triplets on the first images of the split, after every test and every `every` epochs.

    The sheet goes to `folder` as PNG, and to Weights & Biases when that is among the loggers.
    """

    def __init__(self, folder: str, images: int = 6, every: int = 5, threshold: float = 0.15) -> None:
        self.folder = Path(folder)
        self.images, self.every, self.threshold = images, every, threshold

    def on_validation_batch_end(
        self, trainer, pl_module, outputs, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        due = (trainer.current_epoch + 1) % self.every == 0
        if batch_idx == 0 and due and trainer.is_global_zero and not trainer.sanity_checking:
            self._draw(trainer, pl_module, batch, f"val_epoch_{trainer.current_epoch + 1:03d}")

    def on_test_batch_end(
        self, trainer, pl_module, outputs, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0 and trainer.is_global_zero:
            self._draw(trainer, pl_module, batch, "test")

    def _draw(self, trainer: Trainer, task: LightningModule, batch: Batch, name: str) -> None:
        found = task.detect(task(batch.inputs))
        tiles = []
        for index in range(min(self.images, len(found))):
            target = batch.targets[index]
            picture = _picture(trainer, batch, index, name.split("_")[0])
            truth = sorted({task.vocabulary.hoi_name(hoi) for hoi in target.hois.tolist() if hoi >= 0})
            tiles.append(
                triplets_picture(
                    picture, found[index], task.vocabulary.verbs, self.threshold, caption=f"true: {', '.join(truth)}"
                )
            )
        sheet = contact_sheet(tiles, columns=min(3, max(1, len(tiles))))
        self.folder.mkdir(parents=True, exist_ok=True)
        sheet.save(self.folder / f"{name}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image(f"panel/{name.split('_')[0]}", [sheet], step=trainer.global_step)


def _picture(trainer: Trainer, batch: Batch, index: int, split: str) -> Image.Image:
    """What the model saw, in the size of the file; the file itself where a cached Scene came without pixels."""
    target, images = batch.targets[index], batch.inputs.images
    if images is None:
        return trainer.datamodule.dataset(split).picture(target.file_name)
    height, width = target.size.tolist()
    mask = images.mask[index]
    pixels = images.pixels[index][:, mask.any(1)][:, :, mask.any(0)]
    array = (pixels.cpu().numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)
    return Image.fromarray(array).resize((width, height))
