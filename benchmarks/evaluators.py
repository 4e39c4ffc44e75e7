"""CPU time and memory of the evaluators at the size of the test sets, and of plain loops.

    python benchmarks/evaluators.py            # about a minute, 3 GB
    python benchmarks/evaluators.py --quick    # a tenth of the size

Prints a table on standard error and one JSON object on standard output. For comparison: UPT's
meter takes 33.5 CPU-s and 1.86 GB for the same number of rows; V-COCO's official script
extrapolates to 26 CPU-minutes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rmlr_lightning.metrics import (
    HICODetMeanAP,
    PairTable,
    RoleTable,
    VCOCOTruth,
    score_hicodet,
    score_vcoco,
)
from rmlr_lightning.types import Detections, Target
from rmlr_lightning.vocabulary import hicodet, vcoco_actions

# the slow references are those of the tests
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "metrics"))
import hicodet_reference
import vcoco_reference

BATCH = 16


def memory(field: str) -> float:
    """Memory of this process in MB: VmRSS is the current value, VmHWM the peak of `measured`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measured(run: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The result; CPU seconds of all threads, wall seconds, and peak memory above the start."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    before, wall, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    result = run()
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    return result, spent | {"peak_mb": memory("VmHWM") - before}


def near(rng: np.random.Generator, boxes: np.ndarray, spread: float) -> np.ndarray:
    return (boxes + rng.normal(0, spread, boxes.shape)).astype(np.float32)


def some_boxes(rng: np.random.Generator, number: int) -> np.ndarray:
    corner = rng.integers(0, 400, (number, 2))
    return np.concatenate((corner, corner + rng.integers(20, 240, (number, 2))), axis=1).astype(
        np.float32
    )


def hicodet_data(
    images: int, rows: int, seed: int = 0
) -> tuple[PairTable, PairTable, np.ndarray, list[frozenset]]:
    """Annotated pairs, detections, scores and image-level labels.

    Each image has one object class and 3.5 annotated pairs. Each detected pair has a row for every
    HOI of its object class; half of the pairs are of the class of the image.
    """
    rng = np.random.default_rng(seed)
    hois = np.array(hicodet().hois)
    own = [np.flatnonzero(hois[:, 1] == obj) for obj in range(80)]
    start, size = np.array([o[0] for o in own]), np.array([len(o) for o in own])
    pairs = np.clip(rng.poisson(3.5, images), 1, None)
    obj = rng.integers(0, 80, images)
    image = np.repeat(np.arange(images, dtype=np.int32), pairs)
    of = start[obj[image]] + (rng.random(len(image)) * size[obj[image]]).astype(np.int64)
    truth = PairTable(image, some_boxes(rng, len(image)), some_boxes(rng, len(image)), of)
    # a detected pair is near an annotated one and has a row for every HOI of its object
    guesses = int(2 * rows / size.mean() / 1.6)
    where = np.sort(rng.integers(0, images, guesses)).astype(np.int32)
    guessed = np.where(rng.random(guesses) < 0.5, obj[where], rng.integers(0, 80, guesses))
    first = np.cumsum(pairs) - pairs
    source = first[where] + (rng.random(guesses) * pairs[where]).astype(np.int64)
    boxes_h, boxes_o = near(rng, truth.boxes_h[source], 15), near(rng, truth.boxes_o[source], 15)
    guess = np.repeat(np.arange(guesses), size[guessed])[:rows]
    assert len(guess) == rows
    ends = np.cumsum(size[guessed]) - size[guessed]
    hoi = (start[guessed[guess]] + np.arange(rows) - ends[guess]).astype(np.int32)
    found = PairTable(where[guess], boxes_h[guess], boxes_o[guess], hoi)
    labels = [frozenset(part.tolist()) for part in np.split(of, first[1:])]
    return truth, found, (rng.random(rows, dtype=np.float32) ** 4), labels


def hicodet_run(images: int, rows: int) -> dict[str, Any]:
    vocabulary = hicodet()
    truth, found, scores, labels = hicodet_data(images, rows)
    hois = np.array(vocabulary.hois)
    verbs, objects = hois[found.hois, 0].astype(np.int16), hois[found.hois, 1].astype(np.int16)
    table = vocabulary.hoi_table()

    def function() -> Any:
        pairs = found._replace(hois=table[objects, verbs].astype(np.int32))
        return score_hicodet(truth, pairs, scores, images, vocabulary, labels)

    results, spent = measured(function)
    columns = [torch.from_numpy(c) for c in (found.boxes_h, found.boxes_o, objects, verbs, scores)]
    counts = np.bincount(found.images, minlength=images).tolist()
    detections = [
        Detections(*parts) for parts in zip(*(c.split(counts) for c in columns), strict=True)
    ]
    pairs = np.bincount(truth.images, minlength=images).tolist()
    parts = zip(
        *(torch.from_numpy(c).split(pairs) for c in (truth.boxes_h, truth.boxes_o, truth.hois)),
        strict=True,
    )
    targets = [
        Target("", i, None, h, o, None, None, hoi, image_hois)
        for i, ((h, o, hoi), image_hois) in enumerate(zip(parts, labels, strict=True))
    ]

    def metric() -> Any:
        out = HICODetMeanAP()
        for i in range(0, images, BATCH):
            out.update(detections[i : i + BATCH], targets[i : i + BATCH])
        return out.compute()

    values, spent_class = measured(metric)
    assert values["map_full"].item() == results["default"].full
    assert values["known_object_map_rare"].item() == results["known_object"].rare
    input_mb = sum(c.nbytes for c in (*found, verbs, objects, scores)) / 2**20
    return {
        "images": images,
        "rows": rows,
        "input_mb": input_mb,
        "function": spent,
        f"class, batches of {BATCH}": spent_class,
        "reference": hicodet_reference_run(),
    }


def hicodet_reference_run(images: int = 300, rows: int = 100_000) -> dict[str, float]:
    vocabulary = hicodet()
    truth, found, scores, _ = hicodet_data(images, rows)
    truths: list[list] = [[] for _ in range(images)]
    guesses: list[list] = [[] for _ in range(images)]
    for image, human, obj, hoi in zip(*(c.tolist() for c in truth), strict=True):
        truths[image].append((hoi, human, obj))
    for image, human, obj, hoi, score in zip(*(c.tolist() for c in (*found, scores)), strict=True):
        guesses[image].append((hoi, human, obj, score))
    expected, slow = measured(lambda: hicodet_reference.all_ap(600, truths, guesses))
    results, fast = measured(lambda: score_hicodet(truth, found, scores, images, vocabulary))
    assert np.abs(results["default"].ap - expected).max() < 1e-12
    return compared(rows, slow, fast)


def vcoco_data(images: int, rows: int, seed: int = 0) -> tuple[VCOCOTruth, RoleTable]:
    """Six persons per image, four of them annotated, and detected roles near their boxes."""
    rng = np.random.default_rng(seed)
    actions = vcoco_actions()
    image = np.repeat(np.arange(images), 6)
    persons = len(image)
    boxes = some_boxes(rng, persons).astype(np.float64)
    object_boxes = some_boxes(rng, persons).astype(np.float64)
    annotated = np.tile(np.arange(6) < 4, images)
    labels = (rng.random((persons, len(actions))) < 0.1) & annotated[:, None]
    objects = np.where(
        rng.random((persons, len(actions), 2)) < 0.7, np.arange(persons)[:, None, None], -1
    )
    roles = tuple(action.roles for action in actions)
    truth = VCOCOTruth(
        tuple(action.name for action in actions),
        roles,
        np.arange(images),
        image,
        boxes,
        annotated,
        labels,
        np.where(labels[:, :, None], objects, -1),
        object_boxes,
    )
    pairs = np.array([(a, r) for a, names in enumerate(roles) for r in range(len(names))])
    where = np.sort(rng.integers(0, images, rows))
    source = where * 6 + rng.integers(0, 6, rows)
    action, role = pairs[rng.integers(0, len(pairs), rows)].T
    guess = RoleTable(
        where,
        near(rng, boxes[source], 12),
        near(rng, object_boxes[source], 12),
        action,
        role,
        rng.random(rows, dtype=np.float32),
    )
    guess.boxes_o[rng.random(rows) < 0.2] = np.nan
    return truth, guess


def vcoco_run(images: int, rows: int) -> dict[str, Any]:
    truth, guess = vcoco_data(images, rows)
    _, spent = measured(lambda: score_vcoco(truth, guess))
    return {"images": images, "rows": rows, "function": spent, "reference": vcoco_reference_run()}


def vcoco_reference_run(images: int = 60, rows: int = 6000) -> dict[str, float]:
    truth, guess = vcoco_data(images, rows)
    files = official_of(truth)
    detections: dict[int, list] = {}
    for image, *row in zip(*(c.tolist() for c in guess), strict=True):
        detections.setdefault(image, []).append(row)
    expected, slow = measured(lambda: vcoco_reference.all_ap(files, detections, 1))
    results, fast = measured(lambda: score_vcoco(truth, guess))
    assert np.nanmax(np.abs(results["scenario_1"].ap - list(expected.values()))) < 1e-12
    return compared(rows, slow, fast)


def official_of(truth: VCOCOTruth) -> dict[str, Any]:
    """The truth in the official layout, for the reference."""
    images = [{"id": int(i), "width": 10_000, "height": 10_000} for i in truth.image_ids]
    entities = []
    for kind, category, boxes in ((1, 1, truth.boxes), (2, 44, truth.object_boxes)):
        for i, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            bbox = [x1, y1, x2 - x1 + 1, y2 - y1 + 1]
            image = int(truth.images[i])
            entities.append(
                {
                    "id": 2 * i + kind,
                    "image_id": image,
                    "category_id": category,
                    "bbox": bbox,
                    "area": 1,
                }
            )
    people = np.flatnonzero(truth.annotated).tolist()
    actions = []
    for a, (name, roles) in enumerate(zip(truth.actions, truth.roles, strict=True)):
        linked = [2 * i + 1 for i in people]
        for r in range(1, len(roles)):
            linked += [
                2 * int(o) + 2 if (o := truth.objects[i, a, r - 1]) >= 0 else 0 for i in people
            ]
        labels = truth.labels[people, a].astype(int).tolist()
        ids = [2 * i + 1 for i in people]
        actions.append(
            {
                "action_name": name,
                "role_name": roles,
                "ann_id": ids,
                "label": labels,
                "role_object_id": linked,
            }
        )
    coco = {"images": images, "annotations": entities}
    return {"coco": coco, "vcoco": actions, "ids": [int(i) for i in truth.image_ids]}


def compared(rows: int, slow: dict[str, float], fast: dict[str, float]) -> dict[str, float]:
    return {
        "rows": rows,
        "reference_cpu_s": slow["cpu_s"],
        "ours_cpu_s": fast["cpu_s"],
        "ratio": slow["cpu_s"] / fast["cpu_s"],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a tenth of the size")
    scale = 10 if options.parse_args().quick else 1
    report = {
        "vcoco": vcoco_run(
            4946 // scale, 494_600 // scale
        ),  # first: memory freed by the other one would hide its peak
        "hicodet": hicodet_run(9546 // scale, 8_100_000 // scale),
    }
    for name, numbers in report.items():
        print(f"{name}: {numbers['images']:,} images, {numbers['rows']:,} rows", file=sys.stderr)
        for what, spent in numbers.items():
            if isinstance(spent, dict) and "peak_mb" in spent:
                print(
                    f"  {what:<24} {spent['cpu_s']:6.2f} CPU-s  "
                    f"{spent['peak_mb']:6.0f} MB more than the input",
                    file=sys.stderr,
                )
        small = numbers["reference"]
        print(
            f"  loops, {small['rows']:,} rows: {small['reference_cpu_s']:.2f} CPU-s, "
            f"ours {small['ours_cpu_s']:.3f}: {small['ratio']:.0f} times faster",
            file=sys.stderr,
        )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
