"""Predictions on the first images of a split, as one sheet."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageFont
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import WandbLogger

from rmlr_lightning.callbacks.optional_output import optional_output
from rmlr_lightning.callbacks.wandb_images import annotated_pairs, detected_pairs, wandb_image
from rmlr_lightning.drawing.contact_sheet import contact_sheet
from rmlr_lightning.drawing.labels import add_caption
from rmlr_lightning.drawing.thumbnail import thumbnail
from rmlr_lightning.drawing.triplets import draw_triplets
from rmlr_lightning.files import write_atomic
from rmlr_lightning.types import Batch, Detections, Target
from rmlr_lightning.vocabulary import Vocabulary

MAX_BOXED = 20  # detections of an image in Weights & Biases


class PredictionPanel(Callback):
    """Draws predicted triplets above the annotated ones, for the first batch of a split.

    The sheet is written as PNG, with a line that explains the colours. Weights & Biases, if it is
    among the loggers, gets the images with detected and annotated boxes.

    Args:
        folder: gets `val_epoch_NNN.png` and `test.png`.
        max_images: images on the sheet; not more than the batch has.
        every_n_epochs: epochs between two sheets of the validation split; the last epoch has one.
        score_threshold: triplets with a lower score are not drawn.
    """

    def __init__(
        self,
        folder: str,
        max_images: int = 6,
        every_n_epochs: int = 5,
        score_threshold: float = 0.15,
    ) -> None:
        self.folder = Path(folder)
        self.max_images = max_images
        self.every_n_epochs = every_n_epochs
        self.score_threshold = score_threshold

    def on_validation_batch_end(
        self, trainer, pl_module, outputs, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        epoch = trainer.current_epoch + 1
        is_due = epoch % self.every_n_epochs == 0 or epoch == trainer.max_epochs
        if batch_idx == 0 and is_due and not trainer.sanity_checking:
            self._draw(trainer, pl_module, batch, "val", f"val_epoch_{epoch:03d}.png")

    def on_test_batch_end(
        self, trainer, pl_module, outputs, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0:
            self._draw(trainer, pl_module, batch, "test", "test.png")

    def _draw(
        self, trainer: Trainer, task: LightningModule, batch: Batch, split: str, name: str
    ) -> None:
        if not trainer.is_global_zero:
            return
        # Batches of cached features hold no pixels: image and annotations come from the data set.
        dataset = trainer.datamodule.dataset(split)
        predictions = task.detect(task(batch.inputs))

        loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        tiles, boxed = [], []
        for image_id, found in list(zip(batch.image_ids, predictions, strict=True))[
            : self.max_images
        ]:
            target = dataset.target(image_id)
            image = dataset.image(target.file_name)
            tile = draw_triplets(
                image,
                found,
                task.vocabulary,
                self.score_threshold,
                caption=f"true: {_annotated(target, task.vocabulary)}",
            )
            tiles.append(tile)
            if loggers:
                boxed.append(self._boxed(image, found, target, task.vocabulary))

        sheet = contact_sheet(tiles, columns=min(3, len(tiles)))
        sheet = add_caption(sheet, _key(task.vocabulary), ImageFont.load_default(18))
        png = io.BytesIO()
        sheet.save(png, "png", compress_level=1)  # the default takes four times as long
        with optional_output("image"):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / name, png.getvalue())
        for logger in loggers:
            logger.log_metrics({f"panel/{split}": boxed}, step=trainer.global_step)

    def _boxed(
        self, image: Image.Image, found: Detections, target: Target, vocabulary: Vocabulary
    ) -> Any:
        """The image for Weights & Biases, where boxes are drawn by the browser."""
        # The slider of the score starts at 0: a lower threshold than that of the sheet.
        groups = {
            "detected": detected_pairs(found, vocabulary, self.score_threshold / 3, MAX_BOXED),
            "annotated": annotated_pairs(target),
        }
        small = Image.open(io.BytesIO(thumbnail(image, 640)))
        size = (image.height, image.width)
        return wandb_image(small, size, groups, vocabulary, caption=target.file_name)


def _key(vocabulary: Vocabulary) -> str:
    """What colours and text of the sheet mean."""
    human = vocabulary.subject_name or "subject"
    return (
        f"blue box: {human}; other colours: object of a pair, its line and its label with verbs "
        "and scores; true: annotated"
    )


def _annotated(target: Target, vocabulary: Vocabulary) -> str:
    """The HOI classes of an image, in alphabetical order."""
    hois = {vocabulary.hoi_name(hoi) for hoi in target.hois.tolist() if hoi >= 0}
    return ", ".join(sorted(hois))
