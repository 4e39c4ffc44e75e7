"""The page of two runs: is the difference real, and where does it come from?"""

import math
from collections.abc import Sequence
from typing import Any

from rmlr_lightning.errors import counted
from rmlr_lightning.report.bar_cells import with_bars
from rmlr_lightning.report.charts import Bar, Chart, curves_chart, forest_chart
from rmlr_lightning.report.comparison_sections import (
    changed_classes,
    changed_confusions,
    differing_options,
    extreme_classes,
    words_of_both,
)
from rmlr_lightning.report.curves import validation_title
from rmlr_lightning.report.html_page import html_page
from rmlr_lightning.report.image_cards import image_card, missing_images, most_changed
from rmlr_lightning.report.measures import VCOCO_NOTE, Changed, change
from rmlr_lightning.report.percent import decimals, percent, signed
from rmlr_lightning.report.run_page import IDS
from rmlr_lightning.report.run_record import RunRecord
from rmlr_lightning.report.sections import (
    ERRORS,
    costs,
    origin,
)

SECTIONS = {
    "metrics": "Differences",
    "charts": "Curves",
    "classes": "Classes",
    "errors": "Errors",
    "images": "Images",
    "confusions": "Confused verbs",
    "attention": "Words",
    "costs": "Cost",
    "differing": "Options",
    "origins": "Commands and versions",
}


def comparison_page(
    a: RunRecord,
    b: RunRecord,
    argv: Sequence[str],
    title: str | None,
    draws: int,
    left_out: Sequence[str] = (),
) -> bytes:
    """B against A, by paired bootstrap over the test images.

    Raises:
        UserError: a run kept no record, or the two were tested on other data.
    """
    changed = change(a, b, draws)
    # Bars of gains and losses share one scale.
    classes = changed_classes(a, b)
    widest = max((abs(row["change"]) for row in classes), default=0.0)
    classes = with_bars(classes, "change", limit=widest, both_signs=True)
    content: dict[str, Any] = {
        "verdict": _verdict(changed, a, b),
        "metrics": [_row(c) for c in changed],
        "forest": _forest(changed),
        "metrics_caption": (
            f"Bold: the 95 % interval of the difference excludes 0. Paired bootstrap over the test "
            f"images, {draws:,} draws; there is no correction for the number of metrics."
        ),
        "charts": _charts(a, b),
        "classes": classes,
        "widest": percent(widest, 0),
        "extremes": extreme_classes(classes),
        "confusions": changed_confusions(a, b),
        "attention": words_of_both(a, b),
        "errors": [
            {"name": name.replace("_", " "), "meaning": ERRORS.get(name, ""), "a": cost, "b": other}
            for name, cost in a.test.facts["errors"].items()
            if (other := b.test.facts["errors"].get(name)) is not None
        ],
        "images": _images(a, b),
        "costs": [
            {"name": f"{letter}: {record.name}", "rows": costs(record)}
            for letter, record in (("A", a), ("B", b))
        ],
        "differing": differing_options(a, b),
        "origins": [origin(record) for record in (a, b)],
    }
    cards = [card for shown in content["images"] for card in shown["cards"]]
    notes = [VCOCO_NOTE] if "scenario_1" in a.test.matched else []
    return html_page(
        "comparison.html",
        content,
        title=title or f"{b.name} against {a.name}",
        subtitle=f"A is {a.name}. B is {b.name}. {counted(len(a.test.file_names), 'test image')}.",
        sections=[(IDS.get(key, key), name) for key, name in SECTIONS.items() if content[key]],
        argv=argv,
        left_out=left_out,
        notes=[*notes, *missing_images(a, cards)],
    )


