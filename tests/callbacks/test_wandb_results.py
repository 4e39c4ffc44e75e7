"""A real offline run of Weights & Biases, read back; and boxes as its pages draw them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import wandb
from PIL import Image
from pytorch_lightning.loggers import WandbLogger
from wandb.proto.wandb_internal_pb2 import Record

from rmlr_lightning.callbacks.test_record import KeepTestRecord
from rmlr_lightning.callbacks.wandb_images import (
    annotated_pairs,
    detected_pairs,
    wandb_image,
)
from rmlr_lightning.callbacks.wandb_results import WandbResults
from rmlr_lightning.drawing.thumbnail import thumbnail
from tests.metrics import tiny_worlds as worlds
from tests.report.made_up import VOCABULARY, record_of, results
from tests.runs.test_loggers import records

SHOWN = 3


@pytest.fixture(autouse=True)
def no_settings_are_left(monkeypatch):
    """W&B reads its environment once per process: what it has read here is forgotten."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    yield
    wandb.teardown()


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The record of a test, the files of its offline run, and the artifacts that it logged."""
    out = tmp_path_factory.mktemp("wandb")
    patch = pytest.MonkeyPatch()
    for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DATA_DIR", str(out / "data"))):
        patch.setenv(f"WANDB_{name}", value)
    record = record_of(results())
    keeper = KeepTestRecord(str(out))
    keeper.record = record
    jpeg = thumbnail(Image.new("RGB", (40, 40), "teal"), 40)
    keeper.thumbnails = dict.fromkeys(record.file_names[:SHOWN], jpeg)

    best = out / "best.ckpt"
    best.write_bytes(b"weights")
    cached = SimpleNamespace(stores=[SimpleNamespace(key="k" * 8, path=out / "features")])
    trainer = SimpleNamespace(
        loggers=[WandbLogger(save_dir=str(out), project="p", offline=True)],
        callbacks=[keeper],
        is_global_zero=True,
        global_step=7,
        current_epoch=2,
        checkpoint_callback=SimpleNamespace(best_model_path=str(best)),
        datamodule=SimpleNamespace(dataset=lambda split: cached),
    )
    callback = WandbResults(checkpoint=True)
    callback.on_fit_end(trainer, SimpleNamespace(commit="abc1234"))
    callback.on_test_end(trainer, None)
    trainer.loggers[0].experiment.finish()
    wandb.teardown()  # its service writes the files, a moment later on a busy machine
    patch.undo()
    (run,) = out.glob("wandb/offline-run-*")
    (log,) = run.glob("*.wandb")
    kept = [Record.FromString(data) for data in records(log)]
    return record, run / "files", kept


def table(files: Path, name: str) -> list[dict]:
    """The rows of a logged table."""
    (path,) = files.glob(f"media/table/{name}_*.table.json")
    read = json.loads(path.read_text())
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


@pytest.mark.slow
def test_the_table_of_classes_has_ap_and_counts(logged):
    record, files, _ = logged
    matched = record.matched["default"]
    rows = table(files, "per_class/test")
    assert [row["class"] for row in rows] == matched.names
    assert [row["AP %"] for row in rows] == pytest.approx((100 * matched.ap()).tolist())
    assert [row["annotated"] for row in rows] == matched.positives.tolist()
    assert [row["rare"] for row in rows] == [hoi in VOCABULARY.rare for hoi in range(5)]


@pytest.mark.slow
def test_the_curve_of_each_mean_has_the_ap_as_its_mean(logged):
    record, files, _ = logged
    matched = record.matched["default"]
    rows = table(files, "per_class/precision_recall_table")
    full = [row["lineVal"] for row in rows if row["lineKey"] == "full"]
    assert len(full) == 11 and np.mean(full) == pytest.approx(matched.ap().mean())


@pytest.mark.slow
def test_confused_verbs_errors_and_words_are_tables(logged):
    record, files, _ = logged
    assert sum(row["pairs"] for row in table(files, "confusion/verbs")) == record.confusion.sum()
    verbs = {row["annotated verb"] for row in table(files, "confusion/verbs")}
    assert "b b" in verbs  # "b_b" in the words of the page
    errors = {row["type"]: row["cost, mAP %"] for row in table(files, "errors/test")}
    costs = {name.replace("_", " "): e["cost"] for name, e in record.facts["errors"].items()}
    assert errors == pytest.approx({name: 100 * cost for name, cost in costs.items()})


@pytest.mark.slow
def test_objects_with_the_most_pairs_have_a_matrix_of_their_verbs(logged):
    record, files, _ = logged
    pairs = record.confusion.sum(axis=(1, 2))
    obj = int(pairs.argmax())
    rows = table(files, f"confusion/1_{VOCABULARY.objects[obj].replace(' ', '_')}_table")
    matrix = {(row["Actual"], row["Predicted"]): row["nPredictions"] for row in rows}
    verbs = [verb.replace("_", " ") for verb in VOCABULARY.verbs]
    assert sum(matrix.values()) == pairs[obj]
    for place in np.argwhere(record.confusion[obj]).tolist():
        assert matrix[verbs[place[0]], verbs[place[1]]] == record.confusion[obj][tuple(place)]


def logged_table(kept, name: str) -> list[list]:
    """The rows of a table with images: an artifact, whose files `wandb sync` uploads."""
    entries = [
        entry
        for record in kept
        if record.WhichOneof("record_type") == "artifact"
        for entry in record.artifact.manifest.contents
    ]
    (path,) = [e.local_path for e in entries if e.path.endswith(f"{name}.table.json")]
    return json.loads(Path(path).read_text())["data"]


@pytest.mark.slow
def test_attention_has_the_boxes_of_the_pair_and_the_weights_of_words(logged):
    *_, kept = logged
    rows = logged_table(kept, "attention/words")
    assert [row[-1] for row in rows] == [75, 25]
    for image, phrases, *_ in rows:
        assert image["caption"] == phrases
        assert set(image["boxes"]) == {"annotated human", "annotated object"}


@pytest.mark.slow
def test_images_have_their_annotations_beside_the_detections(logged):
    *_, kept = logged
    rows = logged_table(kept, "images/test")
    assert len(rows) == SHOWN
    for _, _, detected, annotated in rows:
        assert set(detected["boxes"]) == {"detected human", "detected object"}
        assert set(annotated["boxes"]) == {"annotated human", "annotated object"}


@pytest.mark.slow
def test_the_checkpoint_is_an_artifact_that_names_its_scene_cache(logged):
    *_, kept = logged
    artifacts = [r.artifact for r in kept if r.WhichOneof("record_type") == "artifact"]
    (model,) = [artifact for artifact in artifacts if artifact.type == "model"]
    metadata = json.loads(model.metadata)
    assert metadata["commit"] == "abc1234" and list(metadata["scene_caches"]) == ["k" * 8]
    assert [entry.path for entry in model.manifest.contents] == ["best.ckpt"]


class OnlineRun:
    """Keeps in order what a run takes and gives."""

    id, offline = "abcd1234", False

    def __init__(self):
        self.used_and_logged = []

    def use_artifact(self, artifact):
        self.used_and_logged.append(("used", artifact))

    def log_artifact(self, artifact):
        self.used_and_logged.append(("logged", artifact))


@pytest.fixture
def lineage(tmp_path):
    """What an online run uses and logs: two scene caches, and its best checkpoint."""
    best = tmp_path / "best.ckpt"
    best.write_bytes(b"weights")
    stores = [SimpleNamespace(key=key * 8, path=tmp_path / f"cache #{key}") for key in "ab"]
    for store in stores:
        store.path.mkdir()
        (store.path / "manifest.json").write_text("{}")
    logger = WandbLogger(experiment=OnlineRun())
    trainer = SimpleNamespace(
        loggers=[logger],
        is_global_zero=True,
        current_epoch=2,
        checkpoint_callback=SimpleNamespace(best_model_path=str(best)),
        datamodule=SimpleNamespace(dataset=lambda split: SimpleNamespace(stores=stores)),
    )
    WandbResults(checkpoint=True).on_fit_end(trainer, SimpleNamespace(commit="abc1234"))
    return stores, logger.experiment.used_and_logged


def test_an_online_run_uses_its_scene_caches_and_then_logs_its_checkpoint(lineage):
    _, steps = lineage
    assert [(verb, artifact.type, artifact.name) for verb, artifact in steps] == [
        ("used", "scene-cache", "scenes-aaaaaaaa"),
        ("used", "scene-cache", "scenes-bbbbbbbb"),
        ("logged", "model", "checkpoint-abcd1234"),
    ]


def test_a_scene_cache_is_a_reference_to_its_folder(lineage):
    stores, steps = lineage
    for store, (_, cache) in zip(stores, steps, strict=False):
        (entry,) = cache.manifest.entries.values()
        assert entry.ref == f"{store.path.as_uri()}/manifest.json" and entry.local_path is None


def test_the_checkpoint_of_an_online_run_is_its_file(lineage):
    _, steps = lineage
    (entry,) = steps[-1][1].manifest.entries.values()
    assert entry.path == "best.ckpt" and entry.ref is None and entry.size == len(b"weights")


def test_boxes_are_shares_of_the_image_with_class_and_score():
    target = worlds.target(0, [(0, (0, 0, 5, 10), (-5, 5, 20, 10))])
    found = worlds.detections(
        [(0, 0, (0, 0, 5, 5), (5, 5, 10, 10), 0.9), (1, 0, (0, 0, 1, 1), (0, 0, 1, 1), 0.1)]
    )
    pairs = detected_pairs(found, worlds.VOCABULARY, threshold=0.5, limit=9)
    groups = {"detected": pairs, "annotated": annotated_pairs(target)}
    image = wandb_image(Image.new("RGB", (20, 20)), (10, 10), groups, worlds.VOCABULARY)
    boxes = {name: group._val for name, group in image._boxes.items()}
    (human,), (outside,) = boxes["detected human"], boxes["annotated object"]
    assert human["position"] == {"minX": 0.0, "minY": 0.0, "maxX": 0.5, "maxY": 0.5}
    assert (human["class_id"], human["scores"]) == (0, {"score": pytest.approx(0.9)})
    assert human["box_caption"] == f"{worlds.VOCABULARY.hoi_name(0)} 0.90"
    # cut at the border; annotations have no score
    assert outside["position"] == {"minX": 0.0, "minY": 0.5, "maxX": 1.0, "maxY": 1.0}
    assert "scores" not in outside


def test_a_box_without_area_is_left_out():
    nan = float("nan")
    pairs = annotated_pairs(worlds.target(0, [(0, (0, 0, 0, 4), (nan, nan, nan, nan))]))
    image = wandb_image(Image.new("RGB", (9, 9)), (9, 9), {"a": pairs}, worlds.VOCABULARY)
    assert [group._val for group in image._boxes.values()] == [[], []]


def test_other_loggers_get_no_results(tmp_path):
    keeper = KeepTestRecord(str(tmp_path))
    keeper.record = record_of(results())
    trainer = SimpleNamespace(loggers=[object()], callbacks=[keeper], is_global_zero=True)
    trainer.checkpoint_callback = None
    assert WandbResults().on_test_end(trainer, None) is None
