"""One run: trains and tests the task of a configuration."""

import json
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from torch import nn

from rmlr_lightning.callbacks.cost import Cost
from rmlr_lightning.callbacks.epoch_file import EpochFile
from rmlr_lightning.callbacks.logged_metrics import LoggedMetrics
from rmlr_lightning.callbacks.step_seeds import StepSeeds
from rmlr_lightning.callbacks.stop_checkpoint import StopCheckpoint, heed_parent_only
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError, counted
from rmlr_lightning.files import PARTIAL, write_atomic
from rmlr_lightning.report.run_folders import commit_of, is_part
from rmlr_lightning.runs.checkpoint_files import CheckpointFiles
from rmlr_lightning.runs.claim import begin_folder, prepare_data
from rmlr_lightning.runs.config import PACKAGE
from rmlr_lightning.runs.environment import write_environment
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.hydra_program import check_seed
from rmlr_lightning.runs.load_task import frozen_weights, new_task
from rmlr_lightning.runs.loggers import check_loggers, continue_logs, one_log_per_run, print_upload
from rmlr_lightning.runs.precision import check_precision
from rmlr_lightning.runs.process_watch import ProcessWatch
from rmlr_lightning.runs.processes import end_with_parent
from rmlr_lightning.runs.repeat import FOLDER, write_for_repetition
from rmlr_lightning.runs.results_table import (
    print_classes,
    print_reliability,
    print_results,
    print_selection,
)
from rmlr_lightning.runs.resume import FILES, resume_path
from rmlr_lightning.runs.secrets import without_secrets, words_without_secrets
from rmlr_lightning.runs.sweep_progress import SweepProgress
from rmlr_lightning.runs.trainer_values import check_length, check_types, check_validation


