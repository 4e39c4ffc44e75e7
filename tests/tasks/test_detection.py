from types import SimpleNamespace

import torch

from rmlr_lightning.models.checkpoint import load_checkpoint
from rmlr_lightning.tasks.detection import DetectionTask


def test_a_detector_checkpoint_is_of_the_version_that_resume_accepts(tmp_path):
    checkpoint = {"state_dict": {}}
    DetectionTask.on_save_checkpoint(SimpleNamespace(run_config={"seed": 1}), checkpoint)
    torch.save(checkpoint, tmp_path / "last.ckpt")
    assert load_checkpoint(tmp_path / "last.ckpt")["config"] == {"seed": 1}
