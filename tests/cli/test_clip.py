"""Training and evaluation with a CLIP as second network, text encoder and classifier."""

import json
import sys

import pytest

from rmlr_lightning.cli import evaluate, train
from rmlr_lightning.models.checkpoint import read_checkpoint
from tests.text.conftest import write_clip

SMALL = [
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
    "data.num_workers=0",
    "data.batch_size=12",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
]


def call(program, monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    program.main()


@pytest.mark.slow
def test_a_checkpoint_needs_the_image_tower_and_no_text(world, tmp_path, monkeypatch):
    folder, out = write_clip(tmp_path / "clip"), tmp_path / "out"
    data = f"paths.data={world.parent}"
    features = [f"features.path={tmp_path}/features", "features.views=1"]
    options = ["experiment=clip", f"model.remine.name={folder}", *features]
    call(train, monkeypatch, data, f"hydra.run.dir={out}", *SMALL, *options)
    logged = json.loads((out / "metrics.json").read_text())

    # the text tower is not read again: its tokenizer is gone
    (folder / "tokenizer.json").unlink()
    checkpoint = f"{out}/checkpoints/best.ckpt"
    result = tmp_path / "metrics.json"
    call(
        evaluate,
        monkeypatch,
        f"checkpoint={checkpoint}",
        data,
        f"out={result}",
        f"hydra.run.dir={out}",
    )
    assert json.loads(result.read_text())["test/map_full"] == logged["test/map_full"]

    # the frozen tower is referenced by the hash of its weights
    content = read_checkpoint(checkpoint)
    assert content["config"]["model"]["irm"]["text_dim"] == 12
    assert not [name for name in content["state_dict"] if "tower" in name]
