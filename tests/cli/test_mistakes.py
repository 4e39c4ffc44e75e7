"""What users get wrong: each case ends in one line, status 2 and no traceback."""

import errno
import os
import re
import zipfile

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.utils.data import DataLoader, Dataset

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import (
    CHECKPOINT_FORMAT,
    check_vocabulary,
    load_checkpoint,
    read_checkpoint,
)
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.runs.hydra_program import OutputFolder, check_groups
from rmlr_lightning.runs.resume import resume_path
from rmlr_lightning.runs.trainer_values import check_validation
from rmlr_lightning.runs.training import train
from rmlr_lightning.runs.user_errors import one_line_errors
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.vocabulary import hicodet, vcoco

pytestmark = pytest.mark.fault


def printed(capsys, run) -> str:
    """What a console script prints when `run` fails inside it."""
    with pytest.raises(SystemExit) as caught, one_line_errors():
        run()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


class Broken(Dataset):
    """Its only item is a user's mistake."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int):
        raise UserError("image.jpg: not a readable image")


def test_a_mistake_in_a_loading_process_is_printed_without_its_traceback(capsys):
    loader = DataLoader(Broken(), num_workers=1)
    assert printed(capsys, lambda: next(iter(loader))) == "error: image.jpg: not a readable image\n"


def test_a_value_that_an_object_refuses_is_printed_with_its_key(capsys):
    cfg = OmegaConf.create(
        {"data": {"_target_": "torch.nn.Linear", "in_features": "many", "out_features": 3}}
    )
    with pytest.raises(InstantiationException):
        instantiate(cfg.data)
    assert printed(capsys, lambda: instantiate(cfg.data)).startswith("error: configuration data: ")


def test_an_interpolation_of_a_missing_key_is_printed_in_one_line(capsys):
    cfg = OmegaConf.create({"here": "${there}"})
    assert "there" in printed(capsys, lambda: cfg.here)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EFBIG, "larger than this system allows"),
    ],
)
def test_what_the_machine_refuses_is_one_line(number, reason, capsys):
    def write():
        raise OSError(number, os.strerror(number), "log/metrics.csv")

    line = printed(capsys, write)
    assert line.startswith("error: log/metrics.csv: ") and reason in line


def test_an_error_of_the_package_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch_size", 0), ("eval_batch_size", "abc"), ("num_workers", -1), ("batch_size", 2.5)],
)
def test_impossible_numbers_of_the_data_are_named(key, value):
    with pytest.raises(UserError, match=f"data.{key}={value}"):
        DataModule(list, list, list, **{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("lr", -1), ("lr", "abc"), ("lr", float("inf")), ("weight_decay", float("nan"))]
    + [("warmup", 3), ("schedule", "cosine")],
)
def test_impossible_numbers_of_the_optimiser_are_named(key, value):
    with pytest.raises(UserError, match=f"optim.{key}={value}"):
        ScheduledAdamW(**{key: value})


def test_a_number_that_is_none_is_named(tmp_path):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["model.power=nan", f"paths.output={tmp_path}/run"])
    with pytest.raises(UserError, match=r"^model\.power=nan: expected a number$"):
        train(cfg)


@pytest.mark.parametrize("typed", ["max_epochs=0", "max_epochs=-2", "max_epochs=x", "max_steps=0"])
def test_a_training_of_no_step_is_refused(typed, tmp_path):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"++trainer.{typed}", f"paths.output={tmp_path}/run"])
    with pytest.raises(UserError, match=rf"^trainer\.{typed}: expected 1, 2, \.\.\. or -1"):
        train(cfg)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("limit_train_batches=ten", "a whole number, a number or null"),
        ("log_every_n_steps=1.5", "a whole number or null"),
        ("enable_progress_bar=maybe", "true or false or null"),
        ("num_nodes=two", "a whole number"),
    ],
)
def test_a_value_of_another_type_is_refused(typed, expected, tmp_path):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"++trainer.{typed}", f"paths.output={tmp_path}/run"])
    with pytest.raises(UserError, match=rf"^trainer\.{re.escape(typed)}: expected {expected}$"):
        train(cfg)


def test_they_are_named_before_data_are_prepared(tmp_path):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"paths.data={tmp_path}/data", f"paths.output={tmp_path}/run"])
    cfg.optim.lr = "abc"
    with pytest.raises(InstantiationException, match=r"optim\.lr=abc: expected a number"):
        train(cfg)
    assert not (tmp_path / "data").exists()


def test_a_missing_device_is_named():
    with pytest.raises(UserError, match="--device gpu: not a device of this machine"):
        device_of("gpu", "--device")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more"])
def test_what_is_no_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.ckpt: not a checkpoint; truncated, or"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_a_flipped_byte_in_a_checkpoint_is_found_and_its_place_named(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"weight": torch.arange(4096)}}, path)
    with zipfile.ZipFile(path) as archive:
        place = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
    content = bytearray(path.read_bytes())
    content[place.header_offset + 4096] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged \(.*data/0 in it"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [1],
        {"state_dict": {}, "format": CHECKPOINT_FORMAT},
        {"state_dict": {}, "format": CHECKPOINT_FORMAT, "config": {}, "vocabulary": {}},
    ],
)
def test_checkpoints_of_other_things_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of"):
        read_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.parametrize("older", [{}, {"format": CHECKPOINT_FORMAT - 1}])
def test_a_checkpoint_of_an_older_version_is_refused(older, tmp_path):
    torch.save({"state_dict": {}} | older, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=r"a\.ckpt: .* version .*; train again"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_a_checkpoint_of_weights_only_is_not_resumed(tmp_path):
    torch.save({"state_dict": {}, "format": CHECKPOINT_FORMAT}, tmp_path / "a.ckpt")
    cfg = OmegaConf.create({"resume": str(tmp_path / "a.ckpt"), "paths": {"output": str(tmp_path)}})
    with pytest.raises(UserError, match="holds no training state"):
        resume_path(cfg, {})


def test_data_of_another_vocabulary_are_refused():
    with pytest.raises(UserError, match=r"the test split has another vocabulary .* than a\.ckpt"):
        check_vocabulary(vcoco(), hicodet(), "the test split", "a.ckpt")


def test_the_same_hois_in_another_order_are_another_vocabulary():
    ours = hicodet()
    with pytest.raises(UserError, match="in another order"):
        check_vocabulary(ours._replace(hois=ours.hois[::-1]), ours, "these", "those")


def test_a_file_of_vcoco_may_bring_further_hois():
    ours = vcoco()
    check_vocabulary(ours._replace(hois=(*ours.hois, (0, 3))), ours, "the test split", "a.ckpt")


@pytest.mark.parametrize("argument", ["logger=null", "model/irm=", "experiment=null"])
def test_a_group_set_to_null_gets_the_way_to_leave_it_out(argument, capsys):
    error = printed(capsys, lambda: check_groups(["seed=1", argument]))
    assert argument in error and f"~{argument.partition('=')[0]}" in error


def test_a_value_set_to_null_is_no_group():
    check_groups(
        ["features.memory=null", "resume=null", "~logger", "+sweep=ablation", "model=rmlr"]
    )


@pytest.mark.parametrize("key", ["run", "sweep"])
def test_an_output_folder_that_cannot_be_made_is_named_with_its_key(key, tmp_path, capsys):
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "out")
    config = OmegaConf.create({"hydra": {key: {"dir": folder}}})
    start = OutputFolder().on_run_start if key == "run" else OutputFolder().on_multirun_start
    error = printed(capsys, lambda: start(config))
    assert f"hydra.{key}.dir={folder}" in error


def test_a_training_that_never_validates_is_refused(capsys):
    every = {"check_val_every_n_epoch": 2}
    never = OmegaConf.create({"max_epochs": 1, **every})
    assert "trainer.max_epochs=1: " in printed(capsys, lambda: check_validation(never))
    for fine in ({"max_epochs": 2}, {"max_epochs": -1}, {"max_epochs": 1, "fast_dev_run": True}):
        check_validation(OmegaConf.create(fine | every))
