"""A checkpoint as rmlr-train writes it, of an untrained model: nothing is trained for it."""

import json
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rmlr_lightning.ops.calibration import Calibration
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.vocabulary import hicodet

METRICS = {"test/map_full": 0.5125, "test/map_rare": float("nan"), "val/map_full": 0.25}


def untrained_checkpoint(run: Path, *overrides: str) -> Path:
    """RUN/checkpoints/best.ckpt and RUN/metrics.json; returns the former."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"paths.output={run}", *overrides])
    OmegaConf.set_struct(cfg, False)
    config = OmegaConf.to_container(cfg, resolve=False)
    torch.manual_seed(0)
    cfg.task.module.losses, cfg.task.module.text, cfg.task.module.metrics = {}, None, {}
    task = instantiate(cfg.task.module, vocabulary=hicodet())
    task.run_config, task.commit = config, "abc1234"
    task.calibration = Calibration(0.9, 1.0, (0.3,) * len(hicodet().verbs))
    checkpoint = {"state_dict": task.state_dict()}
    task.on_save_checkpoint(checkpoint)
    # as a training leaves them
    checkpoint["state_dict"]["losses.both.project.weight"] = torch.zeros(3, 4)

    path = run / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(checkpoint, path)
    (run / "metrics.json").write_text(json.dumps(METRICS))
    return path
