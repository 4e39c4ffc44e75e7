"""What a run resumes from, and which options may differ."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import CHECKPOINT_FORMAT
from rmlr_lightning.runs.resume import check_options, resume_path

pytestmark = pytest.mark.fault
CONFIG = {
    "seed": 0,
    "paths": {"data": "data", "output": "outputs/rmlr"},
    "optim": {"_target_": "AdamW", "lr": 1e-3, "lr_overrides": {"remine": 1e-5}},
    "model": {"irm": {"heads": 2}},
    "task": {"optim": "${optim}", "model": "${model}"},
    "data": {"batch_size": 16, "num_workers": 1, "images": "${paths.data}/images"},
    "callbacks": {"best": {"mode": "max"}},
    "trainer": {"max_epochs": 8, "accumulate_grad_batches": 1},
}


def changed(key: str, value: object) -> dict:
    """The configuration with one other value."""
    config = OmegaConf.create(CONFIG)
    OmegaConf.update(config, key, value)
    return OmegaConf.to_container(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim.lr", 1e-5),
        ("optim.lr_overrides.remine", 1e-6),
        ("trainer.max_epochs", 20),
        ("data.num_workers", 4),
        ("callbacks.best.mode", "min"),
        ("paths.data", "/elsewhere"),
    ],
)
def test_what_is_applied_may_change(key, value):
    check_options(changed(key, value), CONFIG)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim._target_", "SGD"),
        ("optim.lr_overrides.neck", 1e-6),
        ("model.irm.heads", 4),
        ("model.irm.layers", 2),
        ("data.batch_size", 8),
        ("data.images", "other"),
        ("trainer.accumulate_grad_batches", 2),
        ("callbacks.ema._target_", "MovingAverage"),
        ("seed", 1),
    ],
)
def test_what_cannot_change_is_refused_with_its_key(key, value):
    with pytest.raises(UserError, match=rf"^resume=last: {key}[= ].* resumed run") as caught:
        check_options(changed(key, value), CONFIG, "resume=last")
    assert "\n" not in str(caught.value)


def checkpoints(folder: Path, **epochs: int) -> None:
    """Checkpoints of these names, each of an epoch."""
    (folder / "checkpoints").mkdir()
    for name, epoch in epochs.items():
        content = {"state_dict": {}, "format": CHECKPOINT_FORMAT, "epoch": epoch, "config": CONFIG}
        progress = {"current": {"processed": epoch + 1, "completed": epoch}}
        content |= {"optimizer_states": [], "loops": {"fit_loop": {"epoch_progress": progress}}}
        torch.save(content, folder / "checkpoints" / f"{name}.ckpt")


def resumed(folder: Path, resume: str = "last", max_epochs: int = 8) -> str | None:
    values = {"resume": resume, "paths": {"output": str(folder)}, "test": True}
    cfg = OmegaConf.create(values | {"trainer": {"max_epochs": max_epochs}})
    path = resume_path(cfg, CONFIG)
    return path and Path(path).name


def test_the_last_checkpoint_is_taken(tmp_path, capsys):
    checkpoints(tmp_path, last=2, previous=1, best=1)
    assert resumed(tmp_path) == "last.ckpt"
    path = tmp_path / "checkpoints" / "last.ckpt"
    assert capsys.readouterr().out == f"resuming from {path}, at epoch 4 of 8\n"


def test_a_line_is_printed_where_no_epoch_is_left(tmp_path, capsys):
    checkpoints(tmp_path, last=2)
    resumed(tmp_path, max_epochs=3)
    assert "the training is finished, 3 of 3 epochs" in capsys.readouterr().out
    for more, epoch in {4: "4 of 4", -1: "4"}.items():
        resumed(tmp_path, max_epochs=more)
        assert capsys.readouterr().out.endswith(f"last.ckpt, at epoch {epoch}\n")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", None])
def test_in_place_of_a_damaged_one_the_one_before_is_taken_with_a_word(content, tmp_path, capsys):
    checkpoints(tmp_path, last=2, previous=1, best=0)
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-200] if content is None else content)
    assert resumed(tmp_path) == "previous.ckpt"
    printed = capsys.readouterr().out
    assert str(last) in printed and "previous.ckpt, at epoch 3 of 8" in printed
    assert (tmp_path / "checkpoints" / "last.ckpt.damaged").is_file()


def test_the_best_one_is_the_last_resort(tmp_path):
    checkpoints(tmp_path, last=2, previous=1, best=0)
    for name in ("last", "previous"):
        (tmp_path / "checkpoints" / f"{name}.ckpt").write_bytes(b"")
    assert resumed(tmp_path, "auto") == "best.ckpt"


def test_a_missing_last_checkpoint_is_replaced_with_a_word(tmp_path, capsys):
    checkpoints(tmp_path, previous=1)
    assert resumed(tmp_path, "auto") == "previous.ckpt"
    printed = capsys.readouterr().out
    assert printed.startswith("no last.ckpt; previous.ckpt takes its place\nresuming from")


def test_damaged_checkpoints_only_are_an_error(tmp_path):
    checkpoints(tmp_path, last=2)
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match="truncated"):
        resumed(tmp_path, "auto")


def test_no_checkpoint_is_an_error_or_a_new_run(tmp_path):
    assert resumed(tmp_path, "auto") is None
    with pytest.raises(UserError, match=r"resume=last: .*last\.ckpt is no checkpoint"):
        resumed(tmp_path)


def test_a_moved_run_resumes(tmp_path):
    (tmp_path / "before").mkdir()
    checkpoints(tmp_path / "before", last=2)
    shutil.move(tmp_path / "before", tmp_path / "after")
    assert resumed(tmp_path / "after") == "last.ckpt"
