"""rmlr-train: trains and tests the task of a configuration."""

from omegaconf import DictConfig

from rmlr_lightning.runs.hydra_program import hydra_program
from rmlr_lightning.runs.repeat import OPTION, repeating_arguments
from rmlr_lightning.runs.stop_signals import stop_behind

# What a run needs is imported in it: `--help` and mistakes in options are answered without torch.


@hydra_program("train", repeating_arguments, options=(OPTION,))
def main(cfg: DictConfig) -> float | None:
    """Entry point; returns the monitored metric, for Hydra's sweepers."""
    from rmlr_lightning.runs.claim import acquire_run, read_metrics
    from rmlr_lightning.runs.resume import how_to_resume
    from rmlr_lightning.runs.training import train

    with acquire_run(cfg) as acquired:
        try:
            metrics = train(cfg) if acquired else read_metrics(cfg)
        except BaseException as error:
            stopped = stop_behind(error)
            if stopped is not None:
                stopped.way_out = how_to_resume(cfg)
            raise
        return metrics.get(cfg.task.monitor)


if __name__ == "__main__":
    main()
