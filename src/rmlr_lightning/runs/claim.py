"""Which folder a run writes to, and which process does which run of a sweep.

A run holds a lock in its folder until it ends, however it ends: no other process writes there. A
run that does not resume leaves an earlier run alone: it takes FOLDER-2, FOLDER-3 and so on.

A sweep can be started again, and several times at once (`make ablation` starts
it twice). Every process goes through the same list of runs and does those that no other process
has finished or locked. Hydra's joblib launcher was tried for this: its jobs failed with
`data.num_workers=1`, and a job that ended with an error ended the other jobs as well.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import yaml
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.report.relevant_config import relevant
from rmlr_lightning.runs.config_hash import config_hash, current_config
from rmlr_lightning.runs.made_folders import LOCK, make_folder, no_empty_folder
from rmlr_lightning.runs.repeat import FOLDER
from rmlr_lightning.runs.sweep_members import ERROR, SAME

HASH = ".config_hash"
# What a run replaces in its folder; .hydra/hydra.yaml is of another program that uses Hydra.
REPLACED = ("config.yaml", "environment.json", "curves.png", "test_record.npz", "report.html")
FOREIGN = f"{FOLDER}/hydra.yaml"
# Loading processes of a killed run hold its lock until they notice, which takes up to 5 seconds.
PATIENCE_S = 15.0
RESULTS = ("metrics.json", "test_record.npz", "report.html")  # of a finished run

_meant: dict[Path, Path] = {}  # the folder of a run, and the one before it that was not free


@contextmanager
def acquire_run(cfg: DictConfig) -> Iterator[bool]:
    """Yields True if this process acquired the run, whose folder is `cfg.paths.output` then.

    The lock is held inside the context; the system releases it if the process dies.

    - A run that does not resume takes its folder, or the next free FOLDER-N.
    - A run that resumes (`resume=last`, `auto`, or a file of the folder) takes that folder.
    - After a user's mistake no folder without results stays, except in a sweep.
    - A run of a sweep takes its folder, and `resume` is `auto` if it is null. It is skipped if it
      is finished, or if another process has locked it, or if this is true of a run of the same
      configuration in another folder of the sweep, which is `cfg.paths.output` then.

    Raises:
        UserError: the folder cannot be locked, or holds files that are not of a run, or in a sweep
            a run of another configuration.
    """
    folder = Path(cfg.paths.output)
    is_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    if is_sweep and cfg.resume is None:
        cfg.resume = "auto"
    if rank_zero_only.rank != 0:  # a child process of a run that its first process has locked
        yield not (is_sweep and cfg.resume == "auto" and is_finished(cfg))
        return

    if is_sweep and cfg.resume == "auto":
        with _locked(folder) as acquired:
            if not acquired:
                print(f"{folder}: skipped, another process is running it")
            starts = acquired and not _is_done(cfg, folder) and not _is_repeated(cfg, folder)
            if starts:  # what an earlier start left
                for name in (ERROR, SAME):
                    (folder / name).unlink(missing_ok=True)
            yield starts
    elif is_sweep or _resumes(cfg, folder):
        with _locked(folder, PATIENCE_S) as acquired, no_empty_folder(folder):
            if not acquired:
                raise UserError(f"{folder}: another process is training in this folder; stop it")
            if holds_run(folder) and not _resumes(cfg, folder):
                raise UserError(
                    f"{folder}: holds an earlier run; leave `resume` out to skip or resume runs, "
                    "or choose another folder with hydra.sweep.dir=..."
                )
            yield True
    else:
        with _free_folder(cfg, folder):
            yield True


@contextmanager
def _free_folder(cfg: DictConfig, first: Path) -> Iterator[None]:
    """Inside the context the output folder of `cfg` is the first free one, which is locked."""
    for number in count(1):
        folder = first if number == 1 else first.with_name(f"{first.name}-{number}")
        with _locked(folder) as acquired:
            if not acquired or holds_run(folder):
                continue
            _check_own(folder)
            if folder != first:
                _use(cfg, folder)
                _meant[folder] = first
            with no_empty_folder(folder):
                yield
            return


def begin_folder(cfg: DictConfig) -> None:
    """Called once no mistake is left: print where the run is, and remove what it makes anew.

    The results of the first part of a run would be taken for those of the whole.
    """
    folder = Path(cfg.paths.output)
    first = _meant.pop(folder, None)
    if first is not None:
        print(f"{first}: holds another run; this one is written to {folder}")
    removed = [name for name in RESULTS if (folder / name).exists()]
    for name in removed:
        (folder / name).unlink()
    if not cfg.test and "test_record.npz" in removed:
        print(
            f"{folder}: removed {', '.join(removed)}: the test was of the run before it resumed; "
            "leave test=false out to test it again"
        )


def _check_own(folder: Path) -> None:
    """A folder such as a user's project may hold files of the names that a run writes."""
    if (folder / FOLDER).exists() and not (folder / FOREIGN).exists():
        return
    foreign = [name for name in (*REPLACED, FOREIGN) if (folder / name).exists()]
    if foreign:
        raise UserError(
            f"{folder}: holds {foreign[0]}, which is not of a run and would be replaced; choose "
            "another folder with hydra.run.dir=..."
        )


