"""The metrics of a checkpoint, and its detections in public formats."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer, seed_everything

from rmlr_lightning.callbacks.epoch_table import EpochTable
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, write_atomic
from rmlr_lightning.metrics.detected_roles import role_detections
from rmlr_lightning.ops.classes import in_numbers_of
from rmlr_lightning.runs.claim import prepare_data
from rmlr_lightning.runs.features import merged_features, open_features
from rmlr_lightning.runs.load_task import checkpoint_config, load_task, note_lost_hois
from rmlr_lightning.runs.precision import check_precision
from rmlr_lightning.runs.results_table import print_reliability, print_results, print_selection
from rmlr_lightning.runs.training import shown_callbacks
from rmlr_lightning.scoring.export import (
    matlab_files,
    pair_columns,
    role_columns,
    write_hicodet_matlab,
    write_json,
    write_npz,
    write_vcoco_pickle,
)
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import Vocabulary, vcoco


def evaluate(
    cfg: DictConfig,
    config_of: Callable[..., DictConfig] = checkpoint_config,
    task_of: Callable[..., tuple[HOITask, DictConfig]] = load_task,
) -> dict[str, float]:
    """Evaluate a checkpoint on one split, print the table, and export detections.

    Args:
        config_of, task_of: open what `cfg.checkpoint` names, with changes; for other kinds of
            files than checkpoints.

    Returns:
        All metrics of the split.

    Raises:
        UserError: a wrong option, or data that do not fit the checkpoint.
    """
    if cfg.split not in ("val", "test"):
        raise UserError(f"split={cfg.split}: choose val or test")
    if cfg.precision:
        check_precision(cfg.precision, "precision")

    # The data come before the task: some metrics read annotation files.
    changes = {"paths": _changed_paths(cfg), "data": cfg.data, "model": cfg.model}
    trained = config_of(cfg.checkpoint, **changes)
    datamodule = instantiate(trained.data)
    prepare_data(datamodule, Path(trained.paths.data))
    task, _ = task_of(cfg.checkpoint, **changes)
    _check_outputs(cfg, task.vocabulary)
    seed_everything(trained.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")

    datamodule.open([cfg.split], task.vocabulary)
    if datamodule.vocabulary != task.vocabulary:
        # HOIs that training lacked are counted, too
        task.evaluate_on(datamodule.vocabulary)
    note_lost_hois(task, datamodule, cfg.split)
    # Features are read as in training, from the same cache, unless this run chooses otherwise.
    features = merged_features(cfg.get("features"), trained.get("features"))
    open_features(features, datamodule, task.model, [cfg.split])

    trainer: Trainer = instantiate(
        cfg.trainer,
        precision=cfg.precision or trained.trainer.precision,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        # on a terminal a bar; Lightning's own also writes to log files
        callbacks=shown_callbacks(cfg, [EpochTable(trained.task.monitor)]),
    )
    # Detections are kept in memory only if they will be exported.
    task.kept = [] if cfg.export else None
    run = trainer.test if cfg.split == "test" else trainer.validate
    run(task, datamodule, verbose=False)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}

    # All processes must take part in the exchange; the first one writes.
    if cfg.export:
        results = _gather(task.kept, trainer)
        if trainer.is_global_zero:
            # scorers read the classes by the numbers of the split's annotation file
            numbers = datamodule.uncached_dataset(cfg.split).file_vocabulary
            if numbers != task.vocabulary:
                results = [(t, in_numbers_of(d, task.vocabulary, numbers)) for t, d in results]
            export_detections(Path(cfg.export), results, numbers)
    if trainer.is_global_zero:
        table = task.metrics[cfg.split].table
        print_results(metrics, table, f"{cfg.checkpoint} on {cfg.split}")
        print_selection(metrics, cfg.split)
        print_reliability(metrics, cfg.split)
        if cfg.export:
            print(f"detections: {cfg.export}")
        if cfg.out:
            write_atomic(cfg.out, json.dumps(metrics, indent=1).encode())
            print(f"metrics: {cfg.out}")
    return metrics


def _changed_paths(cfg: DictConfig) -> dict[str, object]:
    """The folders that the command line names; all others are as in training."""
    # composed values alone do not tell what was typed from what is a default
    typed = {item.lstrip("+").partition("=")[0] for item in HydraConfig.get().overrides.task}
    paths = OmegaConf.to_container(cfg.paths, resolve=False)
    return {key: value for key, value in paths.items() if f"paths.{key}" in typed}


Results = list[tuple[Target, Detections]]  # of each image


def _gather(results: Results, trainer: Trainer) -> Results:
    """The results of all processes, sorted by image."""
    if trainer.world_size > 1:
        of_processes: list = [None] * trainer.world_size
        torch.distributed.all_gather_object(of_processes, results)
        results = [result for part in of_processes for result in part]
    return sorted(results, key=lambda result: result[0].image_id)


def export_detections(path: Path, results: Results, vocabulary: Vocabulary) -> None:
    """Write detections in a public format, by the ending of `path`.

    `.npz` and `.json` are read by `rmlr-score`, `.pkl` by V-COCO's own script. A path without an
    ending becomes a folder for HICO-DET's own MATLAB script.
    """
    # V-COCO scores roles of agents, HICO-DET triplets: their formats have other columns.
    if _has_roles(vocabulary):
        columns = role_columns([role_detections(t.image_id, found) for t, found in results])
    else:
        file_names = [target.file_name for target, _ in results]
        columns = pair_columns(file_names, [found for _, found in results])

    if path.suffix == ".npz":
        write_npz(path, columns)
    elif path.suffix == ".json":
        write_json(path, columns)
    elif path.suffix == ".pkl":
        write_vcoco_pickle(path, columns)
    else:
        write_hicodet_matlab(path, columns, vocabulary)


def _has_roles(vocabulary: Vocabulary) -> bool:
    return vocabulary.verbs == vcoco().verbs


def _check_outputs(cfg: DictConfig, vocabulary: Vocabulary) -> None:
    """Before the evaluation: can `export` and `out` be written, and do they exist?"""
    if _has_roles(vocabulary):
        endings, formats = (".npz", ".json", ".pkl"), ".npz, .json or .pkl"
    else:
        endings, formats = (".npz", ".json", ""), ".npz, .json or a folder without ending"
    if cfg.export and Path(cfg.export).suffix not in endings:
        raise UserError(
            f"export={cfg.export}: this data set's detections can be written as {formats}"
        )

    outputs = {}
    if cfg.out:
        outputs[f"out={cfg.out}"] = Path(cfg.out)
    if cfg.export and Path(cfg.export).suffix:
        outputs[f"export={cfg.export}"] = Path(cfg.export)
    elif cfg.export:
        for file in matlab_files(Path(cfg.export), vocabulary):
            outputs[f"export={cfg.export}, {file.name}"] = file
    check_outputs(outputs, None if cfg.overwrite else "overwrite=true")
