"""Exactness: cases that were evaluated with the authors' own scripts."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from rmlr_lightning.cli.score import main

CASES = (
    Path(os.environ.get("RMLR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
    / "cases"
)
NAMES = {
    dataset: sorted(
        path.name.removesuffix(".expected.json.gz")
        for path in CASES.glob(f"{dataset}_*.expected.json.gz")
    )
    for dataset in ("hicodet", "vcoco")
}


@pytest.fixture
def score(capsys):
    def run(*arguments):
        main([*map(str, arguments), "--json"])
        return json.loads(capsys.readouterr().out)

    return run


def expected(name):
    with gzip.open(CASES / f"{name}.expected.json.gz") as file:
        return json.load(file)


needs_cases = pytest.mark.skipif(
    not NAMES["hicodet"], reason=f"no scored cases in {CASES} (set RMLR_SHARED)"
)


@needs_cases
@pytest.mark.parametrize("name", NAMES["hicodet"])
def test_hicodet(score, name):
    found = score(
        "hicodet",
        "--ground-truth",
        CASES / f"{name}.gt.json.gz",
        "--detections",
        CASES / f"{name}.det.npz",
    )
    for setting, record in expected(name).items():
        np.testing.assert_allclose(found[setting]["ap"], record["ap"], rtol=0, atol=1e-9)
        for mean in ("full", "rare", "non_rare"):
            assert found[setting][mean] == pytest.approx(record[mean], abs=1e-9)


@needs_cases
@pytest.mark.parametrize("name", NAMES["vcoco"])
def test_vcoco(score, name):
    record = expected(name)
    found = score(
        "vcoco", "--ground-truth", CASES / record["gt"], "--detections", CASES / f"{name}.det.npz"
    )
    for evaluation, key in (
        ("scenario_1", "role_scenario_1"),
        ("scenario_2", "role_scenario_2"),
        ("agent", "agent"),
    ):
        assert list(found[evaluation]["ap"]) == list(record[key]["ap"])
        for action, ap in record[key]["ap"].items():
            assert found[evaluation]["ap"][action] == pytest.approx(ap, abs=1e-6, nan_ok=True)
    for scenario in ("scenario_1", "scenario_2"):
        assert found[scenario]["mean25"] == pytest.approx(
            record[f"role_{scenario}"]["mean25_official"], abs=1e-6
        )
        mean = record[f"role_{scenario}"]["mean24_excluding_point"]
        assert found[scenario]["mean24"] == pytest.approx(mean, abs=1e-6)
    assert found["agent"]["mean26"] == pytest.approx(record["agent"]["mean26_official"], abs=1e-6)
