"""What notebooks start from."""

import json
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir
from support import mosaic, notebook_runs

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("RMLR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(notebook_runs, "SMALL", False)
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize("made", [False, True])
def test_absent_runs_name_the_command_in_one_line(tmp_path, monkeypatch, made):
    monkeypatch.setattr(notebook_runs, "SMALL", False)
    folder = tmp_path / "runs"
    if made:
        folder.mkdir()
    monkeypatch.setenv("RMLR_RUNS", str(folder))
    with pytest.raises(UserError, match="make ablation") as caught:
        notebook_runs.checkpoints(("word", "visual"))
    assert "word, visual" in str(caught.value) and "\n" not in str(caught.value)


def run(folder, name, seed):
    home = folder / f"{name}-{seed}"
    (home / "checkpoints").mkdir(parents=True)
    (home / "checkpoints" / "best.ckpt").touch()
    (home / "config.yaml").write_text(json.dumps({"name": name, "seed": seed}))
    (home / "metrics.json").write_text(json.dumps({"test/map_full": 0.5}))


def test_only_seeds_that_all_rows_have_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_runs, "SMALL", False)
    monkeypatch.setenv("RMLR_RUNS", str(tmp_path))
    for name, seeds in {"word": (0, 1, 3), "visual": (1, 2, 3)}.items():
        for seed in seeds:
            run(tmp_path, name, seed)
    found = notebook_runs.checkpoints(("word", "visual"))
    assert {row: list(by_seed) for row, by_seed in found.items()} == {
        "word": [1, 3],
        "visual": [1, 3],
    }
    assert list(notebook_runs.checkpoints(("word", "visual"), max_seeds=1)["word"]) == [1]
    assert found["word"][3] == tmp_path / "word-3" / "checkpoints" / "best.ckpt"


def test_a_row_without_a_run_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_runs, "SMALL", False)
    monkeypatch.setenv("RMLR_RUNS", str(tmp_path))
    run(tmp_path, "word", 0)
    with pytest.raises(UserError, match="no finished run of visual;"):
        notebook_runs.checkpoints(("word", "visual"))


def test_values_are_measured_once(checkpoint):
    calls = []

    def make(path):
        calls.append(path)
        return {"map": 0.5}

    first = notebook_runs.measured_once("a", checkpoint, (mosaic,), make, 1)
    assert first == notebook_runs.measured_once("a", checkpoint, (mosaic,), make, 1) == {"map": 0.5}
    assert calls == [checkpoint]


@pytest.mark.parametrize("what", ["weights", "options", "code"])
def test_values_are_measured_again_when_something_changes(checkpoint, monkeypatch, what):
    values = iter([1.0, 2.0])

    def make(path):
        return {"map": next(values)}

    notebook_runs.measured_once("a", checkpoint, (mosaic,), make, 1)
    if what == "weights":
        checkpoint.write_bytes(b"others")
    if what == "code":
        monkeypatch.setattr(
            notebook_runs, "inspect", SimpleNamespace(getsource=lambda module: "other")
        )
    assert notebook_runs.measured_once(
        "a", checkpoint, (mosaic,), make, 2 if what == "options" else 1
    ) == {"map": 2.0}


def test_training_images_are_not_augmented(world):
    """Random flips would change the numbers of a notebook from run to run."""
    small = [
        "data.prepare.config.train=60",
        "+data.prepare.config.val=24",
        "+data.prepare.config.test=48",
    ]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose(
            "train", [f"paths.data={world.parent}", "data.prepare.config.seed=3", *small]
        )
    data = notebook_runs.split_of(SimpleNamespace(config=config), "train", pixels=True)
    first = data[0].pixels
    assert all(torch.equal(data[0].pixels, first) for _ in range(8))
