"""No command replaces a file that it did not write, unless it is told to; results are whole."""

import errno
import os
import re

import pytest
from omegaconf import OmegaConf

from rmlr_lightning import HOIDetector
from rmlr_lightning.cli import export, prepare, score
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import check_outputs, written_atomically
from rmlr_lightning.hub import detector as hub
from rmlr_lightning.hub import export_files
from rmlr_lightning.runs import evaluation
from rmlr_lightning.vocabulary import hicodet, vcoco
from tests.untrained import untrained_checkpoint

pytestmark = pytest.mark.fault
MINE = "the user's"


def mine(path):
    """A file of the user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MINE)
    return path


def test_a_file_that_exists_is_refused_with_the_option_that_replaces_it(tmp_path):
    path = mine(tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"--plot a\.csv: .* exists; .* add --overwrite"):
        check_outputs({"--plot a.csv": path}, "--overwrite")
    check_outputs({"--plot a.csv": path}, None)
    assert path.read_text() == MINE and os.listdir(tmp_path) == ["a.csv"]


def test_two_outputs_with_one_name_are_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    outputs = {"--plot a": tmp_path / "a", "--page a": tmp_path / "link" / "a"}
    with pytest.raises(UserError, match="--page a: the same file as --plot a"):
        check_outputs(outputs, None)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="this system has no devices as files")
def test_a_device_is_never_replaced_by_a_file():
    with pytest.raises(UserError, match="not a regular file"):
        check_outputs({"--plot /dev/null": "/dev/null"}, None)


def test_a_folder_or_a_path_below_a_file_is_refused(tmp_path):
    mine(tmp_path / "file")
    for path in (tmp_path, tmp_path / "file" / "a", tmp_path / "file" / "b" / "a"):
        for folders in (True, False):
            with pytest.raises(UserError, match=f"^{re.escape(str(path))}: cannot be written"):
                check_outputs({"--out": path}, None, folders)


def test_asking_makes_no_folder_unless_told_to(tmp_path):
    check_outputs({"--out": tmp_path / "a" / "b" / "c.csv"}, None, folders=False)
    assert not os.listdir(tmp_path)
    check_outputs({"--out": tmp_path / "a" / "b" / "c.csv"}, None)
    assert os.listdir(tmp_path) == ["a"] and not os.listdir(tmp_path / "a" / "b")


def test_a_writer_that_fails_leaves_the_earlier_file(tmp_path):
    path = mine(tmp_path / "a.png")
    with pytest.raises(UserError, match="the disk is full"):
        with written_atomically(path) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ZeroDivisionError), written_atomically(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == MINE and os.listdir(tmp_path) == ["a.png"]
    with written_atomically(path) as partial:
        assert partial.suffix == ".png"
        partial.write_text("whole")
    assert path.read_text() == "whole" and os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("option", ["--per-class", "--plot"])
@pytest.mark.parametrize("command", ["hicodet", "vcoco"])
def test_rmlr_score_refuses_before_it_reads_anything(command, option, tmp_path, capsys):
    path = mine(tmp_path / "out")
    arguments = [command, "--ground-truth", "no.mat", "--detections", "no.npz", option, str(path)]
    with pytest.raises(SystemExit, match="2"):
        score.main(arguments)
    assert "exists; name another file, or add --overwrite" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        score.main([*arguments, "--overwrite"])
    assert "exists" not in capsys.readouterr().err and path.read_text() == MINE


@pytest.mark.parametrize(
    ("vocabulary", "option", "name"),
    [
        (hicodet, "out", "m.json"),
        (hicodet, "export", "found.npz"),
        (hicodet, "export", "folder/detections_07.mat"),
        (vcoco, "export", "found.pkl"),
    ],
)
def test_rmlr_eval_refuses_before_it_evaluates(vocabulary, option, name, tmp_path):
    path = mine(tmp_path / name)
    value = path.parent if "/" in name else path
    cfg = {"out": None, "export": None, "overwrite": False} | {option: str(value)}
    with pytest.raises(UserError, match=f"^{option}=.* exists; .* add overwrite=true"):
        evaluation._check_outputs(OmegaConf.create(cfg), vocabulary())
    evaluation._check_outputs(OmegaConf.create(cfg | {"overwrite": True}), vocabulary())
    assert path.read_text() == MINE


def test_rmlr_eval_writes_metrics_and_detections_to_two_files(tmp_path):
    both = str(tmp_path / "a.json")
    cfg = OmegaConf.create({"out": both, "export": both, "overwrite": False})
    with pytest.raises(UserError, match=r"the same file as out="):
        evaluation._check_outputs(cfg, hicodet())


def test_a_contact_sheet_replaces_no_file(tmp_path, capsys):
    path = mine(tmp_path / "sheet.png")
    with pytest.raises(SystemExit) as caught:
        prepare.main(["synthetic", "--out", str(tmp_path / "w"), "--contact-sheet", str(path)])
    assert caught.value.code == 2 and "sheet.png exists" in capsys.readouterr().err
    assert path.read_text() == MINE and not (tmp_path / "w").exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return HOIDetector.from_checkpoint(untrained_checkpoint(tmp_path_factory.mktemp("run")))


def test_a_saved_model_is_replaced_as_a_whole_or_not_at_all(model, tmp_path, monkeypatch):
    before = {name: mine(tmp_path / name) for name in hub.WRITTEN}

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "model_card", fail)
    with pytest.raises(UserError, match="cannot be written"):
        model.save_pretrained(tmp_path, overwrite=True)
    assert all(path.read_text() == MINE for path in before.values())
    assert sorted(os.listdir(tmp_path)) == sorted(hub.WRITTEN)


def test_a_program_that_cannot_be_made_leaves_the_earlier_one(model, tmp_path, monkeypatch, capsys):
    path = mine(tmp_path / "a.pt2")

    def fail(program, path):
        path.write_text("half")
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(export_files, "load_detector", lambda *_: model)
    monkeypatch.setattr(export_files, "export_head", lambda *_: (None, {}))
    monkeypatch.setattr(export_files, "describe", lambda *_: {})
    monkeypatch.setattr(export_files, "write_torch", fail)
    with pytest.raises(SystemExit) as caught:
        export.main(["x.ckpt", "--format", "torch", "--out", str(path), "--overwrite"])
    assert caught.value.code == 2 and "Input/output error" in capsys.readouterr().err
    assert path.read_text() == MINE and os.listdir(tmp_path) == ["a.pt2"]
