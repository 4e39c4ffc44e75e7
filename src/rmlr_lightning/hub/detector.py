"""HOIDetector, the public API: a trained model with all that is needed to use it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import ModelCard, ModelHubMixin, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from torch import nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import ask_hub
from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.hub.image_inputs import ImageLike, is_one_image, listed
from rmlr_lightning.hub.model_card import model_card
from rmlr_lightning.hub.prediction import OfImage, results
from rmlr_lightning.hub.result import Result
from rmlr_lightning.hub.saved_model import SavedModel, read_model, write_model
from rmlr_lightning.vocabulary import Vocabulary

SHIPPED_FOLDER = Path(__file__).parents[1] / "weights" / "rmlr_synthetic"
HUB_OPTIONS = ("revision", "token", "cache_dir", "force_download", "local_files_only")
WRITTEN = (constants.CONFIG_NAME, constants.SAFETENSORS_SINGLE_FILE, "README.md")


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
                `to("cuda")` moves the model to a GPU afterwards.

        Raises:
            UserError: no such folder or repository, no network, not a model of this package, or
                another option.
        """
        if unknown := sorted(options.keys() - {*HUB_OPTIONS}):
            raise UserError(
                f"from_pretrained: {unknown[0]} is none of its options ({', '.join(HUB_OPTIONS)}); "
                'from_pretrained(...).to("cuda") moves a model to a GPU'
            )
        name = str(pretrained_model_name_or_path)
        # A folder of that name in the current directory must not change what the example loads.
        if name == SHIPPED:
            name = str(SHIPPED_FOLDER)
        if Path(name).is_file():
            raise UserError(f"{name}: a file; HOIDetector.from_checkpoint reads checkpoints")
        _check_folder(Path(name))
        # huggingface_hub has an error class per cause, and messages of many lines.
        try:
            if not options.get("local_files_only") and not options.get("cache_dir"):
                ask_hub(name, revision=options.get("revision"))
            return super().from_pretrained(name, **options)
        except (OSError, ValueError, HfHubHTTPError) as error:
            raise UserError(
                f"{name}: neither a folder with a model nor available from the hub "
                f"({_first_line(error)}); {SHIPPED} ships with the package"
            ) from error

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, config: dict[str, Any] | None = None, **options: Any
    ) -> "HOIDetector":
        if config is None:  # of a repository
            raise UserError(f"{model_id}: no {constants.CONFIG_NAME} there")
        # Only these two files are read, whatever else a repository holds.
        weights = Path(model_id, constants.SAFETENSORS_SINGLE_FILE)
        if not Path(model_id).is_dir():
            weights = Path(hf_hub_download(model_id, weights.name, **options))
        saved = read_model(config, weights, model_id)
        # only the card needs what the file holds of training
        try:
            model_card(saved)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{model_id}: the training in config.json is damaged") from error
        return cls(saved)

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

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        boxes: OfImage | Iterable[OfImage] = None,
        threshold: float = 0.0,
        max_triplets: int | None = 100,
        batch_size: int = 1,
    ) -> Result | list[Result]:
        """The interactions of an image; a list of them for a list or a folder of images.

        Calling the model is the same.

        Args:
            images: a file, a PIL image, an array of height x width x 3 or a tensor of 3 x height x
                width (RGB; values by the rule of `images.image_file.as_rgb`), a list of these, or
                a folder. Results do not depend on the other images.
            boxes: external detections in place of the detector's, one for each image: a dict of
                boxes (N x 4, xyxy in pixels), labels (N names of classes) and scores (N); see
                `hub.image_inputs.external_entities`.
            threshold: triplets of a lower score are left out.
            max_triplets: per image, best first; None keeps all.
            batch_size: adjacent images of one size that are processed together.

        Raises:
            UserError: an image that cannot be read, or of a kind that the rule refuses; external
                detections that are not of the image; an output of the model that is not finite.
        """
        is_one = is_one_image(images)
        all_images = [images] if is_one else listed(images)
        of_each = [boxes] if is_one and boxes is not None else boxes
        found = list(self.stream(all_images, of_each, threshold, max_triplets, batch_size))
        return found[0] if is_one else found

    def forward(self, images: ImageLike | Iterable[ImageLike], **options: Any):
        """See `predict`."""
        return self.predict(images, **options)

    def stream(
        self,
        images: Iterable[ImageLike],
        boxes: Iterable[OfImage] | None = None,
        threshold: float = 0.0,
        max_triplets: int | None = 100,
        batch_size: int = 1,
    ) -> Iterator[Result]:
        """As `predict`, one result after the other: many images need the memory of a batch."""
        return results(self.saved, images, boxes, threshold, max_triplets, batch_size)


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


def _check_folder(folder: Path) -> None:
    """Refuse a folder without config.json, of which huggingface_hub would log a line of its own."""
    if not folder.is_dir() or (folder / constants.CONFIG_NAME).is_file():
        return
    checkpoint = folder / "checkpoints" / "best.ckpt"
    way_out = f"; the checkpoint of this run is {checkpoint}" if checkpoint.is_file() else ""
    raise UserError(f"{folder}: no {constants.CONFIG_NAME} there{way_out}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
