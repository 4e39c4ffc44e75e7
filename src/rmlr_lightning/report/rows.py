"""From runs to the rows of a table and the comparisons below it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rmlr_lightning.errors import UserError
from rmlr_lightning.report.columns import COSTS, METRICS
from rmlr_lightning.report.runs_csv import Run
from rmlr_lightning.report.seed_statistics import Spread, paired_difference, spread


class Row(NamedTuple):
    """One row at one size of the training set. Metrics in [0, 1], costs in seconds per run."""

    name: str
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
    """The content of all outputs."""

    rows: list[Row]
    comparisons: list[Comparison]  # those of --compare
    metrics: dict[str, str]  # title -> key, of those that some run has
    costs: list[str]
    baseline: str | None
    labels: dict[str, str]  # by name of the row

    @property
    def main(self) -> str:
        """The metric of the gains over the baseline, of the sentences and of the plot."""
        # of V-COCO's runs its own metric, although they have HICO-DET's, too
        first = next(iter(self.metrics))
        return next((name for name in ("scenario 1", "full") if name in self.metrics), first)

    def sizes(self) -> list[int | None]:
        """Sizes of the training sets, ascending."""
        return _sizes(row.train for row in self.rows)

    def all_comparisons(self) -> list[Comparison]:
        """Rows with the baseline, then those of --compare that are not among them."""
        with_baseline = [
            Comparison(row.name, self.baseline or "", row.train, row.gains)
            for row in self.rows
            if row.gains
        ]
        present = {comparison[:3] for comparison in with_baseline}
        return with_baseline + [c for c in self.comparisons if c[:3] not in present]


def make_report(
    runs: Iterable[Run],
    split: str,
    names: Sequence[str] = (),
    baseline: str | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    metrics: Mapping[str, str] = METRICS,
) -> Report:
    """Summarise runs.

    Args:
        runs: finished ones.
        split: "val" or "test".
        names: the rows to show, in this order; none means all, the baseline first. A row has the
            name of its runs, and the label that tables print. One that has commas may come in
            parts.
        baseline: the row that others are compared with.
        pairs: further comparisons, a - b.
        metrics: title -> key without the split.

    Raises:
        UserError: a row does not exist, or two rows have no seed in common at any size.
    """
    groups: dict[tuple[str, int | None], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.row, run.train), []).append(run)
    known = list(dict.fromkeys(name for name, _ in groups))
    labels = {name: members[0].label for (name, _), members in groups.items()}
    typed = _TypedRows(labels)
    names = typed.names(names)
    baseline = typed.name(baseline) if baseline else None
    pairs = [(typed.name(a), typed.name(b)) for a, b in pairs]

    keys = {title: f"{split}/{key}" for title, key in metrics.items()}
    # Without --rows the baseline comes first; `sorted` keeps the order of the others.
    shown = list(names) or sorted(known, key=lambda name: name != baseline)
    rows = []
    for size in _sizes(size for _, size in groups):
        for name in shown:
            if (name, size) in groups:
                base = groups.get((baseline or "", size), []) if name != baseline else []
                rows.append(_row(groups[name, size], base, keys))

    # A comparison is made at every size that both rows have.
    comparisons = []
    for a, b in pairs:
        for size in _sizes(size for _, size in groups):
            if (a, size) in groups and (b, size) in groups:
                differences = _differences(groups[a, size], groups[b, size], keys)
                if differences:
                    comparisons.append(Comparison(a, b, size, differences))
        if not any((c.a, c.b) == (a, b) for c in comparisons):
            raise UserError(
                f"--compare {a}:{b}: the two have no seed in common; run both with the same seeds"
            )
    if baseline and len(shown) > 1 and not any(row.gains for row in rows):
        raise UserError(
            f"--baseline {baseline}: no other row has a seed in common with it; run both with the "
            "same seeds"
        )
    present = {name: key for name, key in metrics.items() if any(name in r.metrics for r in rows)}
    costs = [name for name in COSTS if any(name in row.costs for row in rows)]
    return Report(rows, comparisons, present, costs, baseline, labels)


class _TypedRows:
    """The names of rows as a user types them: by name, or by the label that tables print.

    Args:
        labels: by name.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        times = Counter(labels.values())
        # a label of two rows is none of them; a name comes before another row's label
        known = {label: name for name, label in labels.items() if times[label] == 1}
        known |= {name: name for name in labels}
        self.known = {_without_spaces(typed): name for typed, name in known.items()}

    def name(self, typed: str) -> str:
        name = self.known.get(_without_spaces(typed))
        if name is None:
            rows = (f"{n} ({label})" if label != n else n for n, label in self.labels.items())
            raise UserError(f"{typed}: no finished run of this row; there are {', '.join(rows)}")
        return name

    def names(self, parts: Sequence[str]) -> list[str]:
        """Of a list that was divided at its commas, also at those within a label."""
        names = []
        while parts:
            ends = range(len(parts), 1, -1)
            end = next((end for end in ends if ",".join(parts[:end]) in self.known), 1)
            names.append(self.name(",".join(parts[:end])))
            parts = parts[end:]
        return names


def _without_spaces(name: str) -> str:
    """A name without spaces at its commas."""
    return ",".join(part.strip() for part in name.split(","))


def _sizes(sizes: Iterable[int | None]) -> list[int | None]:
    return sorted(set(sizes), key=lambda size: size or 0)


def _row(members: Sequence[Run], base: Sequence[Run], keys: Mapping[str, str]) -> Row:
    metrics = {}
    for title, key in keys.items():
        values = _by_seed(members, key)
        if values:
            metrics[title] = spread(values)

    costs = {}
    for title, key in COSTS.items():
        seconds = list(_by_seed(members, key).values())
        if seconds:
            costs[title] = sum(seconds) / len(seconds)

    first = members[0]
    gains = _differences(members, base, keys)
    return Row(first.row, first.train, tuple(members), metrics, gains, costs)


def _differences(a: Sequence[Run], b: Sequence[Run], keys: Mapping[str, str]) -> dict[str, Spread]:
    """a - b of every metric that both have for some common seed."""
    found = {
        title: paired_difference(_by_seed(a, key), _by_seed(b, key)) for title, key in keys.items()
    }
    return {title: difference for title, difference in found.items() if difference.seeds}


def _by_seed(runs: Iterable[Run], key: str) -> dict[int, float]:
    return {run.seed: run.metrics[key] for run in runs if key in run.metrics}
