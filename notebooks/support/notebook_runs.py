"""What notebooks start from: trained runs and their test split, at full size or small.

RMLR_NOTEBOOKS=small draws a tiny world in a temporary folder and trains for a few steps: it shows that a notebook runs,
its figures mean nothing. Else finished runs of `make ablation` are read from RMLR_RUNS (multirun/ablation), the data
from RMLR_DATA (data).
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
from torch import nn
from torch.utils.data import Dataset

from rmlr_lightning.cache.open import read_from
from rmlr_lightning.cli.train import train
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.losses.alignment import Alignment
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.report.runs import find_runs
from rmlr_lightning.runs.config import conf_dir, quiet
from rmlr_lightning.runs.restore import restore
from rmlr_lightning.tasks.hoi import HOITask

SMALL = os.environ.get("RMLR_NOTEBOOKS") == "small"
TINY = ("data.prepare.config.train=40", "+data.prepare.config.val=6", "+data.prepare.config.test=60",
        "data.prepare.workers=1", "data.num_workers=0", "features.views=1", "trainer.max_steps=6",
        "trainer.accelerator=cpu", "++trainer.enable_progress_bar=false", "++trainer.enable_model_summary=false",
        "callbacks.progress=null", "callbacks.curves=null", "callbacks.panel=null", "callbacks.learning_rate=null",
        "logger.csv=null")  # fmt: skip


class Trained(NamedTuple):
    """A run's best model, in evaluation mode, and the alignments it learned with."""

    task: HOITask
    alignments: dict[
        str, Alignment
    ]  # such as "sentence_ire"; empty where it learned without language
    config: DictConfig


def checkpoints(rows: Sequence[str], seeds: int | None = None) -> dict[str, dict[int, Path]]:
    """Best checkpoints by row and seed; with `seeds`, of so many seeds at most.

    Raises:
        UserError: a row has no finished run.
    """
    quiet()
    if SMALL:
        return {row: {seed: _tiny_run(row, seed) for seed in range(2)} for row in rows}
    folder = Path(os.environ.get("RMLR_RUNS", _root() / "multirun" / "ablation"))
    wanted = f"{folder}: no finished run of"
    advice = "`make ablation` trains them; RMLR_RUNS names another folder"
    try:
        runs = find_runs([folder], "test/map_full").runs
    except UserError as error:
        raise UserError(f"{wanted} {', '.join(rows)}; {advice}") from error
    found = {
        row: {
            run.seed: best
            for run in runs
            if run.row == row and (best := _best(run.folder)).is_file()
        }
        for row in rows
    }
    absent = [row for row, by_seed in found.items() if not by_seed]
    if absent:
        raise UserError(f"{wanted} {', '.join(absent)}; {advice}")
    common = sorted(set.intersection(*(set(by_seed) for by_seed in found.values())))[:seeds]
    if not common:
        raise UserError(f"{wanted} {', '.join(rows)} with a seed that all have; {advice}")
    return {row: {seed: by_seed[seed] for seed in common} for row, by_seed in found.items()}


def trained(checkpoint: Path) -> Trained:
    """A checkpoint with what evaluation alone does without: the alignments' projections and the phrases."""
    task, config = restore(checkpoint, paths=_paths())
    state = read_checkpoint(checkpoint)["state_dict"]
    alignments = {}
    if config.get("text") is not None:
        source = instantiate(config.text)
        bank = cache(partial(source, task.vocabulary))
        for name, part in (config.get("loss") or {}).items():
            if part is None or not any(key.startswith(f"losses.{name}.project.") for key in state):
                continue
            made = instantiate(part)
            loss: nn.Module = made(dim=task.model.ire.dim, vocabulary=task.vocabulary, bank=bank)
            if isinstance(loss, Alignment):
                start = f"losses.{name}."
                loss.load_state_dict(
                    {
                        key.removeprefix(start): v
                        for key, v in state.items()
                        if key.startswith(start)
                    }
                )
                loss.most = 10_000  # all pairs, not a training step's share
                alignments[name] = loss.eval()
    return Trained(task, alignments, config)


def split_of(run: Trained, split: str = "test", pixels: bool = False) -> Dataset:
    """The run's data, not augmented: cached Scenes, made where they are missing, or with `pixels` the pictures."""
    config = OmegaConf.merge(
        run.config, {"data": {"train": {"augment": None}}, "features": {"views": 1}}
    )
    datamodule = instantiate(config.data)
    with _silent():
        datamodule.prepare_data()
        if not pixels:
            read_from(config.features, datamodule, run.task.model, [split])
    return datamodule.dataset(split)


def kept(
    name: str,
    checkpoint: Path,
    code: Sequence[ModuleType],
    make: Callable[[Path], dict[str, float]],
    *options,
):
    """`make(checkpoint)`, measured once: figures are kept in RMLR_DATA/analysis.

    Args:
        name: of what is measured.
        code: modules that measure; a change in them, in the checkpoint or in `options` measures anew.
        options: whatever else decides the figures, JSON-able.
    """
    decides = [checkpoint.read_bytes(), *(inspect.getsource(module).encode() for module in code)]
    digest = hashlib.sha256(
        json.dumps(options).encode() + b"".join(hashlib.sha256(d).digest() for d in decides)
    )
    file = Path(_paths()["data"], "analysis", f"{name}-{digest.hexdigest()[:16]}.json")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(make(checkpoint)).encode())
    return json.loads(file.read_text(encoding="utf-8"))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the lines of preparation and training; what rich says in a notebook does not go through stdout."""
    if "IPython" in sys.modules:
        from IPython.utils.capture import capture_output

        with capture_output(stderr=False):
            yield
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            yield


@cache
def scratch() -> Path:
    """A folder for tiny worlds and runs, gone when the notebook ends."""
    folder = Path(tempfile.mkdtemp(prefix="rmlr-notebook-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _tiny_run(row: str, seed: int) -> Path:
    output = scratch() / "runs" / f"{row}-{seed}"
    output.mkdir(parents=True)
    overrides = [
        f"experiment={row}",
        f"seed={seed}",
        f"paths.data='{scratch()}'",
        f"paths.output='{output}'",
        *TINY,
    ]
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("train", [*overrides, "test=false"])
    with _silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(config)
    return _best(output)


def _best(folder: Path) -> Path:
    return folder / "checkpoints" / "best.ckpt"


def _root() -> Path:
    return Path(conf_dir()).parent


def _paths() -> dict[str, str]:
    data = str(scratch()) if SMALL else os.environ.get("RMLR_DATA", str(_root() / "data"))
    return {"data": data, "output": str(scratch())}


def picture_path(name: str) -> Path:
    """Where a figure is kept: docs/pictures at full size, nowhere that lasts when small."""
    folder = scratch() if SMALL else _root() / "docs" / "pictures"
    return folder / name
