"""What a run depends on is written into its folder, and compared when it is repeated."""

import hashlib
import json

import pytest
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.environment import FILE, differences, write_environment
from rmlr_lightning.runs.repeat import repeating_arguments, write_for_repetition

CONFIG = {"name": "mine", "seed": 3, "paths": {"output": "${hydra:runtime.output_dir}"}}


@pytest.fixture
def written(tmp_path):
    """The folder of a run that read one annotation file."""
    annotations = tmp_path / "a.json"
    annotations.write_text("[1]")
    cfg = {"data": [{"file": str(annotations)}], "paths": {"output": str(tmp_path), "no": "x/y"}}
    write_environment(OmegaConf.create(cfg), "abc")
    write_for_repetition(tmp_path, CONFIG, ["seed=3"])
    return tmp_path


def test_versions_hashes_and_the_commit_are_kept(written):
    kept = json.loads((written / FILE).read_text())
    digest = hashlib.sha256(b"[1]").hexdigest()
    assert kept["files"] == {str(written / "a.json"): digest}
    assert kept["detector"] == "abc"
    assert {"torch", "pytorch-lightning", "numpy"} <= kept["packages"].keys()
    assert kept["git"] is None or len(kept["git"]["commit"]) == 40


@pytest.mark.fault
def test_a_repetition_names_what_has_changed(written):
    assert differences(written) == []
    (written / "a.json").write_text("[2]")
    kept = json.loads((written / FILE).read_text())
    kept["packages"]["torch"] = "0.1"
    (written / FILE).write_text(json.dumps(kept))
    version, content = differences(written)
    assert version.startswith("torch 0.1 is now ")
    assert content.endswith("a.json has another content")
    (written / "a.json").unlink()
    assert differences(written)[1].endswith("a.json is missing")
    (written / FILE).write_text("{")
    assert "missing or damaged" in differences(written)[0]


@pytest.mark.parametrize("separate", [True, False])
def test_a_run_is_repeated_with_values_of_ones_own(separate, written):
    option = ["--from-run", str(written)] if separate else [f"--from-run={written}"]
    arguments = repeating_arguments([*option, "seed=4", "hydra.run.dir=out"])
    place = arguments.index("--config-path")
    assert arguments[place + 1] == str(written / ".hydra")
    assert arguments[-2:] == ["seed=4", "hydra.run.dir=out"]
    assert "hydra.run.dir=outputs/${name}" not in arguments
    assert "resume=null" in arguments


def test_other_commands_are_left_as_they_are():
    assert repeating_arguments(["seed=1", "-m"]) == ["seed=1", "-m"]


@pytest.mark.fault
def test_a_folder_without_a_run_is_refused(tmp_path):
    for arguments in (["--from-run", str(tmp_path)], ["--from-run"]):
        with pytest.raises(UserError, match=r"^--from-run .*not a folder of a run"):
            repeating_arguments(arguments)


@pytest.mark.fault
def test_a_folder_of_a_stranger_runs_nothing(tmp_path):
    write_for_repetition(tmp_path, CONFIG | {"model": {"_target_": "os.system"}}, [])
    with pytest.raises(UserError, match=r"'os\.system', which is not of this package"):
        repeating_arguments(["--from-run", str(tmp_path)])
