"""The loggers of a run, such as Weights & Biases."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.environment import read_environment
from rmlr_lightning.runs.secrets import hidden_command_line, without_secrets

WANDB = f"{WandbLogger.__module__.rpartition('.')[0]}.{WandbLogger.__name__}"
TENSORBOARD = "pytorch_lightning.loggers.TensorBoardLogger"


def check_loggers(group: DictConfig | None) -> None:
    """Before data are read: are the packages of the loggers installed?

    Raises:
        UserError: TensorBoard is asked for, and nothing can write its log.
    """
    targets = [part.get("_target_") for part in (group or {}).values() if part is not None]
    if TENSORBOARD in targets and not any(map(find_spec, ("tensorboard", "tensorboardX"))):
        raise UserError(
            "logger=tensorboard needs an extra: pip install 'rmlr-lightning[tensorboard]'"
        )


def continue_logs(group: DictConfig | None, folder: Path) -> DictConfig | None:
    """The config group of loggers, for a run that resumes in its folder.

    Weights & Biases continues the run of the folder's newest log, if it has one.
    """
    # [offline-]run-DATE_TIME-ID/run-ID.wandb; the folder of a second start within a second ends
    # with a number after the id
    logs = sorted(
        folder.glob("wandb/*run-*-*/run-*.wandb"),
        key=lambda log: log.parent.name.removeprefix("offline-"),
    )
    if group is None or not logs:
        return group
    group = group.copy()
    for part in group.values():
        if part is not None and part.get("_target_") == WANDB and not part.get("id"):
            with open_dict(part):
                part.id = logs[-1].stem.removeprefix("run-")
    return group


@contextmanager
def one_log_per_run(loggers: Sequence[Logger], cfg: DictConfig) -> Iterator[None]:
    """Inside the context runs the training. Loggers get its configuration; then their logs end.

    They also get environment.json: versions, commit, hashes of data and weights.

    Without an end, Weights & Biases continues the log of a run with the next run of a sweep.
    """
    config = without_secrets(OmegaConf.to_container(cfg, resolve=True))
    config["environment"] = read_environment(cfg.paths.output)
    with hidden_command_line():
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                # Lightning passes this setting always, and Weights & Biases warns of it
                logger._wandb_init.pop("anonymous", None)
            if not isinstance(logger, CSVLogger):  # config.yaml and environment.json lie beside it
                logger.log_hyperparams(config)
    failed = True
    try:
        yield
        failed = False
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish(exit_code=int(failed))


def print_upload(loggers: Sequence[Logger]) -> None:
    """After a run: how a log of Weights & Biases that was kept offline is uploaded."""
    for logger in loggers:
        if not isinstance(logger, WandbLogger) or not logger.experiment.offline:
            continue
        run = logger.experiment
        # a run that was resumed has a log for each of its starts, all of them with its id
        logs = sorted(Path(run.settings.sync_dir).parent.glob(f"offline-run-*-{run.id}*"))
        if logs:  # none where WANDB_MODE=disabled
            print(f"wandb: offline; upload with: {shlex.join(['wandb', 'sync', *map(str, logs)])}")
