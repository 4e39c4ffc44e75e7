"""A configuration from elsewhere may not name foreign code."""

import os

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.load_task import checkpoint_config, load_task
from rmlr_lightning.runs.targets import TRUST, check_targets
from tests.untrained import untrained_checkpoint

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.exec",
        "subprocess.run",
        "torch.load",
        "hydra.utils.get_method",
        "rmlr_lightning.data.datamodule.torch.load",  # a module that ours has imported
        "rmlr_lightning.data.datamodule.DataLoader",
        "rmlr_lightning.files.write_atomic",
        "rmlr_lightning.cli.prepare.main",
        "${oc.env:HOME}",
        7,
    ],
)
def test_foreign_code_is_refused_by_its_name(target):
    config = {"a": [{"b": {"_target_": "torchvision.transforms.v2.Compose"}}, {"_target_": target}]}
    with pytest.raises(UserError, match=r"^a\.ckpt: .*RMLR_TRUST") as caught:
        check_targets(config, "a.ckpt")
    assert str(target) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "${oc.create:{_target_:os.mkdir,path:x}}",
        "${ oc.create : {_target_:os.mkdir}}",
        "${${name}:{_target_:os.mkdir}}",
        "${oc.${name}:{_target_:os.mkdir}}",
        "a ${first_existing:${oc.create:{a:1}},b}",
        "${oc.decode:'{_target_: os.mkdir}'}",
    ],
)
def test_interpolations_that_make_values_are_refused(text):
    with pytest.raises(UserError, match=r"^a\.ckpt: .*interpolation"):
        check_targets({"a": [{"b": text}]}, "a.ckpt")


def test_a_class_that_the_package_does_not_have_is_told_apart():
    with pytest.raises(UserError, match=r"this version of the package does not have$"):
        check_targets({"_target_": "rmlr_lightning.losses.quiet.QuietLoss"}, "a.ckpt")


def test_functions_that_write_files_are_refused():
    for target in ("scoring.export.write_vcoco_pickle", "detectors.weights.save_network"):
        with pytest.raises(UserError, match="not of this package"):
            check_targets({"_target_": f"rmlr_lightning.{target}"}, "a.ckpt")


@pytest.mark.parametrize(
    "target",
    [
        "pytorch_lightning.Trainer",
        "torchvision.transforms.v2.ColorJitter",
        "rmlr_lightning.detectors.transformers.TransformersDetector.from_file",
        "rmlr_lightning.models.attention.FeedForward",
    ],
)
def test_what_the_package_names_or_defines_is_made(target):
    check_targets({"_target_": target}, "a.ckpt")


def test_the_user_may_trust_more(monkeypatch):
    monkeypatch.setenv(TRUST, "mine.models, theirs.Head")
    check_targets([{"_target_": "mine.models.Head"}, {"_target_": "theirs.Head"}], "a.ckpt")
    for target in ("mine.modelsother.Head", "theirs.Heads"):
        with pytest.raises(UserError):
            check_targets({"_target_": target}, "a.ckpt")


def test_a_checkpoint_of_a_stranger_runs_nothing(tmp_path):
    path = untrained_checkpoint(tmp_path / "run")
    checkpoint = torch.load(path, weights_only=True)
    marker = tmp_path / "marker"
    checkpoint["config"]["model"]["irm"] = {"_target_": "os.mkdir", "path": str(marker)}
    torch.save(checkpoint, path)
    for read in (load_task, checkpoint_config):
        with pytest.raises(UserError, match=r"best\.ckpt: .*'os\.mkdir', which is not of this"):
            read(path)
    assert not os.path.exists(marker)