def train(cfg: DictConfig) -> dict[str, float]:
    """One run: trains, tests the best checkpoint, and writes metrics.json.

    Returns:
        The last value of every metric, and the seconds that training and test took.

    Raises:
        UserError: a wrong option, or data and options that do not fit together.
    """
    # Unresolved, so that a checkpoint can be used with other data and folders. First of all,
    # because `instantiate` resolves config groups that it reaches through `${...}` in place.
    run_config = without_secrets(OmegaConf.to_container(cfg, resolve=False))
    _check_numbers(cfg)
    check_loggers(cfg.get("logger"))
    if rank_zero_only.rank != 0:
        end_with_parent()
    output = Path(cfg.paths.output)
    if not (output / FOLDER).exists():  # a run that fails early leaves its configuration, too
        write_for_repetition(output, run_config, _typed())
    seed_everything(cfg.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")  # TF32 on GPUs that have it
    _note_slow_precision(cfg)
    instantiate(cfg.get("optim"))  # its mistakes are reported before data are prepared
    checkpoint = resume_path(cfg, run_config)

    # Wrong values of the trainer, too, are reported before data are prepared.
    loggers = cfg.get("logger")
    if checkpoint is not None and Path(checkpoint).resolve().is_relative_to(output.resolve()):
        loggers = continue_logs(loggers, output)
    cost, logged = Cost(), LoggedMetrics()
    stop = StopCheckpoint(output / "checkpoints" / FILES[0])
    callbacks = shown_callbacks(cfg, _parts(cfg.get("callbacks")))
    if (sweep := SweepProgress.current) is not None:
        callbacks.append(EpochFile(output, sweep.after_first_epoch))
    trainer: Trainer = instantiate(
        cfg.trainer,
        logger=_parts(loggers),
        # Checkpoints hold the states of these callbacks, too. The seeds come first: another
        # callback may draw random numbers.
        callbacks=[StepSeeds(cfg.seed), *callbacks, cost, logged, stop, ProcessWatch()],
        plugins=[CheckpointFiles()],
        # Lightning's table of modules; the number of weights stands above the epochs
        enable_model_summary=cfg.trainer.get("enable_model_summary", False),
    )

    datamodule = instantiate(cfg.data)
    datamodule.worker_init = heed_parent_only
    prepare_data(datamodule, Path(cfg.paths.data))
    # Mistakes are reported here, before the minutes that a feature cache may take.
    splits = ["train", "val", "test"] if cfg.test else ["train", "val"]
    datamodule.open(splits)

    task = new_task(cfg, datamodule)
    if cfg.export and not hasattr(task, "export"):
        raise UserError(
            f"export={cfg.export}: only a detector can be exported; train one with "
            "experiment=detector"
        )
    if cfg.export:
        # a mistake here would otherwise cost the whole training
        is_own = checkpoint is not None or Path(cfg.export).is_relative_to(cfg.paths.output)
        task.check_export(Path(cfg.export), _export_metadata(cfg, {}), replace=is_own)
    model = getattr(task, "model", None)
    caches = open_features(cfg.get("features"), datamodule, model, splits)
    _keep_text_dim(run_config, model)
    task.run_config = run_config
    task.commit = commit_of(PACKAGE)
    _scale_rates(task, datamodule, trainer)
    _start_output(cfg, trainer, run_config, task, caches)
    with one_log_per_run(trainer.loggers, cfg):
        if checkpoint is not None:
            warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        trainer.fit(task, datamodule, ckpt_path=checkpoint, weights_only=True)
        values = dict(logged.values)
        if cfg.test:
            values |= _test(trainer, task, datamodule)
    values |= cost.spent

    if trainer.is_global_zero:
        if cfg.export:
            task.export(Path(cfg.export), _export_metadata(cfg, values))
        write_atomic(output / "metrics.json", json.dumps(values, indent=1).encode())
        _print_summary(cfg, trainer, task, values)
    return values


def _keep_text_dim(run_config: dict, model: nn.Module | None) -> None:
    """Write the text encoder's width into the configuration, which is used without text later."""
    width = getattr(getattr(model, "irm", None), "text_dim", None)
    if width is not None:
        run_config["model"]["irm"]["text_dim"] = width


def _check_numbers(cfg: DictConfig) -> None:
    """Options whose errors would appear late, or with an unclear message."""
    check_seed(cfg.seed)
    check_length(cfg.trainer)
    for key, value in _numbers_of(OmegaConf.to_container(cfg)):
        if math.isnan(value):
            raise UserError(f"{key}=nan: expected a number")
    check_types(cfg.trainer)
    check_validation(cfg.trainer)
    check_precision(cfg.trainer.precision)
    # OmegaConf would name the interpolation by which the task names it
    detector = OmegaConf.select(cfg, "model.detector")
    if detector is not None and OmegaConf.is_missing(detector, "path"):
        raise UserError("model.detector.path is missing: the file of the detector's weights")


def _numbers_of(node: object, key: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a configuration with fractions, by their keys."""
    if isinstance(node, float):
        yield key, node
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _numbers_of(child, f"{key}.{name}" if key else str(name))


def _note_slow_precision(cfg: DictConfig) -> None:
    if "bf16" not in str(cfg.trainer.precision):
        return
    accelerator = cfg.trainer.accelerator
    # On a GPU, and on a CPU with the instruction, bf16 is fast: only emulation deserves a note.
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    if on_cpu and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        print(
            "note: this processor has no bfloat16, emulation is many times slower; "
            "use trainer.precision=32-true"
        )


def _parts(group: DictConfig | None) -> list:
    """The objects of a config group of named parts; null leaves a part out."""
    return [part for part in instantiate(group or {}).values() if part is not None]


def shown_callbacks(cfg: DictConfig, callbacks: Sequence[Callback]) -> list[Callback]:
    """The callbacks, without progress where `trainer.enable_progress_bar=false` turns it off."""
    # Lightning calls both together a mistake
    is_shown = cfg.trainer.get("enable_progress_bar", True)
    return [part for part in callbacks if is_shown or not isinstance(part, ProgressBar)]


def _scale_rates(task: LightningModule, datamodule: DataModule, trainer: Trainer) -> None:
    """The rule of batch and rate: rates are for `optim.images` images per optimiser step."""
    processes, accumulated = (
        trainer.num_devices * trainer.num_nodes,
        trainer.accumulate_grad_batches,
    )
    images = datamodule.batch_size * processes * accumulated
    before = task.optim.images
    factor = task.optim.scale(images)
    if factor != 1 and trainer.is_global_zero:
        of_processes = counted(processes, "process", "processes")
        of_batches = counted(accumulated, "accumulated batch", "accumulated batches")
        print(
            f"{counted(images, 'image')} per step ({datamodule.batch_size} x {of_processes} x "
            f"{of_batches}): learning rates are those of {before} images times {factor:.3g}"
        )


def _start_output(
    cfg: DictConfig,
    trainer: Trainer,
    run_config: dict,
    task: LightningModule,
    caches: dict[str, list[str]],
) -> None:
    """Write configuration and environment; remove the metrics of what this run resumes."""
    if not trainer.is_global_zero:
        return
    output = Path(cfg.paths.output)
    for partial in (output / "checkpoints").glob(f".*{PARTIAL}"):
        partial.unlink()  # of a process that was killed while it wrote
    begin_folder(cfg)
    resolved = OmegaConf.create(without_secrets(OmegaConf.to_container(cfg, resolve=True)))
    write_atomic(output / "config.yaml", OmegaConf.to_yaml(resolved).encode())
    write_for_repetition(output, run_config, _typed())
    write_environment(cfg, **frozen_weights(cfg, task), features=caches)


def _typed() -> list[str]:
    """What the user typed; nothing where a program, such as a notebook, calls `train`."""
    typed = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return words_without_secrets(typed)


def _test(trainer: Trainer, task: LightningModule, datamodule: DataModule) -> dict[str, float]:
    """Test the best checkpoint; the current weights where none was written."""
    best = _best_checkpoint(trainer)
    trainer.test(task, datamodule, ckpt_path=best, verbose=False, weights_only=True)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _best_checkpoint(trainer: Trainer) -> str | None:
    # Lightning's `checkpoint_callback` is the first of conf/callbacks, which holds the best.
    return getattr(trainer.checkpoint_callback, "best_model_path", "") or None


def _export_metadata(cfg: DictConfig, values: dict[str, float]) -> dict[str, object]:
    """How an exported detector was trained: canvas, seed, and what was measured."""
    resize = OmegaConf.to_container(cfg.data.val.resize, resolve=True)
    resize["kind"] = resize.pop("_target_").rpartition(".")[2]
    tested = {name: value for name, value in values.items() if name.startswith("test/")}
    return {"resize": resize, "seed": cfg.seed, "test": tested}


def _print_summary(
    cfg: DictConfig, trainer: Trainer, task: LightningModule, values: dict[str, float]
) -> None:
    """The table of the test split, and where the files of the run are."""
    if cfg.test and hasattr(task, "metrics"):
        title = f"{cfg.name}, seed {cfg.seed}, test split"
        print_results(values, task.metrics["test"].table, title)
        print_selection(values, "test")
        print_reliability(values, "test")
        print_classes(values, getattr(task.metrics["test"], "class_rows", ()), "per class")
    limit = cfg.trainer.get("limit_test_batches")
    if cfg.test and is_part(limit):
        print(f"note: trainer.limit_test_batches={limit}: these are metrics of a part of the split")

    print(f"checkpoint: {_best_checkpoint(trainer) or 'none was written'}")
    names = ("curves.png", "panels", "metrics.json", "log", "config.yaml")
    found = [name for name in names if Path(cfg.paths.output, name).exists()]
    print(f"folder: {cfg.paths.output}, with {', '.join(found)}")
    print_upload(trainer.loggers)
    if cfg.export:
        print(f"detector: {cfg.export}")
    is_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if cfg.report and not is_sweep:  # a sweep has one report of all its runs
        # imported here: the statistics take a second
        from rmlr_lightning.runs.run_report import write_run_report

        write_run_report(Path(cfg.paths.output))
