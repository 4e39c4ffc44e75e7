"""A task of a saved model, for rmlr-eval: a folder holds no configuration of training."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.hub import SHIPPED
from rmlr_lightning.hub.detector import HOIDetector
from rmlr_lightning.hub.saved_model import SavedModel
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.runs.config import composed, register_resolvers
from rmlr_lightning.runs.load_task import changed
from rmlr_lightning.vocabulary import hicodet, vcoco


def is_saved_model(name: str) -> bool:
    """Whether a name is that of a folder, or of the model that ships; else it is a checkpoint."""
    return name == SHIPPED or Path(name).is_dir()


class SavedTask:
    """Configuration and task of a folder. Both have the signatures of `runs.load_task`.

    The data set follows from what the folder states of training, unless the user names one.

    Args:
        name: a folder, or "rmlr-synthetic".
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def saved(self) -> SavedModel:
        """The model, read once.

        Raises:
            UserError: see `HOIDetector.from_pretrained`.
        """
        return HOIDetector.from_pretrained(self.name).saved

    def config(self, path: str, **changes: Any) -> DictConfig:
        """The configuration of `rmlr-train` with the data set, and the size of images, of a folder.

        Args:
            changes: see `runs.load_task.checkpoint_config`.

        Raises:
            UserError: the data set is not known, or a change of the model, which is fixed.
        """
        if changes.pop("model", None):
            raise UserError(
                f"model.*: the model of the folder {path} is fixed; give its checkpoint"
            )
        data = changes.pop("data", {})
        is_whole = "_target_" in data
        config = self._of_data_set(None if is_whole else self._data_set())
        config.name = self.saved.training["name"]
        if is_whole:
            config.data = data
        # images of another size would not be those that the model was trained on
        config.data.test.resize = self.saved.resize_parts
        return changed(config, changes | ({} if is_whole else {"data": data}))

    def task(self, path: str, **changes: Any) -> tuple[nn.Module, DictConfig]:
        """The task, in evaluation mode, and its configuration."""
        config = self.config(path, **changes)
        module = config.task.module
        # a loss would make the text embeddings
        module.losses, module.text = {}, None
        task = instantiate(module, model=self._model, vocabulary=self.saved.vocabulary)
        task.calibration = self.saved.calibration
        return task.eval(), config

    def _model(self, **_: Any) -> HOIModel:
        return self.saved.model

    def _data_set(self) -> str:
        is_drawn = self.saved.knows_drawings_only
        verbs = self.saved.vocabulary.verbs
        if verbs == vcoco().verbs:
            return "synthetic_vcoco" if is_drawn else "vcoco"
        if is_drawn:
            return "synthetic"
        if verbs == hicodet().verbs:
            return "hicodet"
        raise UserError(
            f"{self.name}: states no data set that this package reads by itself; name it, such as "
            "data=custom paths.custom=FOLDER"
        )

    def _of_data_set(self, name: str | None) -> DictConfig:
        register_resolvers()
        has_roles = self.saved.vocabulary.verbs == vcoco().verbs
        overrides = [f"metrics={'vcoco' if has_roles else 'hicodet'}"]
        # a cache takes longer to make than one evaluation takes without
        overrides += ["features=online", "loss=focal", *([] if name is None else [f"data={name}"])]
        config = composed(overrides)

        drawn: Mapping[str, Any] = self.saved.training.get("data", {}).get("synthetic", {})
        if name is not None and drawn:
            config.data.prepare.config.update(drawn)
        return config
