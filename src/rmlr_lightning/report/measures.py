"""The numbers of a run with their intervals over test images, and differences of two runs."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from rmlr_lightning.errors import UserError
from rmlr_lightning.report.run_record import RunRecord
from rmlr_lightning.scoring.bootstrap import (
    Difference,
    Interval,
    intervals,
    paired,
    paired_ratio,
    ratio_interval,
)
from rmlr_lightning.scoring.matched import MatchedDetections
from rmlr_lightning.scoring.record import LOGGED, TestRecord

TITLES = {
    "map_full": "mAP full",
    "map_rare": "mAP rare",
    "map_non_rare": "mAP non-rare",
    "map_unseen": "mAP unseen",
    "map_seen": "mAP seen",
    "known_object_map_full": "mAP full, Known Object",
    "role_ap_s1": "role AP, Scenario 1",
    "role_ap_s2": "role AP, Scenario 2",
    "agent_ap": "agent AP",
    "twin_accuracy": "twins",
}
NAN = float("nan")
VCOCO_NOTE = (
    "Errors, images and groups are judged as in HICO-DET: a pair of a verb and an object is right "
    "where both boxes are. Their mAP is over such classes, not over roles."
)


class Measured(NamedTuple):
    """A metric of a run, in [0, 1]; the interval is NaN where the run kept no record."""

    key: str
    title: str
    interval: Interval


class Changed(NamedTuple):
    """A metric of two runs; the interval is that of the difference."""

    key: str
    title: str
    difference: Difference

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return bool(self.difference.low > 0 or self.difference.high < 0)


def shown_keys(keys: Iterable[str]) -> list[str]:
    """The metrics that a page shows, the main one first.

    Of V-COCO its own ones: nobody reports the mAP of its pairs, which selects the checkpoint.
    """
    keys = set(keys)
    is_vcoco = "role_ap_s1" in keys
    return [key for key in TITLES if key in keys and not (is_vcoco and "map_" in key)]


def measure(record: RunRecord, draws: int) -> list[Measured]:
    """The metrics of the test split, with bootstrap intervals over its images."""
    found = _intervals(record.test, draws) if record.test is not None else {}
    logged = {key: record.run.metrics.get(f"test/{key}", NAN) for key in TITLES}
    out = []
    for key in shown_keys(key for key, value in logged.items() if not math.isnan(value)):
        interval = found.get(key, Interval(NAN, NAN, NAN, NAN))
        # what the run reports; its record gives the same number
        out.append(Measured(key, TITLES[key], interval._replace(value=logged[key])))
    return out


def change(a: RunRecord, b: RunRecord, draws: int) -> list[Changed]:
    """B - A of all metrics that both have, from the same draws of the test images.

    Raises:
        UserError: a run kept no record, or the two were tested on other data.
    """
    for record in (a, b):
        if record.test is None:
            raise UserError(
                f"{record.run.folder}: no test_record.npz, which a comparison of two runs needs; "
                "runs of earlier versions and runs with test=false have none"
            )
    first, second = a.test, b.test
    check_same_test(a, b)
    # The same seed gives both the same draws, in each setting.
    found = {}
    for setting in first.matched.keys() & second.matched.keys():
        differences = paired(first.matched[setting], second.matched[setting], draws)
        found |= {
            LOGGED[setting, name]: difference
            for name, difference in differences.items()
            if (setting, name) in LOGGED
        }
    if first.facts["twins"] and second.facts["twins"]:
        found["twin_accuracy"] = paired_ratio(_twins(first), _twins(second), draws)
    return [
        Changed(key, TITLES[key], found[key])
        for key in shown_keys(found)
        if not math.isnan(found[key].gain)
    ]


def check_same_test(a: RunRecord, b: RunRecord) -> None:
    """Raises:
    UserError: two runs were tested on other images, annotations or classes.
    """
    first, second = a.test, b.test
    # Detections may differ in everything; what they are compared with may not.
    same = (
        first.file_names == second.file_names
        and first.vocabulary == second.vocabulary
        and np.array_equal(first.truth.images, second.truth.images)
        and np.array_equal(first.truth.hois, second.truth.hois)
    )
    if not same:
        raise UserError(
            f"{a.run.folder} and {b.run.folder}: tested on different images, annotations or "
            "classes; compare runs of one test split"
        )


def main_matched(test: TestRecord) -> MatchedDetections:
    """The setting of the classes that are shown: role AP of V-COCO, else HICO-DET's Default."""
    return test.matched.get("scenario_1", test.matched["default"])


def class_notes(test: TestRecord) -> dict[str, str]:
    """What a table of classes tells of some of them, by name."""
    matched, vocabulary = main_matched(test), test.vocabulary
    averaged = next(iter(matched.means.values()))  # the first mean is the main one
    notes = {
        name: "not in the mean"
        for name, inside in zip(matched.names, averaged, strict=True)
        if not inside
    }
    return {vocabulary.hoi_name(hoi): "rare" for hoi in vocabulary.rare} | notes


class ClassTable(NamedTuple):
    """What a sweep needs of a test: a record of HICO-DET has tens of megabytes, this has not."""

    names: list[str]
    ap: np.ndarray  # (C,)
    positives: np.ndarray  # (C,)
    notes: dict[str, str]  # of some classes
    errors: dict[str, float]  # cost of each type of error


def class_table(test: TestRecord) -> ClassTable:
    """The classes and error costs of a test."""
    matched = main_matched(test)
    return ClassTable(
        names=list(matched.names),
        ap=matched.ap(),
        positives=matched.positives,
        notes=class_notes(test),
        errors={name: cost["cost"] for name, cost in test.facts["errors"].items()},
    )


def twin_counts(test: TestRecord) -> tuple[int, int] | None:
    """How many twins there are, and how many were found; None without any."""
    rows = np.array(test.facts["twins"], dtype=np.float64).reshape(-1, 4)
    return (int(rows[:, 1].sum()), int(rows[:, 2].sum())) if len(rows) else None


def _intervals(test: TestRecord, draws: int) -> dict[str, Interval]:
    found = {}
    for setting, matched in test.matched.items():
        for name, interval in intervals(matched, draws).items():
            if (setting, name) in LOGGED:
                found[LOGGED[setting, name]] = interval
    if test.facts["twins"]:
        found["twin_accuracy"] = ratio_interval(*_twins(test), draws)
    return found


def _twins(test: TestRecord) -> tuple[np.ndarray, np.ndarray]:
    """Right and found twins of each image with twins."""
    rows = np.array(test.facts["twins"], dtype=np.float64).reshape(-1, 4)
    return rows[:, 3], rows[:, 2]
