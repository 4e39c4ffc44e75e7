"""The outputs of rmlr-score: a JSON object, text tables, a CSV, a plot."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TITLES = {
    "default": "Default",
    "known_object": "Known Object",
    "scenario_1": "Scenario 1",
    "scenario_2": "Scenario 2",
    "agent": "agent",
}


def as_json(value: Any) -> str:
    """One JSON object on one line; NaN, which JSON does not have, is null."""
    return json.dumps(_plain(value), allow_nan=False)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns of text; the cells are already formatted."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    out = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def percent(value: float) -> str:
    """In percent with two decimals, as papers print; "-" for NaN."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def per_class_csv(
    results: Mapping[str, Any], names: Mapping[str, Sequence[Sequence[Any]]]
) -> bytes:
    """A line for each evaluation and class: ap and recall in [0, 1], an empty cell for NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("evaluation", "index", "class", "ap", "recall", "positives", "detections"))
    for evaluation, result in results.items():
        for index, name in enumerate(names[evaluation]):
            ap, recall = float(result.ap[index]), float(result.recall[index])
            values = ("" if math.isnan(ap) else repr(ap), repr(recall))
            counts = (int(result.positives[index]), int(result.detections[index]))
            writer.writerow((evaluation, index, name, *values, *counts))
    return text.getvalue().encode()


def plot_png(results: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> bytes:
    """A panel for each evaluation: the AP of every class with annotations, in descending order."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(results), figsize=(5.5 * len(results), 4), squeeze=False, layout="constrained"
    )
    for axis, (evaluation, result) in zip(axes[0], results.items(), strict=True):
        known = [
            (float(ap), name)
            for ap, name in zip(result.ap, names[evaluation], strict=True)
            if not math.isnan(ap)
        ]
        order = sorted(known, reverse=True)
        values = [100 * ap for ap, _ in order]
        axis.bar(range(len(values)), values, width=1.0 if len(values) > 60 else 0.8)
        if values:
            mean = sum(values) / len(values)
            axis.axhline(mean, color="black", linewidth=1, linestyle="--", label=f"mean {mean:.2f}")
            axis.legend(loc="upper right")
        # Names of more classes would not be readable.
        if len(values) <= 60:
            axis.set_xticks(
                range(len(values)), [name for _, name in order], rotation=90, fontsize=7
            )
        axis.set(
            title=TITLES[evaluation],
            ylabel="AP (%)",
            xlabel="class",
            ylim=(0, 105),
            xlim=(-0.6, max(len(values), 1) - 0.4),
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    pyplot.close(figure)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """NamedTuples and arrays as dictionaries and lists; numbers that are not finite as None."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
