"""The dashboard as an object; nothing is sent."""

import json
import math

import pytest

from rmlr_lightning.cli.report import main
from rmlr_lightning.runs.sweep_members import LIST
from tests.report.made_up import make_run

pytest.importorskip(
    "wandb_workspaces", reason="needs rmlr-lightning[dashboard]: pip install wandb-workspaces"
)

# wandb-workspaces 0.4 uses pydantic's old decorators
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_the_workspace_groups_seeds_and_has_results_curves_tables_and_cost(tmp_path):
    path = tmp_path / "workspace.json"
    main(["wandb", "team", "--sweep", "multirun/ablation", "--json", str(path)])
    view = json.loads(path.read_text())
    assert (view["entity"], view["project"]) == ("team", "rmlr_lightning")
    section = view["spec"]["section"]
    bank = {part["name"]: part["panels"] for part in section["panelBankConfig"]["sections"]}
    assert list(bank) == ["Results by row", "Curves", "Classes", "Images", "Loss terms", "Cost"]
    bars = [panel["config"] for panel in bank["Results by row"]]
    assert {bar["metrics"][0].removeprefix("summary_metrics.") for bar in bars} >= {
        "test/map_full",
        "test/twin_accuracy",
    }
    # a bar is the mean over the seeds of a row, its whisker their spread
    assert all(
        (b["groupBy"], b["groupAgg"], b["groupArea"]) == ("group", "mean", "stddev") for b in bars
    )
    text = path.read_text()
    for name in ("per_class/test", "panel/val", "gradient/word_ire", "cost/data_wait_share"):
        assert name in text
    norms = [p["config"] for p in bank["Loss terms"] if "gradient/" in str(p["config"]["metrics"])]
    assert {norm["yAxisTitle"] for norm in norms} == {"norm at pair tokens and logits"}
    (runs,) = section["runSets"]
    assert runs["grouping"][0]["name"] == "group" and "multirun/ablation" in json.dumps(runs)


def dashboard_of(folder, metrics: dict[str, float], *options: str) -> dict[str, list]:
    """The panels by section, of the dashboard of a sweep whose one run has these metrics."""
    run = make_run(folder / "a")
    (run / "metrics.json").write_text(json.dumps({"fit_seconds": 9.0} | metrics))
    (folder / LIST).write_text("{}")
    path = folder / "workspace.json"
    main(["wandb", "team", "--sweep", str(folder), "--json", str(path), *options])
    view = json.loads(path.read_text())
    sections = view["spec"]["section"]["panelBankConfig"]["sections"]
    return {part["name"]: [panel["config"] for panel in part["panels"]] for part in sections}


def bars(bank: dict[str, list]) -> list[str]:
    return [b["metrics"][0].removeprefix("summary_metrics.") for b in bank["Results by row"]]


TESTED = {
    "test/map_unseen": math.nan,
    "val/map_full": 0.2,
    "test/map_full": 0.3,
    "test/twin_accuracy": 0.9,
}
UNTESTED = {"test/map_unseen": math.nan, "val/map_full": 0.2, "val/map_rare": 0.1, "val/ece": 0.1}
VCOCO = {"val/map_full": 0.2, "val/role_ap_s1": 0.4} | {
    f"test/{key}": 0.5 for key in ("role_ap_s2", "map_full", "agent_ap", "role_ap_s1")
}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (TESTED, ["test/map_full", "test/twin_accuracy"]),
        (UNTESTED, ["val/map_full", "val/map_rare"]),
        (VCOCO, ["test/role_ap_s1", "test/role_ap_s2", "test/agent_ap"]),
    ],
    ids=["test", "test=false", "V-COCO"],
)
def test_bars_are_the_metrics_that_the_runs_of_the_sweep_have(metrics, expected, tmp_path):
    assert bars(dashboard_of(tmp_path, metrics)) == expected


def test_the_split_can_be_chosen(tmp_path):
    assert bars(dashboard_of(tmp_path, TESTED, "--split", "val")) == ["val/map_full"]


def test_a_sweep_without_finished_runs_gets_the_usual_metrics(tmp_path):
    usual = ["test/map_full", "test/map_rare", "test/map_non_rare", "test/twin_accuracy"]
    assert bars(dashboard_of(tmp_path, {})) == usual


def test_a_sweep_on_val_has_no_panels_of_a_test(tmp_path):
    bank = dashboard_of(tmp_path, UNTESTED)
    assert list(bank) == ["Results by row", "Curves", "Images", "Loss terms", "Cost"]
    assert [image["mediaKeys"] for image in bank["Images"]] == [["panel/val"]]
    assert "test" not in json.dumps(bank)


def test_the_curve_of_validation_is_the_main_metric(tmp_path):
    validation, _ = dashboard_of(tmp_path, VCOCO)["Curves"]
    assert validation["metrics"] == ["val/role_ap_s1"]
    assert validation["chartTitle"] == "role AP, Scenario 1 on val"


def selected_sweep(folder: str, path) -> str:
    """The job type that the dashboard of a sweep folder shows."""
    main(["wandb", "team", "--sweep", folder, "--json", str(path), "--overwrite"])
    (runs,) = json.loads(path.read_text())["spec"]["section"]["runSets"]
    (condition,) = runs["filters"]["filters"]
    assert condition["key"]["name"] == "jobType"
    return condition["value"]


def test_a_sweep_is_found_however_its_folder_is_typed(tmp_path, monkeypatch, capsys):
    """By what its runs log (tests/runs/test_wandb_names.py)."""
    work, link = tmp_path / "work", tmp_path / "home"
    folder = work / "multirun" / "a"
    folder.mkdir(parents=True)
    (folder / LIST).write_text("{}")
    link.symlink_to(work)
    monkeypatch.chdir(work)
    for typed in ("multirun/a", "multirun/a//", "./multirun/a", folder, f"{link}/multirun/a/"):
        assert selected_sweep(str(typed), tmp_path / "workspace.json") == "multirun/a"
    assert capsys.readouterr().err == ""


@pytest.mark.fault
def test_a_folder_without_a_sweep_gets_a_note(tmp_path, monkeypatch, capsys):
    """The runs may be of another machine."""
    monkeypatch.chdir(tmp_path)
    assert selected_sweep("multirun/nope/", tmp_path / "w.json") == "multirun/nope"
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note: multirun/nope: no sweep was started here")


@pytest.mark.fault
def test_without_a_login_saving_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(SystemExit) as caught:
        main(["wandb", "team"])
    error = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 2 and "`wandb login`" in error and "--json" in error
