"""rmlr-eval: the metrics of a checkpoint, or of a saved model."""

from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.hydra_program import hydra_program

# What a run needs is imported in it: `--help` and mistakes in options are answered without torch.


@hydra_program("evaluate")
def main(cfg: DictConfig) -> None:
    """Entry point."""
    from rmlr_lightning.hub.saved_task import SavedTask, is_saved_model
    from rmlr_lightning.runs.evaluation import evaluate

    if OmegaConf.is_missing(cfg, "checkpoint"):
        raise UserError("no checkpoint given: rmlr-eval checkpoint=FILE (make eval CKPT=FILE)")
    if is_saved_model(cfg.checkpoint):
        saved = SavedTask(cfg.checkpoint)
        evaluate(cfg, saved.config, saved.task)
    else:
        evaluate(cfg)


if __name__ == "__main__":
    main()
