"""Trained runs and their data for notebooks, at full size or small.

Full size: finished runs of `make ablation` from RMLR_RUNS (multirun/ablation), data from RMLR_DATA
(data). RMLR_NOTEBOOKS=small renders a tiny data set in a temporary folder and trains for a few
steps: it shows that a notebook runs, its numbers mean nothing. RMLR_SCRATCH names a folder in place
of the temporary one, whose data and runs other notebooks reuse.
"""

import atexit
import contextlib
import hashlib
import inspect
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import Dataset

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.features import open_features
from rmlr_lightning.runs.framework_messages import silence_framework_messages
from rmlr_lightning.runs.load_task import load_task
from rmlr_lightning.runs.training import train
from rmlr_lightning.tasks.hoi import HOITask

SMALL = os.environ.get("RMLR_NOTEBOOKS") == "small"
TINY = (
    "data.prepare.config.train=40",
    "+data.prepare.config.val=6",
    "+data.prepare.config.test=60",
    "data.prepare.workers=1",
    "data.num_workers=0",
    "features.views=1",
    "trainer.max_steps=2",
    "trainer.accelerator=cpu",
    "++trainer.enable_progress_bar=false",
    "++trainer.enable_model_summary=false",
    "callbacks.progress=null",
    "callbacks.curves=null",
    "callbacks.panel=null",
    "callbacks.learning_rate=null",
    "logger.csv=null",
    "report=false",
)


class Trained(NamedTuple):
    """A run's best model, in evaluation mode, and the alignments that it was trained with."""

    task: HOITask
    alignments: dict[str, Alignment]  # such as "sentence_ire"; empty without language
    config: DictConfig


def checkpoints(rows: Sequence[str], max_seeds: int | None = None) -> dict[str, dict[int, Path]]:
    """Best checkpoints by row and seed, of the seeds that all rows have.

    Raises:
        UserError: a row has no finished run, or the rows have no common seed.
    """
    silence_framework_messages()
    if SMALL:
        return {row: {seed: _tiny_run(row, seed) for seed in range(2)} for row in rows}

    folder = Path(os.environ.get("RMLR_RUNS", _root() / "multirun" / "ablation"))
    problem = f"{folder}: no finished run of"
    advice = "`make ablation` trains them; RMLR_RUNS names another folder"
    try:
        runs = find_runs([folder], "test/map_full").runs
    except UserError as error:
        raise UserError(f"{problem} {', '.join(rows)}; {advice}") from error

    found: dict[str, dict[int, Path]] = {row: {} for row in rows}
    for run in runs:
        best = _best(run.folder)
        if run.row in found and best.is_file():
            found[run.row][run.seed] = best
    absent = [row for row, by_seed in found.items() if not by_seed]
    if absent:
        raise UserError(f"{problem} {', '.join(absent)}; {advice}")

    common = set.intersection(*(set(by_seed) for by_seed in found.values()))
    if not common:
        raise UserError(f"{problem} {', '.join(rows)} with a common seed; {advice}")
    seeds = sorted(common)[:max_seeds]
    return {row: {seed: by_seed[seed] for seed in seeds} for row, by_seed in found.items()}


def load_run(checkpoint: Path) -> Trained:
    """The model of a checkpoint, and what evaluation does not load: its trained alignments."""
    task, config = load_task(checkpoint, paths=paths())
    alignments: dict[str, Alignment] = {}
    if config.get("text") is None:
        return Trained(task, alignments, config)

    state = read_checkpoint(checkpoint)["state_dict"]
    bank = cache(partial(instantiate(config.text), task.vocabulary))
    for name, loss_config in (config.get("loss") or {}).items():
        prefix = f"losses.{name}."
        weights = {
            key.removeprefix(prefix): value
            for key, value in state.items()
            if key.startswith(prefix)
        }
        if not any(key.startswith("project.") for key in weights):
            continue
        loss = instantiate(loss_config)(
            dim=task.model.ire.dim, vocabulary=task.vocabulary, bank=bank
        )
        if isinstance(loss, Alignment):
            loss.load_state_dict(weights)
            alignments[name] = loss.eval()
    return Trained(task, alignments, config)


def split_of(run: Trained, split: str = "test", pixels: bool = False) -> Dataset:
    """The run's data without augmentation: cached Scenes, or with `pixels` the images."""
    config = OmegaConf.merge(
        run.config, {"data": {"train": {"augment": None}}, "features": {"views": 1}}
    )
    datamodule = instantiate(config.data)
    with silent():
        datamodule.prepare_data()
        if not pixels:
            open_features(config.features, datamodule, run.task.model, [split])
    return datamodule.dataset(split)


def measured_once(
    name: str,
    checkpoint: Path,
    code: Sequence[ModuleType],
    measure: Callable[[Path], dict[str, float]],
    *options: object,
) -> dict[str, float]:
    """`measure(checkpoint)`, kept on disk in RMLR_DATA/analysis.

    Args:
        name: of the measurement.
        checkpoint: its content is part of the key.
        code: modules that measure; their source is part of the key.
        measure: returns values by name.
        options: other things that determine the values, as JSON values; part of the key.
    """
    parts = [checkpoint.read_bytes(), *(inspect.getsource(module).encode() for module in code)]
    digest = hashlib.sha256(json.dumps(options).encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    file = Path(paths()["data"], "analysis", f"{name}-{digest.hexdigest()[:16]}.json")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(measure(checkpoint)).encode())
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def scratch() -> Path:
    """The folder for tiny data and runs: RMLR_SCRATCH, or a temporary one, removed at exit."""
    if kept := os.environ.get("RMLR_SCRATCH"):
        return Path(kept)
    folder = Path(tempfile.mkdtemp(prefix="rmlr-notebook-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def figure_path(name: str) -> Path:
    """Where a figure is written: docs/pictures at full size, a temporary folder when small."""
    folder = scratch() if SMALL else _root() / "docs" / "pictures"
    return folder / name


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without the printed lines of preparation and training."""
    if "IPython" in sys.modules:  # in a notebook rich does not write to stdout
        from IPython.utils.capture import capture_output

        with capture_output(stderr=False):
            yield
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            yield


@cache
def _tiny_run(row: str, seed: int) -> Path:
    """The best checkpoint of a run of a few steps."""
    output = scratch() / "runs" / f"{row}-{seed}"
    if _best(output).is_file():
        return _best(output)
    output.mkdir(parents=True)
    overrides = [
        f"experiment={row}",
        f"seed={seed}",
        f"paths.data='{scratch()}'",
        f"paths.output='{output}'",
        *TINY,
        "test=false",
    ]
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("train", overrides)
    with silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(config)
    return _best(output)


def _best(folder: Path) -> Path:
    return folder / "checkpoints" / "best.ckpt"


def _root() -> Path:
    return Path(conf_dir()).parent


def paths() -> dict[str, str]:
    data = str(scratch()) if SMALL else os.environ.get("RMLR_DATA", str(_root() / "data"))
    return {"data": data, "output": str(scratch())}
