"""Predictions on the first images of a split, as one image."""

from pathlib import Path

import numpy as np
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger

from rmlr_lightning.drawing import contact_sheet, triplets_picture
from rmlr_lightning.types import Batch


class PredictionPanel(Callback):
    """Draws the model's triplets on the first images of the split, after every test and every `every` epochs.

    The sheet goes to `folder` as PNG, and to Weights & Biases when that is among the loggers.
    """

    def __init__(
        self, folder: str, images: int = 6, every: int = 5, threshold: float = 0.15
    ) -> None:
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
            truth = sorted(
                {task.vocabulary.hoi_name(hoi) for hoi in target.hois.tolist() if hoi >= 0}
            )
            tiles.append(
                triplets_picture(
                    picture,
                    found[index],
                    task.vocabulary.verbs,
                    self.threshold,
                    caption=f"true: {', '.join(truth)}",
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
