"""The record of a test against the metric of the run, slow references, and damaged files."""

import numpy as np
import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.scoring.matched import mean_of
from rmlr_lightning.scoring.record import (
    LOGGED,
    TOP,
    extremes,
    make_record,
)
from rmlr_lightning.scoring.record_file import read_record, write_record
from tests.metrics import tiny_worlds as worlds


def results(seed: int, images: int = 12):
    world = worlds.random_world(seed, images)
    return [
        (worlds.target(i, truths, labels), worlds.detections(rows))
        for i, (truths, rows, labels) in enumerate(world)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_record_read_from_its_file_gives_the_metrics_of_the_run(seed, tmp_path):
    found = results(seed)
    metric = HICODetMeanAP(worlds.VOCABULARY, unseen=frozenset({2}))
    metric.update([d for _, d in found], [t for t, _ in found])
    logged = metric.compute()
    record = make_record(found, worlds.VOCABULARY, unseen=[2], facts={"attention": []})
    write_record(tmp_path / "test_record.npz", record, {"a": b"jpeg"})
    read, thumbnails = read_record(tmp_path / "test_record.npz")
    assert thumbnails == {"a": b"jpeg"} and read.vocabulary == worlds.VOCABULARY
    for (setting, name), key in LOGGED.items():
        if setting in read.matched:
            matched = read.matched[setting]
            value = mean_of(matched.ap()[matched.means[name]])
            assert value == pytest.approx(float(logged[key]), abs=1e-12), key
    # ranked behind all true positives: not kept, and not needed
    assert len(read.matched["default"].classes) < read.counts.sum()


def test_counts_and_best_rows_are_those_of_all_detections():
    found = results(1)
    record = make_record(found, worlds.VOCABULARY)
    table = torch.from_numpy(worlds.VOCABULARY.hoi_table())
    counts = np.zeros(len(worlds.VOCABULARY.hois), dtype=int)
    for image, (_, detections) in enumerate(found):
        hois = table[detections.objects, detections.verbs]
        scores = detections.scores[hois >= 0].sort(descending=True).values[:TOP]
        own = record.best.table.images == image
        assert record.best.scores[own].tolist() == scores.tolist()
        np.add.at(counts, hois[hois >= 0].numpy(), 1)
    assert record.counts.tolist() == counts.tolist()


def test_the_ap_of_an_image_ranks_its_detections_of_all_classes():
    record = make_record(results(2), worlds.VOCABULARY)
    images = np.unique(record.truth.images)
    assert np.isfinite(record.image_ap[images]).all()
    assert np.isnan(np.delete(record.image_ap, images)).all()


def test_extreme_images_are_ordered_by_ap_and_then_by_their_pairs():
    ap = np.array([1.0, 0.2, np.nan, 1.0, 0.2, 0.5])
    pairs = np.array([0, 3, 3, 1, 4, 4, 4, 5])  # images of the annotated pairs
    assert extremes(ap, pairs, 2) == ([3, 0], [4, 1])
    assert extremes(ap, pairs, 9) == ([3, 0], [4, 1])  # no image is in both lists


def confusion_by_loops(found):
    """The same by definition, pair by pair."""
    vocabulary = worlds.VOCABULARY
    out = np.zeros((len(vocabulary.objects), len(vocabulary.verbs), len(vocabulary.verbs)), int)
    for target, detections in found:
        rows = []
        table = vocabulary.hoi_table()
        for row in range(len(detections.scores)):
            obj, verb = int(detections.objects[row]), int(detections.verbs[row])
            if table[obj, verb] >= 0:
                human, box = detections.boxes_h[row].tolist(), detections.boxes_o[row].tolist()
                rows.append((obj, verb, human, box, float(detections.scores[row])))
        truths = [
            (h, o, obj)
            for h, o, obj in zip(
                target.boxes_h.tolist(),
                target.boxes_o.tolist(),
                target.objects.tolist(),
                strict=True,
            )
        ]
        best = {}
        for obj, verb, human, box, score in rows:
            overlaps = [
                min(iou(human, h), iou(box, o)) if other == obj else 0.0 for h, o, other in truths
            ]
            if overlaps and max(overlaps) >= 0.5:
                key = str(truths[int(np.argmax(overlaps))])
                if key not in best or score > best[key][0]:
                    best[key] = (score, verb)
        for truth, verb in zip(truths, target.verbs.tolist(), strict=True):
            if str(truth) in best:
                out[truth[2], verb, best[str(truth)][1]] += 1
    return out


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0) * max(height, 0)
    union = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - inside
    return inside / union if union else 0.0


@pytest.mark.parametrize("seed", range(3))
def test_confusion_is_the_best_verb_at_each_annotated_pair(seed):
    # distinct scores: which of equal ones is first is not defined
    found = []
    for target, detections in results(seed, 20):
        order = torch.arange(len(detections.scores), 0, -1)
        found.append((target, detections._replace(scores=order / 100)))
    record = make_record(found, worlds.VOCABULARY)
    assert record.confusion.tolist() == confusion_by_loops(found).tolist()
    assert record.confusion.sum() > 0


def test_no_detections_and_no_annotations_make_a_record(tmp_path):
    record = make_record([(worlds.target(0, []), worlds.detections([]))], worlds.VOCABULARY)
    assert record.confusion.sum() == 0 and extremes(record.image_ap, record.truth.images, 8) == (
        [],
        [],
    )
    write_record(tmp_path / "r.npz", record, {})
    assert read_record(tmp_path / "r.npz")[0].matched["default"].ap().tolist() == [0.0] * 5


@pytest.mark.fault
@pytest.mark.parametrize("damage", ["truncated", "other", "version"])
def test_a_damaged_record_is_an_error_that_names_it(damage, tmp_path):
    path = tmp_path / "test_record.npz"
    write_record(path, make_record(results(0), worlds.VOCABULARY), {})
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "other":
        np.savez(path, numbers=np.arange(3))
    else:
        arrays = dict(np.load(path))
        text = arrays["text"].tobytes().replace(b'"format": 1', b'"format": 9')
        np.savez(path, **(arrays | {"text": np.frombuffer(text, dtype=np.uint8)}))
    with pytest.raises(UserError, match=r"test_record\.npz: "):
        read_record(path)
