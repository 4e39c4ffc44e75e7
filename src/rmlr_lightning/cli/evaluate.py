"""rmlr-eval: the figures of a checkpoint."""

import json
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer, seed_everything

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.metrics.vcoco_metric import role_detections
from rmlr_lightning.models.checkpoint import check_vocabulary
from rmlr_lightning.runs.features import merged_features, open_features
from rmlr_lightning.runs.hydra_program import command
from rmlr_lightning.runs.restore import recipe_of, restore
from rmlr_lightning.runs.results_table import print_results
from rmlr_lightning.scoring.export import (
    pair_columns,
    role_columns,
    write_hicodet_matlab,
    write_json,
    write_npz,
    write_vcoco_pickle,
)
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.vocabulary import vcoco


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """All metrics of one split."""
    if OmegaConf.is_missing(cfg, "checkpoint"):
        raise UserError("no checkpoint given: rmlr-eval checkpoint=FILE (make eval CKPT=FILE)")
    if cfg.split not in ("val", "test"):
        raise UserError(f"split={cfg.split}: choose val or test")
    recipe = recipe_of(cfg.checkpoint, paths=cfg.paths, data=cfg.data)
    datamodule = instantiate(recipe.data)
    datamodule.prepare_data()
    task, _ = restore(cfg.checkpoint, paths=cfg.paths, data=cfg.data)
    _check_outputs(cfg, task)
    seed_everything(recipe.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    there = datamodule.uncached_dataset(cfg.split).vocabulary
    check_vocabulary(there, task.vocabulary, f"the {cfg.split} split's data", str(cfg.checkpoint))
    features = merged_features(cfg.get("features"), recipe.get("features"))
    open_features(features, datamodule, task.model, [cfg.split])
    trainer = instantiate(
        cfg.trainer,
        precision=cfg.precision or recipe.trainer.precision,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    task.kept = [] if cfg.export else None
    run = trainer.test if cfg.split == "test" else trainer.validate
    run(task, datamodule, verbose=False)
    if cfg.export:
        export(Path(cfg.export), _everyones(task.kept, trainer), task)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _everyones(kept: list, trainer: Trainer) -> list:
    """What all processes kept, in the order of the images."""
    if trainer.world_size > 1:
        shares: list = [None] * trainer.world_size
        torch.distributed.all_gather_object(shares, kept)
        kept = [item for share in shares for item in share]
    return sorted(kept, key=lambda item: item[0].image_id)


def export(path: Path, kept: list, task: HOITask) -> None:
    """Write detections in a public format, by the ending of `path`.

    `.npz` and `.json` are read by `rmlr-score`; `.pkl` is what V-COCO's own script loads; no ending makes a folder for
    HICO-DET's own MATLAB script.
    """
    targets, found = zip(*kept, strict=True)
    if _has_roles(task):
        columns = role_columns(
            [role_detections(t.image_id, f) for t, f in zip(targets, found, strict=True)]
        )
    else:
        columns = pair_columns([target.file_name for target in targets], found)
    if path.suffix == ".npz":
        write_npz(path, columns)
    elif path.suffix == ".json":
        write_json(path, columns)
    elif path.suffix == ".pkl":
        write_vcoco_pickle(path, columns)
    else:
        write_hicodet_matlab(path, columns, task.vocabulary)


def _has_roles(task: HOITask) -> bool:
    return task.vocabulary.verbs == vcoco().verbs


def _check_outputs(cfg: DictConfig, task: HOITask) -> None:
    """Before the work is done: can what is asked for be written?"""
    endings = (".npz", ".json", ".pkl") if _has_roles(task) else (".npz", ".json", "")
    if cfg.export and Path(cfg.export).suffix not in endings:
        formats = ", ".join(endings[:2]) + (
            " or .pkl" if _has_roles(task) else " or a folder without ending"
        )
        raise UserError(
            f"export={cfg.export}: this data set's detections can be written as {formats}"
        )
    for option in ("export", "out"):
        path = Path(cfg[option] or ".")
        if cfg[option] and path.is_dir() and (path.suffix or option == "out"):
            raise UserError(f"{option}={path}: is a folder; name a file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{option}={path}: its folder cannot be made ({error.strerror})"
            ) from None


@command("evaluate")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    metrics = evaluate(cfg)
    print_results(metrics, cfg.split, f"{cfg.checkpoint} on {cfg.split}")
    if cfg.out:
        write_atomic(cfg.out, json.dumps(metrics, indent=1).encode())


if __name__ == "__main__":
    main()
