"""`rmlr-train logger=wandb` offline, with validation, images and test, read back from its log."""

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import wandb
from wandb.proto.wandb_internal_pb2 import Record

from rmlr_lightning.cli import train
from tests.cli.test_workflow import QUICK
from tests.runs.test_loggers import read_run, records

pytestmark = pytest.mark.slow

TERMS = {"interaction", "sentence_ire", "sentence_irm", "word_ire", "word_irm"}


class Logged(NamedTuple):
    """What a run has logged."""

    values: dict[str, list[Any]]  # by name, in order
    artifacts: list[Any]
    metrics: dict[str, float]  # metrics.json
    files: Path

    def last(self, name: str) -> Any:
        return self.values[name][-1]

    def table(self, name: str) -> list[dict]:
        """The rows of a table; one with images is kept among the artifacts."""
        path = self.files / self.last(name)["path"]
        if not path.is_file():
            entries = [entry for a in self.artifacts for entry in a.manifest.contents]
            (found,) = [e for e in entries if e.path.endswith(f"{name}.table.json")]
            path = Path(found.local_path)
        read = json.loads(path.read_text())
        return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


@pytest.fixture(scope="module")
def logged(world, tmp_path_factory) -> Logged:
    """One run of one epoch."""
    out = tmp_path_factory.mktemp("wandb_run")
    argv = ["rmlr-train", f"paths.data={world.parent}", f"hydra.run.dir={out}", *QUICK]
    argv += ["logger=wandb", "trainer.max_epochs=1", "callbacks.curves=null"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MODE", "offline"), ("SILENT", "true")):
            patch.setenv(f"WANDB_{name}", value)
        for name in ("DATA_DIR", "CACHE_DIR"):
            patch.setenv(f"WANDB_{name}", str(out / name))
        patch.setattr(sys, "argv", argv)
        train.main()
        wandb.teardown()  # its service writes the files, a moment later on a busy machine
    (log,) = out.glob("wandb/offline-run-*/*.wandb")
    values: dict[str, list] = {}
    artifacts = []
    for record in map(Record.FromString, records(log)):
        for name, value in _row(record.history).items():
            values.setdefault(name, []).append(value)
        if record.WhichOneof("record_type") == "artifact":
            artifacts.append(record.artifact)
    metrics = json.loads((out / "metrics.json").read_text())
    return Logged(values, artifacts, metrics, log.parent / "files")


def _row(history: Any) -> dict[str, Any]:
    """What was logged together, by name; images and tables are dictionaries of their own."""
    row: dict[str, Any] = {}
    for item in history.item:
        name, *parts = item.nested_key or [item.key]
        value = json.loads(item.value_json)
        if parts:
            row.setdefault(name, {})[parts[0]] = value
        else:
            row[name] = value
    return row


def test_loss_terms_and_their_gradients_are_groups(logged):
    losses = {name for name in logged.values if name.startswith("train/loss_")}
    assert {f"train/loss_{term}" for term in TERMS} <= losses
    gradients = {name for name in logged.values if name.startswith("gradient/")}
    assert gradients == {f"gradient/{term}" for term in TERMS}
    assert all(logged.last(name) > 0 for name in gradients)


def test_its_config_has_the_hashes_of_what_the_run_read(logged):
    out = logged.files.parents[2]
    environment = json.loads(read_run(out)["config"]["environment"])
    assert environment == json.loads((out / "environment.json").read_text())
    assert environment["text_encoder"] and environment["detector"] and environment["features"]


def test_the_cost_is_a_group(logged):
    names = {name for name in logged.values if name.startswith("cost/")}
    assert names >= {"cost/images_per_second", "cost/data_wait_share", "cost/memory_gb"}
    assert 0 <= logged.last("cost/data_wait_share") <= 1


def test_metrics_of_val_and_test_are_those_of_the_run(logged):
    of_splits = {k: v for k, v in logged.metrics.items() if k.startswith(("val/", "test/"))}
    assert {"val/map_full", "test/map_full", "test/twin_accuracy"} <= set(of_splits)
    assert {name: logged.last(name) for name in of_splits} == pytest.approx(of_splits, nan_ok=True)


@pytest.mark.parametrize("split", ["val", "test"])
def test_images_of_the_panel_have_predicted_and_true_boxes(split, logged):
    panel = logged.last(f"panel/{split}")
    assert panel["_type"] == "images/separated" and len(panel["filenames"]) == 6
    assert all((logged.files / name).is_file() for name in panel["filenames"])
    boxes = panel["all_boxes"]
    groups = {
        f"{kind} {part}" for kind in ("detected", "annotated") for part in ("human", "object")
    }
    assert all(set(image) == groups for image in boxes)
    read = {
        group: [box for image in boxes for box in _boxes(logged.files / image[group]["path"])]
        for group in groups
    }
    assert all("scores" in box for box in read["detected human"])
    assert read["annotated human"] and len(read["annotated human"]) == len(read["annotated object"])


def _boxes(path: Path) -> list[dict]:
    return json.loads(path.read_text())["box_data"]


def test_the_table_of_classes_has_ap_with_annotated_pairs(logged):
    rows = logged.table("per_class/test")
    mean = sum(row["AP %"] for row in rows) / len(rows)
    assert mean == pytest.approx(100 * logged.metrics["test/map_full"], rel=1e-5)
    assert sum(row["annotated"] for row in rows) == logged.metrics["test/selection_interactions"]


def test_curves_of_precision_are_a_table(logged):
    keys = {row["lineKey"] for row in logged.table("per_class/precision_recall_table")}
    assert keys >= {"full", "rare", "non_rare"}


def test_five_objects_have_a_matrix_of_their_verbs(logged):
    names = [name for name in logged.values if re.fullmatch(r"confusion/\d_\w+_table", name)]
    assert sorted(name.split("/")[1][0] for name in names) == list("12345")
    sizes = [sum(row["nPredictions"] for row in logged.table(name)) for name in sorted(names)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 0


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("confusion/verbs", {"object", "annotated verb", "best verb", "pairs"}),
        ("errors/test", {"type", "cost, mAP %"}),
        ("images/test", {"image", "detected", "annotated"}),
        ("attention/words", {"image", "word", "weight %"}),
    ],
)
def test_confusion_errors_images_and_attention_are_tables(name, columns, logged):
    rows = logged.table(name)
    assert rows and columns <= set(rows[0])


# wandb-workspaces 0.4 uses pydantic's old decorators
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_run_has_every_name_of_the_dashboard(logged):
    pytest.importorskip("wandb_workspaces", reason="needs rmlr-lightning[dashboard]")
    from rmlr_lightning.report.wandb_workspace import workspace

    names = set()
    for section in workspace("team").sections:
        for panel in section.panels:
            names |= set(_names(panel))
    assert {"test/map_full", "train/loss", "panel/val", "per_class/test", "epoch"} <= names
    if not torch.cuda.is_available():
        names.remove("cost/gpu_gb")
    assert names - set(logged.values) == set()


def _names(panel: Any) -> list[str]:
    """What a panel refers to."""
    kind = type(panel).__name__
    if kind == "BarPlot":
        return [metric.name for metric in panel.metrics]
    if kind == "LinePlot":
        return [panel.x, *panel.y]
    if kind == "MediaBrowser":
        return panel.media_keys
    if kind == "WeavePanelSummaryTable":
        return [panel.table_name]
    assert kind == "RunComparer"
    return []
