"""Caches the detector outputs of a data set, for training and evaluation."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.cache.open import build, verify
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.assemble import first_stage
from rmlr_lightning.runs.claim import prepare_data
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.features import cache_options, is_typed, merged_features, typed_values
from rmlr_lightning.runs.load_task import checkpoint_config

SPLITS = ("train", "val", "test")


def of_checkpoint(cfg: DictConfig) -> DictConfig:
    """The config of the checkpoint that it names, with the splits of this run.

    A data set that the user typed, and single values in `paths`, `data` and `features`, win.
    """
    if cfg.checkpoint is None:
        return cfg
    typed = {group: typed_values(group).get(group, {}) for group in ("paths", "data")}
    if is_typed("data"):
        typed["data"] = cfg.data
    # all of it: the data may refer to folders, to the unseen HOIs and to the seed of their draw
    trained = checkpoint_config(cfg.checkpoint, **typed)
    trained.features = merged_features(cfg.features, trained.get("features"))
    trained.update(splits=cfg.splits, verify=cfg.verify)
    return trained


def with_cache(cfg: DictConfig) -> DictConfig:
    """The config with the default cache, where an experiment reads the images online.

    So that one command line makes the cache that another reads with features=cached.
    """
    if cfg.features.mode != "online" or is_typed("features"):
        return cfg
    cfg = cfg.copy()
    cfg.features = OmegaConf.load(Path(conf_dir(), "features", "cached.yaml"))
    return cfg


def extract(cfg: DictConfig) -> None:
    """Make, or verify, the caches that the config names.

    Raises:
        UserError: a wrong option, a cache that cannot be made, or a damaged one.
    """
    cfg = of_checkpoint(with_cache(cfg))
    _check(cfg)
    torch.set_float32_matmul_precision("high")
    # Before the data are prepared, which may take minutes: a wrong option is refused at once.
    options = cache_options(cfg.features, instantiate(cfg.model.selection))
    datamodule = instantiate(cfg.data)
    prepare_data(datamodule, Path(cfg.paths.data))
    datamodule.open(cfg.splits)
    detector = instantiate(cfg.model.detector)
    # What the extractor reads is stored.
    detector, _ = first_stage(detector, instantiate(cfg.model.remine))
    options = replace(options, subject=datamodule.vocabulary.subject_name)

    if not cfg.verify:
        build(datamodule, detector, options, cfg.splits)
        return
    damages = verify(datamodule, detector, options, cfg.splits)
    if damages:
        # The first line is the error message; it comes last, as a terminal shows it.
        for line in damages[1:]:
            print(line, file=sys.stderr)
        raise UserError(damages[0])
    print(f"verified: {', '.join(cfg.splits)} are complete and undamaged")


def _check(cfg: DictConfig) -> None:
    if isinstance(cfg.splits, str):
        raise UserError(f"splits={cfg.splits}: expected a list, such as splits=[{cfg.splits}]")
    wrong = [split for split in cfg.splits if split not in SPLITS]
    if wrong or not cfg.splits:
        raise UserError(f"splits={list(cfg.splits)}: choose from {', '.join(SPLITS)}")
    if "detector" not in (cfg.get("model") or {}):
        raise UserError("no frozen detector in this configuration; choose model=rmlr")
    if cfg.features.mode == "online":
        raise UserError("features=online stores nothing; leave it out")
