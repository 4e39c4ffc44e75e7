"""How far the scores of a run are from probabilities, before and after calibration."""

import math
from collections.abc import Sequence
from typing import Any

from rmlr_lightning.report.charts import reliability_chart
from rmlr_lightning.report.curves import ECE
from rmlr_lightning.report.run_record import RunRecord

MEANINGS = {
    "ece_score": "before calibration: ranks the detections, and AP is computed from it",
    "ece": "after calibration fitted on val: what rmlr-predict shows",
}
NOTE = (
    "Expected calibration error (ECE): the mean distance between a score and the share of true "
    "detections among those with such a score. 15 bins; detections that score at least 0.01."
)
NO_BINS = " This run kept no counts for a reliability diagram; a new test of it does."


def calibration(record: RunRecord) -> dict[str, Any] | None:
    """ECE of the ranking score and of the probability, with their diagrams; None without any."""
    metrics = record.run.metrics
    rows = [
        {
            "name": name,
            "meaning": MEANINGS[key],
            "val": metrics.get(f"val/{key}", math.nan),
            "test": metrics.get(f"test/{key}", math.nan),
        }
        for key, name in ECE.items()
        if f"val/{key}" in metrics or f"test/{key}" in metrics
    ]
    if not rows:
        return None
    bins = record.test.facts.get("reliability", {}) if record.test is not None else {}
    diagrams = [_diagram(name, bins[key]) for key, name in ECE.items() if bins.get(key)]
    return {"rows": rows, "diagrams": diagrams, "note": NOTE + ("" if diagrams else NO_BINS)}


def _diagram(name: str, bins: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A chart and its numbers in percent, without empty bins."""
    width = 100 / len(bins)
    shown = [
        {
            "name": f"{width * place:.0f} to {width * (place + 1):.0f}",
            "ends": (width * place, width * (place + 1)),
            "count": int(count),
            "mean": round(100 * expected / count, 1),
            "right": round(100 * right / count, 1),
        }
        for place, (count, expected, right) in enumerate(bins)
        if count
    ]
    bars = [(*one["ends"], one["right"], one["count"]) for one in shown]
    chart = reliability_chart(f"Reliability of the {name} on test", name, bars)
    return {"name": name, "chart": chart, "bins": shown}
