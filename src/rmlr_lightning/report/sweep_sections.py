"""Parts of the page of a sweep that show classes, errors, cost and runs of its rows."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.report.measures import ClassTable
from rmlr_lightning.report.percent import percent, signed
from rmlr_lightning.report.run_record import RunRecord
from rmlr_lightning.report.sections import command_of, duration, origin

Tables = Mapping[str, Sequence[ClassTable]]  # of the runs of each row
# Key in metrics.json or in the log, title, factor and digits
COSTS = (
    ("fit_seconds", "training, min", 1 / 60, 1),
    ("cpu_seconds", "CPU, min", 1 / 60, 1),
    ("cost/images_per_second", "images/s", 1.0, 1),
    ("cost/data_wait_share", "waiting for data, %", 100.0, 0),
    ("cost/memory_gb", "peak memory, GB", 1.0, 2),
    ("cost/gpu_gb", "of the GPU, GB", 1.0, 2),
)


def sweep_classes(with_test: Tables, baseline: str | None) -> dict[str, list[dict[str, Any]]]:
    """AP of each class for each row, and its difference to the baseline if that has classes.

    Returns:
        "ap": by the AP of the first row. "gains": by the change of the first row that is not the
        baseline; a cell has its text and the share of the largest change.
    """
    means = {}
    for row, members in with_test.items():
        if all(table.names == members[0].names for table in members):
            mean = np.mean([table.ap for table in members], axis=0)
            means[row] = dict(zip(members[0].names, mean.tolist(), strict=True))
    if not means:
        return {"ap": [], "gains": []}

    first = next(iter(with_test.values()))[0]
    nan = float("nan")
    known = [
        {"name": name, "truth": int(count), "note": first.notes.get(name)}
        for name, count in zip(first.names, first.positives, strict=True)
        if count
    ]
    ap = [
        row | {"ap": [means.get(name, {}).get(row["name"], nan) for name in with_test]}
        for row in known
    ]
    ap.sort(key=lambda row: -row["ap"][0])
    if baseline not in means or len(means) < 2:
        return {"ap": ap, "gains": []}

    place = list(with_test).index(baseline)
    gains = []
    for row in ap:
        changes = [value - row["ap"][place] for value in row["ap"]]
        del changes[place]
        gains.append(row | {"changes": changes})
    gains.sort(key=lambda row: -np.nan_to_num(row["changes"][0]))
    widest = max((abs(x) for row in gains for x in row["changes"] if x == x), default=0) or 1
    for row in gains:
        row["cells"] = [
            {"text": signed(x), "share": round(100 * abs(x) / widest) if x == x else 0, "up": x > 0}
            for x in row.pop("changes")
        ]
    return {"ap": ap, "gains": gains}


def error_names(with_test: Tables) -> list[str]:
    """Heads of the table of errors."""
    first = next(iter(with_test.values()), None)
    return [name.replace("_", " ") for name in first[0].errors] if first else []


def sweep_errors(labels: Mapping[str, str], with_test: Tables) -> list[dict[str, Any]]:
    """The cost of each type of error, mean over the seeds of a row."""
    rows = []
    for row, members in with_test.items():
        costs = np.mean([list(table.errors.values()) for table in members], axis=0)
        rows.append({"label": labels[row], "costs": costs.tolist()})
    return rows


def sweep_costs(
    labels: Mapping[str, str], of_row: Mapping[str, Sequence[RunRecord]]
) -> dict[str, Any] | None:
    """What each row cost, mean over its runs; None without any cost."""
    values = {
        row: {key: _mean_cost(members, key) for key, *_ in COSTS} for row, members in of_row.items()
    }
    shown = [cost for cost in COSTS if any(found[cost[0]] is not None for found in values.values())]
    if not shown:
        return None
    of_last_epoch = any(key.startswith("cost/") for key, *_ in shown)
    return {
        "note": "Mean over the runs of a row"
        + ("; speed, waiting and memory of the last epoch." if of_last_epoch else "."),
        "heads": [title for _, title, *_ in shown],
        "rows": [
            {
                "label": labels[row],
                "cells": [
                    "-" if found[key] is None else f"{factor * found[key]:,.{digits}f}"
                    for key, _, factor, digits in shown
                ],
            }
            for row, found in values.items()
        ],
    }


def _mean_cost(members: Sequence[RunRecord], key: str) -> float | None:
    found = [record.run.metrics.get(key) for record in members]
    # what is logged by epoch: the last value
    found += [record.history[key][-1][1] for record in members if record.history.get(key)]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def run_row(record: RunRecord, key: str) -> dict[str, Any]:
    """A line of the table of runs.

    Args:
        key: of the main metric.
    """
    run = record.run
    return {
        "label": run.label,
        "seed": run.seed,
        "main": percent(run.metrics.get(key, float("nan"))),
        "cost": duration(run.metrics["fit_seconds"]) if "fit_seconds" in run.metrics else "-",
        "commit": origin(record)["commit"][:12],
        "folder": str(run.folder),
        "repeat": _repeat(run.folder),
    }


def typed_commands(records: Sequence[RunRecord]) -> list[str]:
    """What was typed for the runs, each command once: those of a sweep share one."""
    commands = (command_of(record.environment) for record in records)
    return list(dict.fromkeys(command for command in commands if command))


def _repeat(folder: Path) -> str:
    """The command that repeats one run; empty where the folder does not hold what it reads."""
    if not (folder / ".hydra" / "config.yaml").is_file():
        return ""
    return shlex.join(["rmlr-train", "--from-run", str(folder)])
