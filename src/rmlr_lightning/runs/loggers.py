"""The loggers of a run, such as Weights & Biases."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger


@contextmanager
def one_log_per_run(loggers: Sequence[Logger], cfg: DictConfig) -> Iterator[None]:
    """Inside the context runs the training. Loggers get its configuration; then their logs end.

    Without an end, Weights & Biases continues the log of a run with the next run of a sweep.
    """
    for logger in loggers:
        if not isinstance(logger, CSVLogger):  # config.yaml lies beside it
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    failed = True
    try:
        yield
        failed = False
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish(exit_code=int(failed))
