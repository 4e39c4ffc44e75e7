"""From the config group `features`, and what the user typed, to the feature cache."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from rmlr_lightning.cache.open import open_or_build
from rmlr_lightning.cache.options import CacheOptions, Resolution
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.runs.device import device_of

# Groups whose values can change which cache a run reads.
CACHE_GROUPS = (
    "checkpoint",
    "data",
    "paths",
    "experiment",
    "features",
    "model",
    "unseen",
    "task",
    "sg_split",
)


def open_features(
    cfg: DictConfig | None, datamodule: DataModule, model: nn.Module | None, splits: Sequence[str]
) -> dict[str, list[str]]:
    """Let a DataModule read images or cached features, as the config demands.

    Args:
        cfg: the group `features`; None is features=online.
        model: the HOI model; None in a task that trains a detector, which reads images.
        splits: those that will be read.

    Returns:
        The keys of the caches of each split, one per view; nothing where images are read.

    Raises:
        UserError: a wrong option, a missing cache (features=cached), or one that cannot be made.
    """
    if cfg is None or cfg.mode == "online":
        return {}
    # features=auto is the default of every task, so it must not stop the training of a detector.
    if model is None:
        if cfg.mode == "cached":
            raise UserError("features=cached: this task has no frozen detector; leave it out")
        return {}
    options = cache_options(cfg, model.selection)
    return open_or_build(
        datamodule,
        model.detector,
        replace(options, subject=datamodule.vocabulary.subject_name),
        splits,
        mode=cfg.mode,
        pixels=_needs_pixels(cfg.pixels, model),
        rebuild_command=rebuild_command(),
    )


def cache_options(cfg: DictConfig, selection: Selection) -> CacheOptions:
    """The options of the group `features`, with those of the model's selection.

    Raises:
        UserError: a wrong option.
    """

    def resolution(value: Resolution | ListConfig) -> Resolution:
        return tuple(value) if isinstance(value, ListConfig) else value

    return CacheOptions(
        path=Path(cfg.path),
        dtype=cfg.dtype,
        memory=resolution(cfg.memory),
        maps=resolution(cfg.maps),
        entities=cfg.entities,
        min_instances=selection.min_instances,
        nms_iou=selection.nms_iou,
        views=cfg.views,
        precision=cfg.get("precision", "fp32"),  # checkpoints may lack it
        shard=cfg.shard,
        batch_size=cfg.batch_size,
        num_workers=cfg.num_workers,
        device=None if cfg.device == "auto" else device_of(cfg.device, "features.device"),
    )


def _needs_pixels(option: bool | str, model: nn.Module) -> bool:
    if option == "auto":
        return model.remine.needs_pixels
    if not isinstance(option, bool):
        raise UserError(f"features.pixels={option}: choose auto, true or false")
    return option


def merged_features(current: DictConfig | None, trained: DictConfig | None) -> DictConfig | None:
    """The group `features` to use with a checkpoint.

    The mode of this run, the other options of the training, and over both what the user typed, such
    as `features.dtype=fp32`. Without a group in this run: that of the training.
    """
    if current is None:
        return trained
    # A group of this run, such as features=online, brings defaults for all its keys. Only the mode
    # of it counts, because the other keys must be those of the training to find its cache.
    typed = typed_values("features").get("features", {})
    current = current.copy()  # keeps its parent, which interpolations need
    OmegaConf.set_struct(current, False)
    return OmegaConf.merge(current, trained or {}, {"mode": current.mode}, typed)


def typed_values(group: str) -> DictConfig:
    """The single values that the user typed in a group: {group: {key: value}}."""
    values = OmegaConf.create()
    for override in OverridesParser.create().parse_overrides(_typed_overrides(group)):
        if override.key_or_group.startswith(f"{group}.") and not override.is_delete():
            OmegaConf.update(values, override.key_or_group, override.value(), force_add=True)
    return values


def is_typed(group: str) -> bool:
    """Whether the user chose a file of this group, such as data=hicodet."""
    return any(override.startswith(f"{group}=") for override in _typed_overrides(group))


def rebuild_command() -> str:
    """The rmlr-extract that makes the cache which this run of rmlr-train or rmlr-eval reads."""
    overrides = _typed_overrides(*CACHE_GROUPS)
    # rmlr-extract has a default of its own for the group, and refuses features=online.
    overrides = [override for override in overrides if not override.startswith("features=")]
    return shlex.join(["rmlr-extract", *overrides])


def _typed_overrides(*groups: str) -> list[str]:
    """The user's own overrides in these groups, as typed."""
    if not HydraConfig.initialized():
        return []
    typed = []
    for override in HydraConfig.get().overrides.task:
        # "+data.prepare.x=1" and "model/remine=neck" belong to the groups data and model.
        key = override.lstrip("+~").partition("=")[0]
        if key.replace("/", ".").split(".")[0] in groups:
            typed.append(override)
    return typed
