"""What a run depends on is written into its folder, and compared when it is repeated."""

import hashlib
import json

import pytest
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config_hash import config_hash
from rmlr_lightning.runs.environment import FILE, differences, write_environment
from rmlr_lightning.runs.repeat import repeating_arguments, write_for_repetition

CONFIG = {"name": "mine", "seed": 3, "paths": {"output": "${hydra:runtime.output_dir}"}}


@pytest.fixture
def written(tmp_path):
    """The folder of a run that read one annotation file."""
    annotations = tmp_path / "a.json"
    annotations.write_text("[1]")
    paths = {"output": str(tmp_path), "data": "data", "no": "x/y"}
    cfg = {"data": [{"file": str(annotations)}], "paths": paths, "seed": 3}
    write_environment(OmegaConf.create(cfg), "abc", "def", {"test": ["123"]})
    write_for_repetition(tmp_path, CONFIG, ["seed=3"])
    return tmp_path


def test_versions_hashes_and_the_commit_are_kept(written):
    kept = json.loads((written / FILE).read_text())
    digest = hashlib.sha256(b"[1]").hexdigest()
    assert kept["files"] == {str(written / "a.json"): digest}
    assert kept["detector"] == "abc" and kept["text_encoder"] == "def"
    assert kept["features"] == {"test": ["123"]}
    assert {"torch", "pytorch-lightning", "numpy"} <= kept["packages"].keys()
    assert kept["git"] is None or len(kept["git"]["commit"]) == 40


def test_the_hash_of_the_configuration_is_of_what_determines_the_result(tmp_path):
    found = []
    for folder, seed, logger in (("a", 3, "csv"), ("b", 3, "wandb"), ("c", 4, "csv")):
        (tmp_path / folder).mkdir()
        paths = {"output": str(tmp_path / folder), "data": "data"}
        cfg = OmegaConf.create({"paths": paths, "seed": seed, "logger": {"kind": logger}})
        write_environment(cfg, None)
        kept = json.loads((tmp_path / folder / FILE).read_text())
        assert kept["config_sha256"] == config_hash(cfg)
        found.append(kept["config_sha256"])
    assert found[0] == found[1] != found[2]


def test_a_repetition_with_other_values_is_no_difference_of_code_or_data(written, capsys):
    """The user has typed them: they need no note."""
    kept = json.loads((written / FILE).read_text())
    (written / FILE).write_text(json.dumps(kept | {"config_sha256": "0" * 64}))
    repeating_arguments(["--from-run", str(written), "seed=4"])
    assert capsys.readouterr().out == ""


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
    with pytest.raises(UserError, match=r"^--from-run .*not a folder of a run"):
        repeating_arguments(["--from-run", str(tmp_path)])
    with pytest.raises(UserError, match=r"^--from-run: give the folder of a run"):
        repeating_arguments(["--from-run"])


@pytest.mark.fault
def test_a_folder_of_a_stranger_runs_nothing(tmp_path):
    write_for_repetition(tmp_path, CONFIG | {"model": {"_target_": "os.system"}}, [])
    with pytest.raises(UserError, match=r"'os\.system', which is not of this package"):
        repeating_arguments(["--from-run", str(tmp_path)])
