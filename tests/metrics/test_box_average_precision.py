import contextlib
import io
import math

import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rmlr_lightning.metrics.box_average_precision import BoxAveragePrecision

OBJECTS = ("person", "robot arm", "cup", "never there")


def scenes(images: int = 12) -> tuple[list[dict], list[dict]]:
    """Detections near annotated boxes of three sizes, some with another class."""
    generator = torch.Generator().manual_seed(5)
    found, truth = [], []
    for _ in range(images):
        count = int(torch.randint(1, 5, (), generator=generator))
        corner = torch.rand(count, 2, generator=generator) * 200
        sides = torch.tensor([20.0, 60.0, 150.0])[torch.randint(0, 3, (count, 1))]
        boxes = torch.cat([corner, corner + sides * (0.8 + torch.rand(count, 2))], 1)
        labels = torch.randint(0, 3, (count,), generator=generator)
        truth.append({"boxes": boxes, "labels": labels, "iscrowd": torch.zeros_like(labels)})
        near = (boxes + torch.randn(count, 4, generator=generator) * 4).repeat(2, 1)
        wrong = torch.rand(2 * count, generator=generator) < 0.2
        detected = torch.where(wrong, (labels.repeat(2) + 1) % 3, labels.repeat(2))
        scores = torch.rand(2 * count, generator=generator)
        found.append({"boxes": near, "scores": scores, "labels": detected})
    return found, truth


def pycocotools_of_class(found, truth, label: int) -> tuple[float, float]:
    """AP and AP50 of one class, by pycocotools."""
    rows, detections = [], []
    for image, (one, true) in enumerate(zip(found, truth, strict=True)):
        for x1, y1, x2, y2 in true["boxes"][true["labels"] == label].tolist():
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            rows.append(
                {"id": len(rows) + 1, "image_id": image, "category_id": 0, "iscrowd": 0} | box
            )
        of_class = one["labels"] == label
        for (x1, y1, x2, y2), score in zip(
            one["boxes"][of_class].tolist(), one["scores"][of_class].tolist(), strict=True
        ):
            box = [x1, y1, x2 - x1, y2 - y1]
            detections.append({"image_id": image, "category_id": 0, "bbox": box, "score": score})
    coco = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        images = [{"id": image} for image in range(len(truth))]
        coco.dataset = {"images": images, "annotations": rows, "categories": [{"id": 0}]}
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0], evaluation.stats[1]


@pytest.fixture(scope="module")
def values():
    torch.manual_seed(0)
    found, truth = scenes()
    metric = BoxAveragePrecision(OBJECTS, "test")
    metric.update(found[:5], truth[:5])
    metric.update(found[5:], truth[5:])
    return metric.compute(), found, truth


def test_each_class_has_the_ap_of_pycocotools(values):
    values, found, truth = values
    for label, name in enumerate(OBJECTS[:3]):
        ap, ap50 = pycocotools_of_class(found, truth, label)
        key = name.replace(" ", "_")
        assert values[f"test/ap_{key}"].item() == pytest.approx(ap, abs=1e-6)
        assert values[f"test/ap50_{key}"].item() == pytest.approx(ap50, abs=1e-6)
        assert 0 < ap < ap50 <= 1


def test_ap_is_the_mean_over_the_classes_that_are_annotated(values):
    values, _, _ = values
    keys = [f"test/ap_{name}" for name in ("person", "robot_arm", "cup")]
    assert values["test/ap"].item() == pytest.approx(
        sum(values[key].item() for key in keys) / 3, abs=1e-6
    )
    assert "test/ap_never_there" not in values
    assert {"test/ap50", "test/ap75", "test/ap_small", "test/ap_medium", "test/ap_large"} <= set(
        values
    )


def test_nothing_annotated_is_nan_not_minus_one():
    metric = BoxAveragePrecision(OBJECTS, "val")
    found, _ = scenes(1)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    metric.update(found, [empty | {"iscrowd": torch.zeros(0, dtype=torch.long)}])
    values = metric.compute()
    assert math.isnan(values["val/ap"]) and math.isnan(values["val/ap_small"])


def test_the_table_names_the_keys_that_are_computed(values):
    values, _, _ = values
    metric = BoxAveragePrecision(OBJECTS, "test")
    (row,) = metric.table
    assert list(row.columns) == ["AP", "AP50", "AP75", "small", "medium", "large"]
    assert set(row.columns.values()) <= set(values)
    assert [row.title for row in metric.class_rows] == list(OBJECTS)
