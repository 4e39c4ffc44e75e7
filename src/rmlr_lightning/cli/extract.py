"""rmlr-extract: caches the detector outputs of a data set, for training and evaluation."""

from omegaconf import DictConfig

from rmlr_lightning.runs.hydra_program import hydra_program

# What a run needs is imported in it: `--help` and mistakes in options are answered without torch.


@hydra_program("extract")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    from rmlr_lightning.runs.extraction import extract

    extract(cfg)


if __name__ == "__main__":
    main()