def _use(cfg: DictConfig, folder: Path) -> None:
    """Change the output folder, for the configuration and for the processes that DDP starts."""
    hydra_config = HydraConfig.get()
    with read_write(hydra_config), open_dict(hydra_config):
        OmegaConf.update(hydra_config, "run.dir", str(folder))
        OmegaConf.update(hydra_config, "runtime.output_dir", str(folder.absolute()))
    if Path(cfg.paths.output) != folder:  # it was typed
        cfg.paths.output = str(folder)


@contextmanager
def _locked(folder: Path, timeout: float = 0.0) -> Iterator[bool]:
    """Yields whether this process got the folder's lock, which it holds inside the context."""
    # thread_local=False: the lock belongs to the process, whichever thread releases it.
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        make_folder(folder)
        lock.acquire(timeout=timeout)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{folder}: cannot be written ({reason}); choose another folder with hydra.run.dir=..."
        ) from error
    try:
        yield True
    finally:
        lock.release()


def holds_run(folder: Path) -> bool:
    """Whether a folder holds checkpoints or metrics of a run; those of debug=fast do not count."""
    if any(folder.glob("checkpoints/*.ckpt")):
        return True
    return (folder / "metrics.json").exists() and not _is_trial(folder)


def _is_trial(folder: Path) -> bool:
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        return bool(config["trainer"].get("fast_dev_run"))
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False


def _resumes(cfg: DictConfig, folder: Path) -> bool:
    """Whether a run resumes in its own folder."""
    if cfg.resume in (None, "last", "auto"):
        return cfg.resume is not None
    return Path(cfg.resume).absolute().parent == (folder / "checkpoints").absolute()


def _is_done(cfg: DictConfig, folder: Path) -> bool:
    """Whether a run of a sweep needs no work.

    Raises:
        UserError: the folder holds a run of another configuration.
    """
    # The folder is examined under the lock only: before, another process may still write to it.
    if is_finished(cfg):
        print(f"{folder}: skipped, already finished")
        return True
    if holds_run(folder) and not has_same_config(cfg):
        raise UserError(
            f"{folder}: holds a run of another configuration; choose another folder with "
            "hydra.sweep.dir=..., or move this one away"
        )
    return False


def _is_repeated(cfg: DictConfig, folder: Path) -> bool:
    """Whether another folder of the sweep has a run of this configuration; then use that one.

    Two names can be one configuration: a value and the same value as a default, 1e-3 and 0.001.
    """
    digest = config_hash(cfg)
    # one process at a time compares its hash and writes it
    with FileLock(folder.parent / ".configs.lock", thread_local=False):
        for path in sorted(folder.parent.glob(f"*/{HASH}")):
            other = path.parent
            if other == folder or path.read_bytes() != digest.encode():
                continue
            if _is_running(other) or _is_finished_in(cfg, other):
                print(f"{folder}: skipped, {other} has the same configuration")
                write_atomic(folder / SAME, json.dumps({"name": other.name}).encode())
                cfg.paths.output = str(other)
                return True
        write_atomic(folder / HASH, digest.encode())
    return False


def _is_running(folder: Path) -> bool:
    with _locked(folder) as acquired:
        return not acquired


def _is_finished_in(cfg: DictConfig, folder: Path) -> bool:
    there = cfg.copy()
    there.paths.output = str(folder)
    return is_finished(there)


def prepare_data(datamodule: DataModule, folder: Path) -> None:
    """Make or check the files of a data set below the folder, one process at a time.

    Commands that start together must not draw the same images at the same time. Where there is
    nothing to prepare, nothing is written: the folder may be a typing error.
    """
    if datamodule.prepare is None:
        return
    lock = FileLock(folder / ".prepare.lock", thread_local=False)
    with suppress(OSError):  # a read-only folder: its data exist, nothing is prepared
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        datamodule.prepare_data()
    finally:
        lock.release()


def is_finished(cfg: DictConfig) -> bool:
    """Whether the output folder holds all metrics of this configuration."""
    metrics = read_metrics(cfg)
    is_tested = not cfg.test or any(name.startswith("test/") for name in metrics)
    return cfg.task.monitor in metrics and is_tested and has_same_config(cfg)


def read_metrics(cfg: DictConfig) -> dict[str, float]:
    """The metrics in the output folder; empty if they are missing or damaged."""
    path = Path(cfg.paths.output, "metrics.json")
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(value) for name, value in metrics.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def has_same_config(cfg: DictConfig) -> bool:
    """Whether config.yaml in the output folder gives the same result as this configuration."""
    # An unreadable file counts as another configuration: the run then starts anew.
    path = Path(cfg.paths.output, "config.yaml")
    try:
        earlier = yaml.safe_load(path.read_text(encoding="utf-8"))
        return relevant(earlier) == current_config(cfg)
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return False
