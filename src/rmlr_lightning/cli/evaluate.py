"""rmlr-eval: the metrics of a checkpoint."""

from omegaconf import DictConfig

from rmlr_lightning.runs.hydra_program import hydra_program

# What a run needs is imported in it: `--help` and mistakes in options are answered without torch.


@hydra_program("evaluate")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    from rmlr_lightning.runs.evaluation import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
