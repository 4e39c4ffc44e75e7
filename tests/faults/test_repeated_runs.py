"""Runs that are repeated, resumed with other options, or stopped by a full disk."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

from rmlr_lightning.cli import train
from tests.faults.killed_runs import OPTIONS as KILLED
from tests.faults.killed_runs import differences
from tests.linked_world import link_world
from tests.page_commands import from_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    # copies of a run, whose folder is still there
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]
OPTIONS = (*KILLED, "report=false")  # a page takes seconds, and has tests of its own
RECOVERY = "rmlr_lightning.callbacks.movable_checkpoint.MovableCheckpoint"
WITHIN_EPOCHS = (  # 3 optimiser steps per epoch: the last one lies within the third epoch
    f"+callbacks.recovery._target_={RECOVERY}",
    "+callbacks.recovery.dirpath='${paths.output}/recovery'",
    "+callbacks.recovery.filename=recovery",
    "+callbacks.recovery.every_n_train_steps=4",
)


@pytest.fixture(scope="module")
def places(world, tmp_path_factory) -> Path:
    """A folder for data, features and runs."""
    folder = tmp_path_factory.mktemp("runs")
    link_world(world, folder)
    return folder


def run(places: Path, *arguments: str, options=OPTIONS) -> None:
    """rmlr-train in this process."""
    common = [] if not options else [f"paths.data={places}", f"features.path={places}/features"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(places)
        argv = ["rmlr-train", *arguments[:1], *common, *options, *arguments[1:]]
        patch.setattr(sys, "argv", argv)
        train.main()


@pytest.fixture(scope="module")
def whole(places) -> Path:
    """A run that nothing disturbed."""
    run(places, "name=whole", "data.num_workers=0", *WITHIN_EPOCHS)
    return places / "outputs" / "whole"


def test_a_run_is_repeated_from_its_folder_in_a_folder_of_its_own(whole, places, capsys):
    """The folder has a name as those of a sweep have."""
    before = (whole / "checkpoints" / "best.ckpt").read_bytes()
    folder = places / "multirun" / "experiment=visual,seed=0"
    folder.parent.mkdir()
    folder.symlink_to(whole)
    _, option, _ = from_page("rmlr-train --from-run")
    run(places, option, str(folder), "data.num_workers=1", options=())
    repeated = places / "outputs" / "whole-2"
    assert differences(whole, repeated) == []
    assert (whole / "checkpoints" / "best.ckpt").read_bytes() == before
    printed = capsys.readouterr().out
    assert f"this one is written to {repeated}" in printed and "note:" not in printed


def test_a_run_resumes_within_an_epoch_to_the_bit(whole, places):
    """From a checkpoint of another folder, with another number of loading processes."""
    recovery = whole / "recovery" / "recovery.ckpt"
    assert torch.load(recovery, weights_only=True)["DataModule"] == {"epoch": 2, "batches": 4}
    run(places, "name=within", f"resume={recovery}", "data.num_workers=2", *WITHIN_EPOCHS)
    first, second = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (whole, places / "outputs" / "within")
    )
    for key in ("state_dict", "current_model_state"):
        for name, weight in first[key].items():
            assert torch.equal(second[key][name], weight)


def test_a_run_that_slurm_stops_loses_no_step(whole, places):
    """Its checkpoint is that of the step in which SIGTERM came; the means of the epoch are, too."""
    out = places / "outputs" / "stopped"
    stop = "+callbacks.stop._target_=tests.faults.process_losses.Terminated"
    with pytest.raises(SystemExit) as caught:
        run(places, "name=stopped", stop, "+callbacks.stop.step=4", *WITHIN_EPOCHS)
    assert caught.value.code == 143
    last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["DataModule"] == {"epoch": 1, "batches": 4}
    run(places, "name=stopped", "resume=last", *WITHIN_EPOCHS)
    assert differences(whole, out) == []


def test_changed_rates_are_applied_and_written(whole, places):
    out = places / "outputs" / "rates"
    shutil.copytree(whole, out)
    changes = ("optim.lr=1e-5", "optim.images=8", "trainer.max_epochs=4", "test=false")
    run(places, "name=rates", "resume=last", *changes, *WITHIN_EPOCHS)
    last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert {group["initial_lr"] for group in last["optimizer_states"][0]["param_groups"]} == {1e-5}
    assert last["epoch"] == 3
    assert last["config"]["optim"]["lr"] == 1e-5
    assert yaml.safe_load((out / "config.yaml").read_text())["optim"]["lr"] == 1e-5


def test_a_model_that_changed_is_refused_and_nothing_of_the_run_is_lost(whole, places, capsys):
    before = {path: path.read_bytes() for path in whole.rglob("*.*") if path.is_file()}
    with pytest.raises(SystemExit) as caught:
        run(places, "name=whole", "resume=last", "model.irm.heads=1", *WITHIN_EPOCHS)
    assert caught.value.code == 2
    assert "error: resume=last: model.irm.heads=1 cannot change" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ["last.ckpt", "metrics.json"])
def test_a_full_disk_is_one_line_and_leaves_the_checkpoint_before(
    name, whole, places, capsys, monkeypatch
):
    """The disk fills up while the file of this name is replaced."""
    out = places / "outputs" / f"full_{name}"
    shutil.copytree(whole, out)
    before = {path.name: path.read_bytes() for path in (out / "checkpoints").iterdir()}
    replace = os.replace

    def full(source, target, **options):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(source, target, **options)

    monkeypatch.setattr(os, "replace", full)
    arguments = (f"name=full_{name}", "resume=last", "trainer.max_epochs=4", *WITHIN_EPOCHS)
    with pytest.raises(SystemExit) as caught:
        run(places, *arguments)
    assert caught.value.code == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert f"{name}: the disk is full; make room" in line
    assert not list(out.rglob("*.part"))
    for path in (out / "checkpoints").iterdir():
        torch.load(path, weights_only=True)
    if name == "last.ckpt":
        assert (out / "checkpoints" / name).read_bytes() == before[name]
