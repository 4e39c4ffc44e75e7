"""From runs to the rows of a table and the comparisons below it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rmlr_lightning.errors import UserError
from rmlr_lightning.report.runs import Run
from rmlr_lightning.report.seed_statistics import Spread, paired_difference, spread

METRICS = {
    "full": "map_full",
    "rare": "map_rare",
    "non-rare": "map_non_rare",
    "unseen": "map_unseen",
    "seen": "map_seen",
    "twins": "twin_accuracy",
    "scenario 1": "role_ap_s1",
    "scenario 2": "role_ap_s2",
}
COSTS = {"fit min": "fit_seconds", "CPU min": "cpu_seconds"}  # shown in minutes


class Row(NamedTuple):
    """One row at one size of the training set. Metrics in [0, 1], costs in seconds a run."""

    name: str
    label: str
    train: int | None
    runs: tuple[Run, ...]
    metrics: dict[str, Spread]
    gains: dict[str, Spread]  # over the baseline; empty for the baseline itself
    costs: dict[str, float]


class Comparison(NamedTuple):
    """a - b at one size of the training set, paired by seed."""

    a: str
    b: str
    train: int | None
    differences: dict[str, Spread]


class Report(NamedTuple):
    """What is shown."""

    rows: list[Row]
    comparisons: list[Comparison]
    metrics: list[str]  # those that some run has
    costs: list[str]
    baseline: str | None
    labels: dict[str, str]

    def sizes(self) -> list[int | None]:
        """Of the training sets, rising."""
        return sorted({row.train for row in self.rows}, key=lambda size: size or 0)


def make_report(
    runs: Iterable[Run],
    split: str,
    names: Sequence[str],
    baseline: str | None,
    pairs: Sequence[tuple[str, str]],
) -> Report:
    """Summarise.

    Args:
        runs: finished ones.
        split: "val" or "test".
        names: the rows to show, in this order; none means all, the baseline first.
        baseline: the row that others are compared with.
        pairs: further comparisons, a - b.

    Raises:
        UserError: a row does not exist, or two rows have no seed in common at any size.
    """
    groups: dict[tuple[str, int | None], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.row, run.train), []).append(run)
    known = list(dict.fromkeys(name for name, _ in groups))
    for name in (
        *names,
        *([baseline] if baseline else []),
        *(name for pair in pairs for name in pair),
    ):
        if name not in known:
            raise UserError(f"{name}: no finished run of this row; there are {', '.join(known)}")
    shown = list(names) or sorted(known, key=lambda name: name != baseline)
    sizes = sorted({size for _, size in groups}, key=lambda size: size or 0)
    rows = []
    for size in sizes:
        for name in shown:
            members = groups.get((name, size))
            if members:
                base = groups.get((baseline, size), []) if baseline not in (None, name) else []
                rows.append(_row(members, base, split))
    comparisons = [
        Comparison(a, b, size, _differences(groups[a, size], groups[b, size], split))
        for a, b in pairs
        for size in sizes
        if (a, size) in groups and (b, size) in groups
    ]
    compared = {(c.a, c.b) for c in comparisons if c.differences}
    for a, b in pairs:
        if (a, b) not in compared:
            raise UserError(
                f"--compare {a}:{b}: the two have no seed in common; run both with the same seeds"
            )
    if baseline and len(shown) > 1 and not any(row.gains for row in rows):
        raise UserError(
            f"--baseline {baseline}: no other row has a seed in common with it; run both with the same seeds"
        )
    metrics = [name for name in METRICS if any(name in row.metrics for row in rows)]
    costs = [name for name in COSTS if any(name in row.costs for row in rows)]
    return Report(rows, comparisons, metrics, costs, baseline, _labels(groups.values()))


def _row(members: Sequence[Run], base: Sequence[Run], split: str) -> Row:
    metrics = {
        name: spread(values) for name in METRICS if (values := _by_seed(members, name, split))
    }
    costs = {}
    for name, key in COSTS.items():
        seconds = [run.figures[key] for run in members if key in run.figures]
        if seconds:
            costs[name] = sum(seconds) / len(seconds)
    gains = _differences(members, base, split)
    first = members[0]
    return Row(first.row, first.label, first.train, tuple(members), metrics, gains, costs)


def _differences(a: Sequence[Run], b: Sequence[Run], split: str) -> dict[str, Spread]:
    """a - b of every metric that both have for some common seed."""
    out = {
        name: paired_difference(_by_seed(a, name, split), _by_seed(b, name, split))
        for name in METRICS
    }
    return {name: difference for name, difference in out.items() if difference.seeds}


def _by_seed(runs: Iterable[Run], metric: str, split: str) -> dict[int, float]:
    key = f"{split}/{METRICS[metric]}"
    return {run.seed: run.figures[key] for run in runs if key in run.figures}


def _labels(groups: Iterable[Sequence[Run]]) -> Mapping[str, str]:
    return {runs[0].row: ", ".join((runs[0].label, *runs[0].swept)) for runs in groups}
