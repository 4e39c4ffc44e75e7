"""HOIDetector, the public API: a trained model with all that is needed to use it."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from huggingface_hub import ModelCard, ModelHubMixin, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from PIL import Image
from torch import nn

from rmlr_lightning.data.collate import collate_entities, collate_images
from rmlr_lightning.data.transforms import transform
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.hub.model_card import model_card
from rmlr_lightning.hub.named_detections import Interaction, interactions
from rmlr_lightning.hub.saved_model import SavedModel, read_model, write_model
from rmlr_lightning.images.image_file import of_array, open_image, upright_rgb
from rmlr_lightning.ops.finite import finite_logits, finite_scenes
from rmlr_lightning.types import Detections, Entities, Images, Inputs, Prediction
from rmlr_lightning.vocabulary import Vocabulary

SHIPPED_FOLDER = Path(__file__).parents[1] / "weights" / "rmlr_synthetic"
WRITTEN = (constants.CONFIG_NAME, constants.SAFETENSORS_SINGLE_FILE, "README.md")

ImageLike = str | Path | Image.Image | np.ndarray


class HOIDetector(nn.Module, ModelHubMixin, library_name="rmlr_lightning"):
    """Detects human-object interactions in images.

    `from_pretrained`, `save_pretrained` and `push_to_hub` work as in other libraries: a folder or a
    repository of the Hugging Face hub holds config.json, model.safetensors and a model card. It is
    complete: detector, head, vocabulary, size of the images, thresholds. It holds no code.
    """

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.model, self.resize = saved.model.eval(), saved.resize
        self.vocabulary: Vocabulary = saved.vocabulary
        self.saved = saved

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        metrics: str | Path | None = None,
        dilation: bool | None = None,
    ) -> "HOIDetector":
        """The model of a checkpoint of rmlr-train, or of a released one of UPT or PViC.

        Losses are left out.

        Args:
            metrics: metrics.json of the run, for the model card. None takes it from the run's
                folder if the checkpoint is the one that was tested, best.ckpt.
            dilation: whether the detector of a released model with R101 is dilated (DC5).

        Raises:
            UserError: not a checkpoint of this version, its detector is missing, or `dilation` is
                needed.
        """
        # imported here, because a saved model is used without Lightning
        from rmlr_lightning.hub.trained import trained_model

        return cls(trained_model(Path(path), None if metrics is None else Path(metrics), dilation))

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path = SHIPPED, **options: Any
    ) -> "HOIDetector":
        """A model by folder, by hub id, or the one that ships with the package, "rmlr-synthetic".

        Args:
            options: `revision`, `token`, `cache_dir`, `force_download`, `local_files_only`.

        Raises:
            UserError: no such folder or repository, no network, or not a model of this package.
        """
        name = str(pretrained_model_name_or_path)
        # A folder of that name in the current directory must not change what the example loads.
        if name == SHIPPED:
            name = str(SHIPPED_FOLDER)
        if Path(name).is_file():
            raise UserError(f"{name}: a file; HOIDetector.from_checkpoint reads checkpoints")
        # huggingface_hub has an error class per cause, and messages of many lines.
        try:
            return super().from_pretrained(name, **options)
        except (OSError, ValueError, HfHubHTTPError) as error:
            raise UserError(
                f"{name}: neither a folder with a model nor available from the hub "
                f"({_first_line(error)})"
            ) from error

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, config: dict[str, Any] | None = None, **options: Any
    ) -> "HOIDetector":
        if config is None:
            raise UserError(f"{model_id}: no {constants.CONFIG_NAME} there")
        # Only these two files are read, whatever else a repository holds.
        weights = Path(model_id, constants.SAFETENSORS_SINGLE_FILE)
        if not Path(model_id).is_dir():
            weights = Path(hf_hub_download(model_id, weights.name, **options))
        return cls(read_model(config, weights, model_id))

    def save_pretrained(
        self, save_directory: str | Path, *, overwrite: bool = False, **options: Any
    ) -> str | None:
        """Write config.json, model.safetensors and README.md, the model card, into a folder.

        Args:
            overwrite: replace these files where they exist.
            options: `push_to_hub`, `repo_id` and those of `push_to_hub`.

        Raises:
            UserError: a file exists or cannot be written, or the detector cannot be saved.
        """
        folder = Path(save_directory)
        # The mixin would replace config.json and keep an old model card beside new weights.
        existing = [name for name in WRITTEN if (folder / name).exists()]
        if existing and not overwrite:
            raise UserError(
                f"{folder / existing[0]} exists; choose another folder, or pass overwrite=True"
            )
        options.setdefault("repo_id", folder.name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # All files are made before the first is replaced: none is lost if one cannot be made.
            with TemporaryDirectory(dir=folder, prefix=".") as made:
                address = super().save_pretrained(made, **options)
                for name in WRITTEN:
                    os.replace(Path(made, name), folder / name)
            return address
        except OSError as error:
            raise UserError(f"{folder}: cannot be written ({_first_line(error)})") from error

    def _save_pretrained(self, save_directory: Path) -> None:
        write_model(self.saved, save_directory)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the files of `save_pretrained` to the hub; returns the address of the commit.

        Args:
            options: `token`, `private`, `branch`, `create_pr`, `commit_message`, ...

        Raises:
            UserError: no network, no right to write, or the detector cannot be saved.
        """
        try:
            return super().push_to_hub(repo_id, **options)
        except UserError:
            raise
        except Exception as error:  # of the hub's client, whose classes differ between versions
            raise UserError(
                f"{repo_id}: cannot be uploaded to the hub ({_first_line(error)})"
            ) from error

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The model card: what the model is, and the metrics that were measured."""
        return model_card(self.saved)

    def forward(
        self,
        images: ImageLike | Sequence[ImageLike],
        threshold: float = 0.1,
        max_interactions: int = 100,
    ) -> list[Interaction] | list[list[Interaction]]:
        """The interactions of an image, best first; a list of them for a list of images.

        Args:
            images: files, PIL images, or arrays of height x width x 3 (RGB), by one rule
                (`images.image_file.as_rgb`). Each is processed by itself, so results do not depend
                on the others.
            threshold: interactions of a lower score are left out.
            max_interactions: per image.

        Raises:
            UserError: an image that cannot be read, or of a kind that the rule refuses.
        """
        # One image per batch: no padding, on which some detectors' outputs depend.
        if isinstance(images, Sequence) and not isinstance(images, str):
            return [self(image, threshold, max_interactions) for image in images]
        found, _ = self.predict(_opened(images), max_interactions=max_interactions)
        return interactions(found, self.vocabulary, threshold)

    def predict(
        self,
        image: Image.Image,
        external: Entities | None = None,
        max_interactions: int | None = None,
        name: str = "image",
    ) -> tuple[Detections, list[tuple[list[float], int]]]:
        """Detections of an RGB image, and (box, label) of the entities that were paired.

        Args:
            external: external detections in place of the detector's; None uses the detector.
            max_interactions: None keeps all.
            name: of the image, for errors.

        Returns:
            The detections, and the entities above the score threshold. Boxes are xyxy in pixels,
            labels are indices into the vocabulary's objects.

        Raises:
            UserError: an output of the model is NaN or infinite.
        """
        size = torch.tensor([image.height, image.width])
        pixels = transform(image, [], self.resize).pixels
        device = self.model.valid_pairs.device
        images = Images(*(field.to(device) for field in collate_images([pixels], [size])))
        if external is not None:
            external = Entities(*(field.to(device) for field in collate_entities([external])))
        with torch.inference_mode():
            prediction = self.model(Inputs(images, external=external))
            _check_finite(prediction, name)
            (found,) = self.model.detect(prediction, max_interactions)

        # Entities below the threshold were paired only to reach `min_instances`: a drawing of all
        # entities would show what the detector does not claim to have found.
        entities = prediction.scene.entities
        confident = entities.scores[0] >= self.model.selection.score_threshold
        kept = entities.mask[0] & confident
        boxes = entities.boxes[0, kept].cpu() * torch.tensor([image.width, image.height] * 2)
        labels = entities.labels[0, kept].tolist()
        return found, list(zip(boxes.tolist(), labels, strict=True))


def load_detector(name: str | Path, dilation: bool | None = None) -> HOIDetector:
    """A checkpoint file, a folder, a hub id, or "rmlr-synthetic".

    Args:
        dilation: see `HOIDetector.from_checkpoint`.

    Raises:
        UserError: none of these, or it cannot be read.
    """
    path = Path(name)
    # A missing checkpoint is not looked for on the hub.
    if path.is_file() or path.suffix == ".ckpt":
        return HOIDetector.from_checkpoint(path, dilation=dilation)
    return HOIDetector.from_pretrained(name)


def _check_finite(prediction: Prediction, name: str) -> None:
    """NaN and infinite scores would be no detections, without a word."""
    scene = prediction.scene._replace(entities=prediction.detected)
    if not finite_scenes(scene).all():
        raise UserError(f"{name}: the detector's outputs for this image are NaN or infinite")
    if not finite_logits(prediction).all():
        raise UserError(f"{name}: the model's logits for this image are NaN or infinite")


def _opened(image: ImageLike) -> Image.Image:
    if isinstance(image, (str, Path)):
        return open_image(Path(image))
    if not isinstance(image, (Image.Image, np.ndarray)):
        raise UserError(
            f"an image is given as {type(image).__name__}; expected a file, a PIL image, or an "
            "array of height x width x 3"
        )
    try:
        return upright_rgb(image) if isinstance(image, Image.Image) else of_array(image)
    # A PIL image may be a broken file that is only read now.
    except Exception as error:
        raise UserError(f"a given image cannot be used: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
