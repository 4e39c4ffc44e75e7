"""Keys and tokens of the user are in no file of a run and in no log."""

import json
import shlex
import sys
from contextvars import copy_context

import pytest
from omegaconf import OmegaConf

from rmlr_lightning.runs.environment import FILE, write_environment
from rmlr_lightning.runs.folder_names import folder_name
from rmlr_lightning.runs.jobs import Jobs
from rmlr_lightning.runs.secrets import (
    HIDDEN,
    hidden_command_line,
    without_secrets,
    words_without_secrets,
)

pytestmark = pytest.mark.fault
SECRET = "s3cr3t"
WORDS = [
    f"+logger.wandb.api_key={SECRET}",
    f"++text.hub_token={SECRET}",
    f"+wandb_key={SECRET}",
    f"token={SECRET}",
    f"PASSWORD={SECRET}",
    f"--api-key={SECRET}".replace("-key", "_key"),
    f"+options={{token: {SECRET}, a: 1}}",
    f"+options={{'access_key': '{SECRET}'}}",
    f"paths.data=https://me:{SECRET}@host/data",
    "model.path=hf_" + SECRET * 5,
]


@pytest.mark.parametrize("word", WORDS)
def test_a_command_line_has_no_secrets(word):
    (shown,) = words_without_secrets([word])
    assert SECRET not in shown and HIDDEN in shown
    assert SECRET not in folder_name([word])


@pytest.mark.parametrize(
    "word",
    [
        "model.ire.token_dim=256",
        "model.detector.tokens=c5",
        "optim.lr=1e-4",
        "paths.data=/data/tokens=1",
        "text.hub_token=${oc.env:HF_TOKEN}",
        "+sweep=ablation",
    ],
)
def test_other_words_stay_as_they_are(word):
    assert words_without_secrets([word]) == [word]


def test_a_configuration_has_no_secrets():
    config = {
        "seed": 3,
        "token_dim": 8,
        "text": {"token": SECRET, "encoder": "m", "key": "a"},
        "list": [{"password": SECRET}, f"https://me:{SECRET}@host"],
        "reference": {"api_key": "${oc.env:KEY}"},
        "none": {"token": None, "secret": ""},
    }
    shown = without_secrets(config)
    assert SECRET not in json.dumps(shown)
    assert shown["text"] == {"token": HIDDEN, "encoder": "m", "key": "a"}
    for key in ("seed", "token_dim", "reference", "none"):
        assert shown[key] == config[key]


def test_the_environment_of_a_run_has_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["rmlr-train", "seed=1", *WORDS])
    paths = {"output": str(tmp_path), "data": "data"}
    write_environment(OmegaConf.create({"paths": paths}), None)
    kept = (tmp_path / FILE).read_text()
    assert SECRET not in kept and "rmlr-train seed=1" in kept


def test_libraries_that_record_the_command_line_get_none(monkeypatch):
    typed = ["rmlr-train", *WORDS]
    monkeypatch.setattr(sys, "argv", typed)
    with hidden_command_line():
        assert SECRET not in " ".join(sys.argv)
    assert sys.argv is typed


def test_a_process_of_a_launcher_records_what_the_user_typed(tmp_path, monkeypatch):
    """Its own command line is that of the launcher."""
    monkeypatch.setattr(sys, "argv", ["rmlr-train", "-m", "seed=0,1", *WORDS])
    jobs = Jobs()
    elsewhere = ["submitit/_submit.py", "folder"]
    monkeypatch.setattr(sys, "argv", elsewhere)
    jobs.process = -1
    paths = {"output": str(tmp_path), "data": "data"}

    def job():
        jobs.restore_typed()
        write_environment(OmegaConf.create({"paths": paths}), None)
        with hidden_command_line():
            return sys.argv

    command = copy_context().run(job)
    assert command[:3] == ["rmlr-train", "-m", "seed=0,1"] and SECRET not in str(command)
    kept = json.loads((tmp_path / FILE).read_text())["command"]
    assert shlex.split(kept) == command
    assert sys.argv == elsewhere  # by which Lightning starts further processes
