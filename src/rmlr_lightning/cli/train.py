"""rmlr-train: compose a configuration, train, test, and say where everything is."""

import json
import warnings
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, LightningModule, Trainer, seed_everything

from rmlr_lightning.callbacks.cost import Cost
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.models.checkpoint import check_vocabulary, load_checkpoint
from rmlr_lightning.models.pair_features import without_biases
from rmlr_lightning.runs.claim import alone, kept_figures, turn
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.hydra_program import command
from rmlr_lightning.runs.results_table import print_results


def task_of(cfg: DictConfig, datamodule: LightningDataModule) -> LightningModule:
    """The LightningModule of a configuration; one for interactions takes its vocabulary from the data."""
    extra = {"vocabulary": datamodule.vocabulary} if datamodule.vocabulary is not None else {}
    return instantiate(cfg.task.module, **extra)


def resume_from(cfg: DictConfig) -> str | None:
    """The checkpoint that `resume` names: a file, `last` of this output folder, or `auto`, `last` if there is one."""
    last = Path(cfg.paths.output, "checkpoints", "last.ckpt")
    if cfg.resume is None or (cfg.resume == "auto" and not last.is_file()):
        return None
    path = last if cfg.resume in ("last", "auto") else Path(cfg.resume)
    if not path.is_file():
        raise UserError(
            f"resume={cfg.resume}: {path} is no checkpoint; leave `resume` out to start anew"
        )
    checkpoint = load_checkpoint(path)
    if not {"optimizer_states", "loops"} <= checkpoint.keys():
        raise UserError(
            f"resume={cfg.resume}: {path} holds no state of a training; leave `resume` out to start anew"
        )
    if without_biases(checkpoint["state_dict"]).keys() != checkpoint["state_dict"].keys():
        raise UserError(
            f"resume={cfg.resume}: {path} is of an older version, whose training cannot go on here; it can be "
            "evaluated; leave `resume` out and use another folder to start anew"
        )
    return str(path)


def _check(cfg: DictConfig) -> None:
    """What nothing else looks at before it is too late."""
    if not isinstance(cfg.seed, int) or not 0 <= cfg.seed < 2**32:
        raise UserError(f"seed={cfg.seed}: expected a whole number from 0 to 2**32 - 1")
    for key in ("max_epochs", "max_steps"):
        if not isinstance(cfg.trainer.get(key) or -1, int):
            raise UserError(
                f"trainer.{key}={cfg.trainer[key]}: expected a whole number, -1 for no limit"
            )


def _check_vocabularies(datamodule: LightningDataModule, splits: list[str]) -> None:
    """All splits must speak of the same HOIs."""
    ours = datamodule.vocabulary
    for split in splits[1:] if ours is not None else []:
        there = datamodule.uncached_dataset(split).vocabulary
        check_vocabulary(
            there,
            ours,
            f"the {split} split's data (data.{split})",
            "the train split's (data.train)",
        )


def _parts(group: DictConfig | None) -> list:
    """What a group of named parts makes; a part set to null is left out."""
    return [part for part in instantiate(group or {}).values() if part is not None]


def _advise(cfg: DictConfig) -> None:
    """Say what makes a run needlessly slow."""
    on_cpu = cfg.trainer.accelerator == "cpu" or (
        cfg.trainer.accelerator == "auto" and not torch.cuda.is_available()
    )
    if (
        on_cpu
        and "bf16" in str(cfg.trainer.precision)
        and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ):
        print(
            "note: this processor has no bfloat16, emulation is many times slower; use trainer.precision=32-true"
        )


def train(cfg: DictConfig) -> dict[str, float]:
    """One run: returns the last values of all metrics."""
    _check(cfg)
    seed_everything(cfg.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    _advise(cfg)
    datamodule = instantiate(cfg.data)
    with alone(Path(cfg.paths.data)):
        datamodule.prepare_data()
    checkpoint = resume_from(cfg)
    if checkpoint is not None:
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    splits = ["train", "val", "test"] if cfg.test else ["train", "val"]
    _check_vocabularies(datamodule, splits)
    task = task_of(cfg, datamodule)
    if cfg.export and not hasattr(task, "export"):
        raise UserError(
            f"export={cfg.export}: only a detector can be exported; train one with experiment=detector"
        )
    open_features(cfg.get("features"), datamodule, getattr(task, "model", None), splits)
    task.run_config = OmegaConf.to_container(cfg, resolve=False)
    trainer: Trainer = instantiate(
        cfg.trainer,
        logger=_parts(cfg.get("logger")) or False,
        callbacks=[*_parts(cfg.get("callbacks")), cost := Cost()],
    )
    if trainer.is_global_zero:
        Path(cfg.paths.output, "metrics.json").unlink(
            missing_ok=True
        )  # of an earlier run in this folder
        OmegaConf.save(cfg, Path(cfg.paths.output, "config.yaml"), resolve=True)
    trainer.fit(task, datamodule, ckpt_path=checkpoint, weights_only=False)
    if (
        checkpoint is not None and cfg.task.monitor not in trainer.callback_metrics
    ):  # there was nothing left to do
        trainer.validate(task, datamodule, verbose=False)
    metrics = dict(trainer.callback_metrics)
    if cfg.test:
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        trainer.test(task, datamodule, ckpt_path=best or None, verbose=False, weights_only=False)
        metrics |= trainer.callback_metrics
    if cfg.export and trainer.is_global_zero:
        figures = {
            name: float(value) for name, value in metrics.items() if name.startswith("test/")
        }
        height_width = [cfg.data.val.resize.height, cfg.data.val.resize.width]
        task.export(Path(cfg.export), {"size": height_width, "seed": cfg.seed, "test": figures})
    figures = {name: float(value) for name, value in metrics.items()} | cost.spent
    if trainer.is_global_zero:
        write_atomic(Path(cfg.paths.output, "metrics.json"), json.dumps(figures, indent=1).encode())
        _tell(cfg, trainer, metrics)
    return figures


def _tell(cfg: DictConfig, trainer: Trainer, metrics: dict) -> None:
    """The table, and where everything is."""
    if "test/map_full" in metrics:
        print_results(metrics, "test", f"{cfg.name}, seed {cfg.seed}, test split")
    output = Path(cfg.paths.output)
    print(
        f"checkpoint: {getattr(trainer.checkpoint_callback, 'best_model_path', '') or 'none was written'}"
    )
    for what, where in (
        ("curves", "curves.png"),
        ("panels", "panels"),
        ("figures", "metrics.json"),
        ("metrics", "metrics"),
        ("configuration", "config.yaml"),
    ):
        if (output / where).exists():
            print(f"{what}: {output / where}")
    if cfg.export:
        print(f"detector: {cfg.export}")


@command("train")
def main(cfg: DictConfig) -> float | None:
    """Entry point; returns the monitored value, for sweepers."""
    with turn(cfg) as mine:
        figures = train(cfg) if mine else kept_figures(cfg)
        return figures.get(cfg.task.monitor)


if __name__ == "__main__":
    main()
