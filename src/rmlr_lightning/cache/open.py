"""Where Scenes come from: the detector on pictures, or a cache of what it said."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch.utils.data import Dataset

from rmlr_lightning.cache.build import Work, fill, folders_of
from rmlr_lightning.cache.dataset import CachedHOIDataset
from rmlr_lightning.cache.options import CacheOptions, cache_options
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.models.remine import Backbone

KINDS = ("online", "cached", "auto")
DECIDES = (
    "checkpoint",
    "data",
    "paths",
    "experiment",
    "features",
    "model",
)  # groups that a cache may follow from


def read_from(
    cfg: DictConfig | None, datamodule: DataModule, model: HOIModel | None, splits: Sequence[str]
) -> None:
    """Let a DataModule read what the configuration's `source` says.

    Args:
        cfg: the group `features`; None means pixels.
        model: whose detector it is; None where a detector is trained.
        splits: those that will be used.

    Raises:
        UserError: a cache is missing (features=cached), or cannot be made (features=auto).
    """
    if cfg is None or cfg.kind == "online":
        return
    if cfg.kind not in KINDS:
        raise UserError(f"features.kind={cfg.kind}: choose one of {', '.join(KINDS)}")
    if model is None and cfg.kind == "auto":  # there is nothing to store
        return
    if model is None:
        raise UserError(
            f"features={cfg.kind}: this task has no frozen detector; leave features=online"
        )
    storage = cache_options(cfg.dtype, cfg.memory, cfg.entities, model.selection)
    work = work_of(cfg, datamodule, model.detector, storage, splits)
    missing = [part for part in work if part.folder.missing()]
    if missing and cfg.kind == "cached":
        split, _, folder = missing[0]
        raise UserError(
            f"{folder.path}: no whole cache of the {split} split, view {folder.view.number}; make it with "
            f"`{command()}`, or let features=auto do so"
        )
    if missing:
        fill(missing, model.detector, storage, cfg.batch_size, cfg.num_workers, cfg.device)
    pixels = isinstance(model.remine, Backbone) if cfg.pixels == "auto" else bool(cfg.pixels)
    folders = {split: [part.folder for part in work if part.split == split] for split in splits}

    def source(split: str, data: Dataset) -> Dataset:
        if split not in folders:
            raise UserError(f"features: the {split} split was not asked for")
        return CachedHOIDataset(data, folders[split], pixels)

    datamodule.wrap_datasets(source)
    _tell(datamodule, splits)


def work_of(
    cfg: DictConfig,
    datamodule: DataModule,
    detector: Detector,
    storage: CacheOptions,
    splits: Sequence[str],
) -> list[Work]:
    """All caches of these splits; training wants every view, evaluation the plain one."""
    work = []
    for split in splits:
        data = datamodule.uncached_dataset(split)
        if not isinstance(data, HOIDataset):
            raise UserError(
                "features: only interactions (task=hoi) can be cached, not boxes; leave features=online"
            )
        views = cfg.views if split == "train" else 1
        work += [
            Work(split, data, folder)
            for folder in folders_of(data, detector, storage, Path(cfg.path), views, cfg.shard)
        ]
    return work


def merged_features(chosen: DictConfig | None, trained: DictConfig | None) -> DictConfig | None:
    """The `source` to use with a checkpoint: the kind that is chosen now, with the options of training.

    Options that the user types (`features.dtype=fp32`) win over both.
    """
    if chosen is None:
        return trained
    typed = dotted("features")
    chosen = chosen.copy()  # keeps its parent, which interpolations need
    OmegaConf.set_struct(chosen, False)
    return OmegaConf.merge(chosen, trained or {}, {"kind": chosen.kind}, typed.get("features", {}))


def overrides(*groups: str) -> list[str]:
    """The user's own overrides in these groups, as typed."""
    if not HydraConfig.initialized():
        return []
    typed = HydraConfig.get().overrides.task
    return [
        part
        for part in typed
        if part.lstrip("+~").replace("/", ".").replace("=", ".").split(".")[0] in groups
    ]


def dotted(group: str) -> DictConfig:
    """The single values that the user has typed in a group: {group: {key: value}}."""
    typed = [part.lstrip("+") for part in overrides(group)]
    return OmegaConf.from_dotlist([part for part in typed if part.startswith(f"{group}.")])


def command() -> str:
    """The rmlr-extract that makes what this run of rmlr-train or rmlr-eval would read, by the user's own overrides."""
    return shlex.join(
        [
            "rmlr-extract",
            *(part for part in overrides(*DECIDES) if not part.startswith("features=")),
        ]
    )


@rank_zero_only
def _tell(datamodule: DataModule, splits: Sequence[str]) -> None:
    """What is read, and what augmentation training does without."""
    line = "features: cached scenes"
    if "train" in splits:
        data = datamodule.dataset("train")
        views = len(data.folders)
        lacks = data.lacks()
        line += f", {views} stored view{'s' * (views > 1)} of each training image"
        line += (
            f"; without {', '.join(lacks)}" if lacks else "; with all flips of the pixel pipeline"
        )
    print(line)
