"""The page of one run."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

from rmlr_lightning.errors import counted
from rmlr_lightning.report.bar_cells import with_bars
from rmlr_lightning.report.calibration import calibration
from rmlr_lightning.report.charts import Bar, Chart, forest_chart
from rmlr_lightning.report.curves import training_charts
from rmlr_lightning.report.html_page import html_page
from rmlr_lightning.report.image_cards import ImageCard, best_and_worst, missing_images
from rmlr_lightning.report.measures import VCOCO_NOTE, Measured, measure, twin_counts
from rmlr_lightning.report.percent import percent
from rmlr_lightning.report.run_record import RunRecord
from rmlr_lightning.report.sections import (
    attention_rows,
    breakdowns,
    class_rows,
    confusions,
    costs,
    error_rows,
    origin,
)
from rmlr_lightning.scoring.bootstrap import Interval

SECTIONS = {
    "metrics": "Metrics",
    "calibration": "Calibration",
    "charts": "Curves",
    "classes": "Classes",
    "errors": "Errors",
    "images": "Images",
    "breakdowns": "Groups",
    "confusions": "Confused verbs",
    "attention": "Words",
    "costs": "Cost",
    "origins": "Command and versions",
}
IDS = {
    "charts": "curves",
    "classes": "per-class",
    "breakdowns": "breakdown",
    "confusions": "confused",
    "attention": "words",
    "costs": "cost",
    "origins": "origin",
}
NO_RECORD = (
    "This run kept no test_record.npz: there are no intervals, classes or images. Runs of earlier "
    "versions and runs with test=false have none."
)


def run_page(
    record: RunRecord,
    argv: Sequence[str],
    title: str | None,
    draws: int,
    left_out: Sequence[str] = (),
) -> bytes:
    """Metrics with intervals, curves, classes, errors, images, words, cost and origin of a run."""
    measured = measure(record, draws)
    test = record.test
    content: dict[str, Any] = {
        "metrics": [_row(m) for m in measured],
        "forest": _forest(measured),
        "metrics_caption": (
            f"95 % intervals: bootstrap over the test images, {draws:,} draws. They do not cover "
            "the spread over seeds, and are slightly narrow where many classes have few pairs."
            if test
            else "No intervals: the run kept no record of its test."
        ),
        "calibration": calibration(record),
        "charts": training_charts(record.history),
        "classes": with_bars(class_rows(record), "ap", limit=1.0) if test else [],
        "errors": error_rows(record) if test else [],
        "images": best_and_worst(record) if test else None,
        "breakdowns": breakdowns(record) if test else {},
        "confusions": confusions(record) if test else [],
        "attention": attention_rows(record) if test else [],
        "costs": costs(record),
        "origins": [origin(record)],
    }
    content["verdict"] = _verdict(record, measured, content["errors"])
    images = f", {counted(len(test.file_names), 'test image')}" if test else ""
    return html_page(
        "run.html",
        content,
        title=title or record.name,
        subtitle=f"One run{images}. Commit {content['origins'][0]['commit'][:12]}.",
        sections=[(IDS.get(key, key), name) for key, name in SECTIONS.items() if content[key]],
        argv=argv,
        left_out=left_out,
        notes=_notes(record, content["images"]),
    )


def _notes(record: RunRecord, images: dict[str, list[ImageCard]] | None) -> list[str]:
    if record.test is None:
        return [NO_RECORD]
    notes = [VCOCO_NOTE] if "scenario_1" in record.test.matched else []
    return [*notes, *missing_images(record, chain(*images.values()))]


def _row(measured: Measured) -> dict[str, Any]:
    return {
        "title": measured.title,
        "value": percent(measured.interval.value),
        "interval": interval_text(measured.interval),
    }


def _forest(measured: Sequence[Measured]) -> Chart | None:
    bars = [Bar(m.title, *(100 * x for x in m.interval[:3])) for m in measured]
    # From 0: the length of an interval is then seen beside the value.
    return forest_chart("Metrics with 95 % intervals", bars, "%", include=0.0, limits=(0, 100))


def interval_text(interval: Interval) -> str:
    """ "31.2 to 34.0"; "-" without an interval."""
    if math.isnan(interval.low):
        return "-"
    return f"{percent(interval.low)} to {percent(interval.high)}"


def _verdict(
    record: RunRecord, measured: Sequence[Measured], errors: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    if not measured:
        return {"kind": "", "main": "No metric of the test split.", "sentences": []}
    by_key = {m.key: m for m in measured}
    is_vcoco = "role_ap_s1" in by_key
    main = measured[0]
    value, low, _, _ = main.interval
    text = f"{main.title}: {percent(value)} %"
    if not math.isnan(low):
        text += f", 95 % interval {interval_text(main.interval)}"

    sentences = []
    if "map_rare" in by_key and "map_non_rare" in by_key:
        sentences.append(
            f"Rare classes {percent(by_key['map_rare'].interval.value)} %, others "
            f"{percent(by_key['map_non_rare'].interval.value)} %."
        )
    if "twin_accuracy" in by_key:
        sentences.append(_twins(by_key["twin_accuracy"].interval, record))
    if errors:
        worst = errors[0]
        sentences.append(
            f"The most expensive type of error is {worst['name']} ({worst['meaning']}): it costs "
            f"{percent(worst['cost'])} mAP{' of verb-object classes' if is_vcoco else ''}."
        )
    sentences.append(
        "A page of two runs compares two checkpoints. To compare methods, make a page of a sweep "
        "with several seeds."
    )
    return {"kind": "", "main": f"{text}.", "sentences": sentences}


def _twins(interval: Interval, record: RunRecord) -> str:
    counts = twin_counts(record.test) if record.test else None
    of = f" of {counts[1]:,} found twins (of {counts[0]:,})" if counts else ""
    text = f"{percent(interval.value)} %{of} are right; chance is 50 %"
    if math.isnan(interval.low):
        return f"Twins: {text}."
    # A model that reads boxes and object classes only is right half of the time.
    if interval.low > 0.5:
        meaning = "the model reads more than boxes and object classes"
    else:
        meaning = "no sign that the model reads more than boxes and object classes"
    return f"Twins: {text}, and the interval is {interval_text(interval)}: {meaning}."
