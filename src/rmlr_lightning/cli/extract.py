"""rmlr-extract: store what the frozen detector says about a data set, so that training and evaluation can read it."""

import sys
from collections.abc import Sequence

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.cache.build import Work, fill, readable, size_of
from rmlr_lightning.cache.claim import sweep
from rmlr_lightning.cache.open import dotted, merged_features, work_of
from rmlr_lightning.cache.options import cache_options
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.runs.hydra_program import command

SPLITS = ("train", "val", "test")


def of_checkpoint(cfg: DictConfig) -> DictConfig:
    """The configuration with data, model and source of the checkpoint that it names; the user's own values win."""
    if cfg.checkpoint is None:
        return cfg
    recipe = OmegaConf.create(read_checkpoint(cfg.checkpoint)["config"])
    cfg = cfg.copy()
    cfg.data = OmegaConf.merge(recipe.data, dotted("data").get("data", {}))
    cfg.model = recipe.model
    cfg.features = merged_features(cfg.features, recipe.get("features"))
    return cfg


def extract(cfg: DictConfig) -> list[Work]:
    """Make (or verify) all caches that the configuration names."""
    cfg = of_checkpoint(cfg)
    if isinstance(cfg.splits, str):
        raise UserError(f"splits={cfg.splits}: expected a list, such as splits=[{cfg.splits}]")
    wrong = [split for split in cfg.splits if split not in SPLITS]
    if wrong or not cfg.splits:
        raise UserError(f"splits={list(cfg.splits)}: choose from {', '.join(SPLITS)}")
    if "detector" not in (cfg.get("model") or {}):
        raise UserError("no frozen detector in this configuration; choose model=rmlr")
    if cfg.features.kind == "online":
        raise UserError(
            "features=online has nothing to store; leave it out, or choose features=cached with its options"
        )
    torch.set_float32_matmul_precision("high")
    datamodule = instantiate(cfg.data)
    datamodule.prepare_data()
    detector = instantiate(cfg.model.detector)
    selection = instantiate(cfg.model.selection)
    source = cfg.features
    storage = cache_options(features.dtype, features.memory, features.entities, selection)
    work = work_of(source, datamodule, detector, storage, cfg.splits)
    if cfg.verify:
        verify(work)
        return work
    for _, _, folder in work:
        sweep(folder.path)
    missing = [part for part in work if part.folder.missing()]
    if missing:
        print(
            f"about {readable(size_of(missing, detector, storage))} to write below {features.path}"
        )
        fill(missing, detector, storage, features.batch_size, features.num_workers, features.device)
    for split, _, folder in work:
        size = sum(folder.file(number).stat().st_size for number in range(folder.count))
        view = f", view {folder.view.number}" if features.views > 1 and split == "train" else ""
        print(f"{split}{view}: {len(folder.names)} images, {readable(size)} in {folder.path}")
    return work


def verify(work: Sequence[Work]) -> None:
    """Read every byte. All that is wrong goes to standard error, a line each."""
    problems = [line for part in work for line in part.folder.problems()]
    for line in problems[1:]:
        print(line, file=sys.stderr)
    if problems:
        raise UserError(problems[0])
    images = sum(len(part.folder.names) for part in work)
    print(f"verified: {images} scenes are as they were written")


@command("extract")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    extract(cfg)


if __name__ == "__main__":
    main()
