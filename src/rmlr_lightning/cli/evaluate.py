"""rmlr-eval: the figures of a checkpoint."""

import json
from pathlib import Path

import hydra
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import seed_everything

from rmlr_lightning.cli.config import conf_dir, one_line_errors
from rmlr_lightning.cli.restore import restore
from rmlr_lightning.cli.table import print_results
from rmlr_lightning.errors import UserError


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """All metrics of one split."""
    if OmegaConf.is_missing(cfg, "checkpoint"):
        raise UserError("no checkpoint given: rmlr-eval checkpoint=FILE (make eval CKPT=FILE)")
    if cfg.split not in ("val", "test"):
        raise UserError(f"split={cfg.split}: choose val or test")
    task, recipe = restore(cfg.checkpoint, paths=cfg.paths)
    seed_everything(recipe.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    recipe.data = OmegaConf.merge(recipe.data, cfg.data)
    datamodule = instantiate(recipe.data)
    datamodule.prepare_data()
    trainer = instantiate(cfg.trainer, logger=False, enable_checkpointing=False, enable_model_summary=False)
    run = trainer.test if cfg.split == "test" else trainer.validate
    run(task, datamodule, verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@hydra.main(version_base="1.3", config_path=conf_dir(), config_name="evaluate")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    with one_line_errors():
        metrics = evaluate(cfg)
        print_results(metrics, cfg.split, f"{cfg.checkpoint} on {cfg.split}")
        if cfg.out:
            Path(cfg.out).write_text(json.dumps(metrics, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
