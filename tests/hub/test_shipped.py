"""The model that ships with the package works before anything is trained."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from rmlr_lightning import HOIDetector
from rmlr_lightning.cli import predict
from rmlr_lightning.hub.detector import SHIPPED_FOLDER

# An image of the test split of the synthetic benchmark
EXAMPLE = Path(__file__).parents[2] / "docs" / "pictures" / "example.jpg"
RIDDEN = {("ride", "motorcycle"), ("sit_on", "motorcycle")}


@pytest.fixture(scope="module")
def shipped() -> HOIDetector:
    return HOIDetector.from_pretrained("rmlr-synthetic")


def test_it_finds_the_interaction_of_an_image(shipped):
    likely = shipped.predict(EXAMPLE).likely
    assert {(one.verb, one.object) for one in likely[:3]} >= RIDDEN


def test_it_has_a_calibration_and_its_error_was_measured(shipped):
    assert shipped.saved.calibration is not None
    assert shipped.saved.training["metrics"]["test/ece"] <= 0.05


@pytest.mark.slow
def test_its_probabilities_mean_something_on_images_that_nothing_was_fitted_on(tmp_path):
    """The bar is an expected calibration error of 5 %, which the ranking score is far from."""
    sizes = [f"++data.prepare.config.{size}" for size in ("train=20", "val=20", "test=200")]
    command = [sys.executable, "-m", "rmlr_lightning.cli.evaluate", "checkpoint=rmlr-synthetic"]
    command += [*sizes, f"paths.data={tmp_path}/data", f"out={tmp_path}/metrics.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test/ece"] <= 0.05 and metrics["test/ece_score"] > 0.1


def test_it_has_the_measured_metrics_and_the_commit_that_made_them(shipped):
    training = shipped.saved.training
    assert training["seed"] == 0 and training["name"] == "rmlr" and training["commit"]
    full = training["metrics"]["test/map_full"]
    assert full > 0.45
    assert f"| map_full | {full:.4f} |" in (SHIPPED_FOLDER / "README.md").read_text()


def test_it_is_small_because_its_detector_ships_once(shipped, tmp_path):
    assert sum(path.stat().st_size for path in SHIPPED_FOLDER.iterdir()) < 10e6
    shipped.save_pretrained(tmp_path / "complete")
    names = load_file(tmp_path / "complete" / "model.safetensors").keys()
    assert any(name.startswith("detector.") for name in names)


def test_rmlr_predict_needs_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predict.main([str(EXAMPLE)])
    record = json.loads((tmp_path / "predictions" / "example.json").read_text())
    best = record["triplets"][:3]
    assert {(one["verb"], one["object"]) for one in best} >= RIDDEN
    assert (tmp_path / "predictions" / "example.png").is_file()
