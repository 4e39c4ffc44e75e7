"""A split's metrics: a fake one needs only its constructor; prefix and table rows follow."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from torchmetrics import Metric

from rmlr_lightning.metrics import HICODetMeanAP
from rmlr_lightning.metrics.base import TableRow
from rmlr_lightning.metrics.vcoco_metric import VCOCORoleAP
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.tasks.metrics import SplitMetrics
from tests.metrics import tiny_worlds as worlds


class CountOfDetections(Metric):
    table = (TableRow("Detections", {"per image": "detections_per_image"}),)
    full_state_update = False

    def __init__(self, vocabulary, unseen, split):
        super().__init__()
        self.made_with = (vocabulary, unseen, split)
        self.add_state("rows", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, found, targets):
        self.rows += sum(len(item.scores) for item in found)
        self.count += len(targets)

    def compute(self):
        return {"detections_per_image": self.rows / self.count}


def test_a_new_metric_is_its_constructor():
    constructors = {"hicodet": HICODetMeanAP, "count": CountOfDetections, "left_out": None}
    metrics = SplitMetrics("val", constructors, worlds.VOCABULARY, frozenset({2}))
    assert metrics.metrics["count"].made_with == (worlds.VOCABULARY, frozenset({2}), "val")
    box = (0, 0, 10, 10)
    found = [worlds.detections([(0, 0, box, box, 0.5)] * 3), worlds.detections([])]
    metrics.update(found, [worlds.target(0, [(0, box, box)]), worlds.target(1, [])])
    values = metrics.compute()
    assert values["val/detections_per_image"] == 1.5
    assert values["val/map_full"] == pytest.approx(0.2)
    assert {"val/map_unseen", "val/map_seen"} < values.keys()
    assert "val/known_object_map_full" not in values
    assert metrics.table[-1] == TableRow("Detections", {"per image": "val/detections_per_image"})
    assert metrics.table[0].columns["full"] == "val/map_full"
    assert all(value.dtype == torch.float32 for value in values.values())


def test_computing_starts_the_metrics_anew():
    metrics = SplitMetrics("test", {"count": CountOfDetections}, worlds.VOCABULARY)
    for rows in (2, 4):
        metrics.update([worlds.detections([(0, 0, (0,) * 4, (0,) * 4, 0.5)] * rows)], [None])
        assert metrics.compute() == {"test/detections_per_image": rows}


def test_a_constructor_may_return_none():
    metrics = SplitMetrics("val", {"none": lambda **_: None}, worlds.VOCABULARY)
    assert not metrics.metrics and metrics.table == ()


def test_two_metrics_with_one_key_are_refused():
    constructors = {"first": CountOfDetections, "second": CountOfDetections}
    metrics = SplitMetrics("val", constructors, worlds.VOCABULARY)
    metrics.update([worlds.detections([])], [None])
    with pytest.raises(ValueError, match="metric second: another metric also computes"):
        metrics.compute()


class Roles(CountOfDetections):
    table = (TableRow("Scenario 1", {"24 roles": "role_ap_s1"}),)
    replaces = "hicodet"


def test_a_metric_is_shown_in_the_place_of_the_one_it_replaces():
    both = {"hicodet": HICODetMeanAP, "roles": Roles}
    metrics = SplitMetrics("test", both, worlds.VOCABULARY)
    assert metrics.table == (TableRow("Scenario 1", {"24 roles": "test/role_ap_s1"}),)
    # without official files there are no roles, and the mAP is all there is
    alone = SplitMetrics("test", both | {"roles": lambda **_: None}, worlds.VOCABULARY)
    assert alone.table[0].title == "Default"


@pytest.mark.fault
def test_means_over_no_class_are_no_metrics():
    vocabulary = worlds.VOCABULARY._replace(rare=frozenset())
    metrics = SplitMetrics("val", {"hicodet": HICODetMeanAP}, vocabulary)
    box = (0, 0, 10, 10)
    metrics.update([worlds.detections([])], [worlds.target(0, [(0, box, box)])])
    values = metrics.compute()
    assert "val/map_full" in values and "val/map_rare" not in values
    assert not any(value.isnan() for value in values.values())


def test_role_ap_replaces_a_metric_of_its_config():
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["data=vcoco", "metrics=vcoco"])
    assert VCOCORoleAP.replaces in cfg.metrics and "roles" in cfg.metrics
