"""HOIDetector: saved, read, used and uploaded as in other libraries."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard, hub_mixin
from safetensors.torch import load_file, save_file

from rmlr_lightning import HOIDetector
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.detector import load_detector
from rmlr_lightning.hub.saved_model import rounded
from tests.tiny_detectors import tiny_detector

RESIZE = {"_target_": "rmlr_lightning.data.transforms.ResizeExact", "height": 160, "width": 224}


def changed(folder, tmp_path, **values):
    """A copy of the folder with other values in its config.json."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | values))
    return copy


def test_a_folder_holds_weights_and_plain_values_only(folder):
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
    }


def test_a_folder_holds_detector_and_head_and_nothing_of_training(folder):
    names = load_file(folder / "model.safetensors").keys()
    assert {name.partition(".")[0] for name in names} == {"detector", "remine", "ire", "irm"}


def test_a_saved_model_gives_the_interactions_of_its_checkpoint(from_checkpoint, folder, image):
    expected = from_checkpoint.predict(image).triplets
    assert expected and HOIDetector.from_pretrained(folder).predict(image).triplets == expected


def test_a_saved_model_is_saved_again_without_a_change(folder, tmp_path):
    HOIDetector.from_pretrained(str(folder)).save_pretrained(tmp_path / "again")
    for name in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_card_has_the_measured_metrics_and_how_they_were_made(folder):
    card = ModelCard.load(folder / "README.md")
    assert card.data.to_dict()["library_name"] == "rmlr_lightning"
    assert "| map_full | 0.5125 |" in card.text
    assert "nan" not in card.text and "0.2500" not in card.text  # of val
    assert "seed: 0" in card.text and "abc1234" in card.text
    assert "instances_test2015.json" in card.text


def test_metrics_are_not_taken_for_another_checkpoint_of_the_run(checkpoint, tmp_path):
    last = checkpoint.with_name("last.ckpt")
    shutil.copy(checkpoint, last)
    HOIDetector.from_checkpoint(last).save_pretrained(tmp_path / "saved")
    assert "None is recorded" in (tmp_path / "saved" / "README.md").read_text()
    detector = HOIDetector.from_checkpoint(last, checkpoint.parents[1] / "metrics.json")
    assert detector.saved.training["metrics"] == {"test/map_full": 0.5125}


@pytest.mark.fault
def test_an_upload_without_a_network_is_one_line(from_checkpoint, monkeypatch):
    class ConnectError(Exception):
        """Of the hub's client: neither an OSError nor a class of huggingface_hub."""

    def refuse(self, *args, **options):
        raise ConnectError("Name or service not known\nand more lines")

    monkeypatch.setattr(hub_mixin.HfApi, "create_repo", refuse)
    with pytest.raises(UserError, match=r"cannot be uploaded .*Name or service not known.$"):
        from_checkpoint.push_to_hub("someone/model")


def test_a_saved_model_replaces_nothing_unless_it_is_told_to(from_checkpoint, tmp_path):
    (tmp_path / "config.json").write_text("the user's")
    with pytest.raises(UserError, match="exists"):
        from_checkpoint.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == "the user's"
    from_checkpoint.save_pretrained(tmp_path, overwrite=True)
    assert HOIDetector.from_pretrained(tmp_path)


def test_an_upload_holds_the_files_of_a_folder(from_checkpoint, folder, monkeypatch):
    uploads = []

    class Hub:
        def __init__(self, token=None):
            assert token == "secret"

        def create_repo(self, repo_id, private, exist_ok):
            return SimpleNamespace(repo_id=repo_id)

        def upload_folder(self, repo_id, folder_path, **options):
            files = {path.name: path.read_bytes() for path in folder_path.iterdir()}
            uploads.append((repo_id, files))
            return "address"

    monkeypatch.setattr(hub_mixin, "HfApi", Hub)
    assert from_checkpoint.push_to_hub("someone/model", token="secret") == "address"
    expected = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert uploads == [("someone/model", expected)]


def test_an_upload_that_fails_is_one_line(from_checkpoint, monkeypatch):
    class Hub:
        def __init__(self, token=None):
            raise OSError("no network\nmore")

    monkeypatch.setattr(hub_mixin, "HfApi", Hub)
    with pytest.raises(UserError, match=r"^someone/model: cannot be uploaded .*\(no network\)$"):
        from_checkpoint.push_to_hub("someone/model")


def test_a_hub_id_without_a_network_is_one_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"^someone/model: neither .* from the hub") as info:
        HOIDetector.from_pretrained("someone/model")
    assert "\n" not in str(info.value)