def _verdict(changed: Sequence[Changed], a: RunRecord, b: RunRecord) -> dict[str, Any]:
    if not changed:
        return {"kind": "", "main": "The two runs have no metric in common.", "sentences": []}
    main = changed[0]
    found = _gain_and_interval(main)
    if main.significant:
        better = "better" if main.difference.gain > 0 else "worse"
        text = f"On these test images checkpoint B is {better} than checkpoint A: {found}."
    else:
        text = f"On these test images no difference between the two checkpoints is shown: {found}."
    # In the heading, because it limits it: two rows of a sweep may differ less than their seeds.
    seeds = f"seed {a.run.seed} of A and seed {b.run.seed} of B"
    text += f" How other seeds would differ is not known: this is {seeds}."

    # One metric decides, the first; the others are named if they differ.
    others = [c for c in changed if c is not main and c.significant]
    sentences = [f"{c.title}: {_gain_and_interval(c, False)}." for c in others] or [
        "No other metric differs by more than the choice of the test images explains."
    ]
    twins = next((c.difference for c in changed if c.key == "twin_accuracy"), None)
    if twins is not None:
        sentences.append(
            f"Twins: A {percent(twins.a)} % right, B {percent(twins.b)} %; chance is 50 %."
        )
    sentences.append(
        "B - A, with the 95 % interval over test images in brackets. To learn whether a method is "
        "better, train both with several seeds and make a page of all runs."
    )
    # No colour: it would judge two methods, and two checkpoints cannot show that.
    return {"kind": "", "main": text, "sentences": sentences}


def _gain_and_interval(changed: Changed, named: bool = True) -> str:
    """ "+1.1 mAP full [+0.7, +1.5]"."""
    gain, low, high = (getattr(changed.difference, name) for name in ("gain", "low", "high"))
    digits = decimals((low, high))
    name = f" {changed.title}" if named else ""
    return f"{signed(gain, digits)}{name} [{signed(low, digits)}, {signed(high, digits)}]"


def _forest(changed: Sequence[Changed]) -> Chart | None:
    bars = []
    for metric in changed:
        found = metric.difference
        # the colour repeats what sign and bold type show
        colour = 7 if not metric.significant else 2 if found.gain > 0 else 4
        values = (100 * x for x in (found.gain, found.low, found.high))
        bars.append(Bar(metric.title, *values, colour=colour))
    return forest_chart("B - A with 95 % intervals", bars, "points", include=0.0)


def _row(changed: Changed) -> dict[str, Any]:
    found = changed.difference
    digits = decimals((found.low, found.high))
    return {
        "title": changed.title,
        "a": percent(found.a),
        "b": percent(found.b),
        "gain": signed(found.gain, digits),
        "interval": f"{signed(found.low, digits)} to {signed(found.high, digits)}",
        "p": "-" if math.isnan(found.p) else f"{found.p:.3f}",
        "significant": changed.significant,
    }


def _images(a: RunRecord, b: RunRecord) -> list[dict[str, Any]]:
    shown = []
    for image, gain in most_changed(a, b):
        cards = [
            image_card(
                record, image, f"{letter}, AP {percent(float(record.test.image_ap[image]), 0)} %"
            )
            for letter, record in (("A", a), ("B", b))
        ]
        # a run keeps copies of its own best and worst images only
        source = cards[0].source or cards[1].source
        cards = [card._replace(source=source) for card in cards]
        title = f"{a.test.file_names[image]}: B - A is {signed(gain, 0)} points of AP"
        shown.append({"title": title, "cards": cards})
    return shown


def _charts(a: RunRecord, b: RunRecord) -> list[Chart]:
    """Both runs in each chart."""
    # nobody reports the mAP of V-COCO's pairs
    is_vcoco = "scenario_1" in a.test.matched
    names = {"train/loss": ("Training loss", 1.0)}
    names |= {
        name: (validation_title(name.removeprefix("val/")), 100.0)
        for name in sorted(a.history.keys() & b.history.keys())
        if name.startswith("val/role_ap" if is_vcoco else "val/map_full")
    }
    charts = []
    for name, (title, factor) in names.items():
        curves = {
            f"{letter}: {record.name}": [
                (epoch, factor * value) for epoch, value in record.history.get(name, ())
            ]
            for letter, record in (("A", a), ("B", b))
        }
        charts.append(curves_chart(title, curves))
    return [chart for chart in charts if chart is not None]
