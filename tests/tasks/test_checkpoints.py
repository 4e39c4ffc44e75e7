import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.demos.boring_classes import BoringModel

from rmlr_lightning.callbacks.checkpoints import Checkpoints

# Lightning says so of every folder that is gone on in
pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
SCORES = [0.5, 0.9, 0.3, 0.4]  # of the epochs; the second is best


class MatchedDetections(BoringModel):
    def validation_step(self, batch, batch_idx):
        self.log("score", SCORES[self.current_epoch])


def run(folder, epochs, resume=None, kind=Checkpoints, every=1):
    """So many epochs, validated every so many, with checkpoints in the folder; the callback after it."""
    keep = kind(
        folder, "best", monitor="score", mode="max", save_last=True, enable_version_counter=False
    )
    steps = {
        "check_val_every_n_epoch": every,
        "limit_train_batches": 1,
        "limit_val_batches": 1,
        "num_sanity_val_steps": 0,
    }
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[keep], **steps, **silent)
    trainer.fit(MatchedDetections(), ckpt_path=resume, weights_only=False)
    return keep


def steps_of(path):
    return torch.load(path, weights_only=False)["global_step"]  # one an epoch


@pytest.mark.parametrize("every", [1, 2])
def test_the_last_checkpoint_is_that_of_the_last_epoch_though_it_is_not_the_best(tmp_path, every):
    run(tmp_path, 4, every=every)
    assert steps_of(tmp_path / "best.ckpt") == 2
    assert steps_of(tmp_path / "last.ckpt") == 4


def test_the_best_checkpoint_survives_a_worse_one_after_the_folder_moved(tmp_path):
    run(tmp_path / "before", 2, kind=ModelCheckpoint)
    (tmp_path / "before").rename(tmp_path / "after")
    keep = run(tmp_path / "after", 4, tmp_path / "after" / "last.ckpt")
    assert steps_of(tmp_path / "after" / "best.ckpt") == 2
    assert steps_of(tmp_path / "after" / "last.ckpt") == 4
    assert keep.best_model_score == pytest.approx(0.9)
    assert keep.best_model_path == str(tmp_path / "after" / "best.ckpt")


def test_a_checkpoint_of_lightnings_own_callback_is_gone_on_from(tmp_path):
    run(tmp_path, 2, kind=ModelCheckpoint)
    assert run(tmp_path, 4, tmp_path / "last.ckpt").best_model_score == pytest.approx(0.9)
    assert steps_of(tmp_path / "best.ckpt") == 2
