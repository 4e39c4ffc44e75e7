"""The curves of a training, with the names that a reader knows in place of the keys of a log."""

from rmlr_lightning.report.charts import Chart, curves_chart
from rmlr_lightning.report.measures import TITLES
from rmlr_lightning.report.run_record import History

ECE = {"ece_score": "ranking score", "ece": "probability"}
OF_25_ROLES = {f"role_ap_s{n}_official": f"role AP, Scenario {n}, 25 roles" for n in (1, 2)}
# Where a pair's token is aligned with its words
SITES = {"ire": "IRE", "irm": "IRM"}

# Where callbacks/gradient_norms.py takes the norm: not at the weights
NORM_AT = "at pair tokens and logits"


def metric_title(key: str) -> str:
    """Of a key of metrics.json without the split: "mAP full"."""
    return (TITLES | OF_25_ROLES).get(key, key.replace("_", " "))


def loss_title(key: str) -> str:
    """Of a term: "loss_word_ire" is "word alignment after IRE", "interaction" the classes' own."""
    *words, last = key.removeprefix("loss").strip("_").split("_")
    if last in SITES and words:
        return f"{' '.join(words)} alignment after {SITES[last]}"
    return " ".join((*words, last)) or "total"


def validation_title(key: str) -> str:
    """Of the chart of one metric, the same on every page."""
    return f"{metric_title(key)} on val (%)"


def training_charts(history: History) -> list[Chart]:
    """Loss terms, validation metrics, calibration error, and gradient norms of a run."""
    validation = {
        key: _in_percent(points)
        for key, points in _named(history, "val/").items()
        if "selection_" not in key and "loss" not in key
    }
    losses = {
        loss_title(key): points
        for key, points in _named(history, "train/").items()
        if key.startswith("loss")
    }
    norms = {loss_title(key): points for key, points in _named(history, "gradient/").items()}
    # A term has the same colour in both charts.
    terms = {"names": [*losses, *norms], "by_size": True}
    charts = (
        curves_chart("Training loss and its terms", losses, **terms),
        curves_chart(
            "Metrics on val (%)",
            {metric_title(key): points for key, points in validation.items() if key not in ECE},
        ),
        # errors beside mAP would be a flat line, and for them less is better
        curves_chart(
            "Calibration error on val, ECE (%)",
            {name: validation[key] for key, name in ECE.items() if key in validation},
        ),
        curves_chart(f"Gradient norm of each loss term {NORM_AT}", norms, **terms),
    )
    return [chart for chart in charts if chart is not None]


def _named(history: History, prefix: str) -> History:
    return {
        name.removeprefix(prefix): points
        for name, points in sorted(history.items())
        if name.startswith(prefix)
    }


def _in_percent(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(epoch, 100 * value) for epoch, value in points]