@pytest.mark.fault
def test_an_option_that_it_does_not_have_is_refused(folder):
    with pytest.raises(UserError, match=r'^from_pretrained: device is none .*to\("cuda"\) moves'):
        HOIDetector.from_pretrained(folder, device="cuda")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"library_name": "timm"}, "not of rmlr_lightning's HOIDetector"),
        ({"format": 99}, "has format 99"),
        ({"model": {"_target_": "os.system", "command": "true"}}, "names 'os.system'"),
        ({"resize": {"_target_": "rmlr_lightning.models.remine.torch.load"}}, "which is not a"),
        ({"resize": {"_target_": "rmlr_lightning.files.write_atomic"}}, "which is not a"),
        ({"model": {"remine": {"checkpoint_path": "x.pth"}}}, "has the option checkpoint_path"),
        ({"detector": {"network": {"attn_implementation": "a/b"}}}, "attn_implementation, which"),
        ({"vocabulary": {"verbs": []}}, "config.json is damaged"),
        ({"training": {}}, "the training in config.json is damaged"),
        ({"resize": RESIZE | {"height": None}}, "config.json is damaged"),
        ({"resize": RESIZE | {"height": -160}}, "size of images is negative"),
        ({"calibration": {"slope": -1.0}}, "config.json is damaged"),
        # a resolver of OmegaConf would make a dictionary of it, and Hydra an object of that
        ({"resize": {"x": "${oc.create:{_target_:os.getcwd}}"}}, "has an interpolation, x"),
        ({"resize": {"${oc.env:HOME}": 1}}, "has an interpolation"),
        ({"resize": {"_target_": "rmlr_lightning.ops.selection.Selection"}}, "is no model"),
        ({"resize": {"_target_": "rmlr_lightning.models.hoi.Nothing"}}, "which is not a module"),
    ],
)
def test_a_config_of_a_stranger_is_refused_and_runs_nothing(folder, tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        HOIDetector.from_pretrained(changed(folder, tmp_path, **values))


@pytest.mark.fault
def test_a_model_with_a_part_of_the_users_own_is_not_saved(from_checkpoint, tmp_path):
    """It could not be read again."""
    saved = from_checkpoint.saved
    parts = saved.parts | {"ire": {"_target_": "my_package.IRE", "_partial_": True}}
    with pytest.raises(UserError, match=r"cannot be saved as a folder: .*'my_package\.IRE'"):
        HOIDetector(saved._replace(parts=parts)).save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").iterdir())


@pytest.mark.fault
def test_the_folder_of_a_run_names_its_checkpoint(checkpoint, caplog):
    with pytest.raises(UserError, match=r"no config\.json there; .* is .*/best\.ckpt$"):
        HOIDetector.from_pretrained(checkpoint.parents[1])
    assert not caplog.records  # of huggingface_hub, beside the one line


def test_folders_that_hold_no_model_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json there$"):
        HOIDetector.from_pretrained(tmp_path)
    copy = changed(folder, tmp_path)
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no model\.safetensors there"):
        HOIDetector.from_pretrained(copy)
    (copy / "model.safetensors").write_bytes(b"noise")
    with pytest.raises(UserError, match="not readable"):
        HOIDetector.from_pretrained(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(UserError, match="neither a folder with a model"):
        HOIDetector.from_pretrained(copy)


def test_weights_of_another_model_or_detector_are_refused(folder, tmp_path):
    copy = changed(folder, tmp_path)
    state = load_file(copy / "model.safetensors")
    name = next(name for name in state if name.startswith("detector."))
    save_file(state | {name: state[name] + 1}, copy / "model.safetensors")
    with pytest.raises(UserError, match="detector's weights are not those"):
        HOIDetector.from_pretrained(copy)
    del state["irm.classify.bias"]
    save_file(state, copy / "model.safetensors")
    with pytest.raises(UserError, match=r"weights that differ: 1, such as irm\.classify\.bias"):
        HOIDetector.from_pretrained(copy)


def test_a_reference_to_the_shipped_detector_replaces_its_weights(from_checkpoint, tmp_path, image):
    light = HOIDetector(from_checkpoint.saved._replace(shipped_detector=True))
    light.save_pretrained(tmp_path / "light")
    names = load_file(tmp_path / "light" / "model.safetensors").keys()
    assert not any(name.startswith("detector.") for name in names)
    read = HOIDetector.from_pretrained(tmp_path / "light")
    assert read.predict(image).triplets == from_checkpoint.predict(image).triplets
    # what is read from it is complete again
    read.save_pretrained(tmp_path / "full")
    names = load_file(tmp_path / "full" / "model.safetensors").keys()
    assert any(name.startswith("detector.") for name in names)


def test_only_the_shipped_detector_can_be_referenced(from_checkpoint, tmp_path):
    model = from_checkpoint.model
    other = SimpleNamespace(detector=tiny_detector(), state_dict=model.state_dict)
    saved = from_checkpoint.saved._replace(model=other, shipped_detector=True)
    detector = HOIDetector(from_checkpoint.saved)
    detector.saved = saved
    with pytest.raises(UserError, match="not the shipped one"):
        detector.save_pretrained(tmp_path / "saved")


def test_rounded_matrices_take_half_the_space(folder, tmp_path):
    HOIDetector(rounded(HOIDetector.from_pretrained(folder).saved)).save_pretrained(
        tmp_path / "half"
    )
    state = load_file(tmp_path / "half" / "model.safetensors")
    assert state["irm.classify.weight"].dtype == torch.float16
    assert state["irm.classify.bias"].dtype == torch.float32


def test_a_detector_is_loaded_by_checkpoint_or_folder(checkpoint, folder):
    for name in (checkpoint, folder):
        assert isinstance(load_detector(name), HOIDetector)
    with pytest.raises(UserError, match="no such checkpoint"):
        load_detector("nowhere.ckpt")
    with pytest.raises(UserError, match="from_checkpoint reads checkpoints"):
        HOIDetector.from_pretrained(checkpoint)
