"""Parts of the page of two runs: classes, confused verbs and words, A beside B."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rmlr_lightning.report.config_differences import MAX_ROWS, config_differences
from rmlr_lightning.report.percent import signed
from rmlr_lightning.report.run_record import RunRecord
from rmlr_lightning.report.sections import attention_rows, class_rows

CONFUSED = 20  # rows that are shown
NAMED = 3  # classes of a sentence


def changed_classes(a: RunRecord, b: RunRecord) -> list[dict[str, Any]]:
    """Every class with annotations, by falling change of its AP."""
    second = {row["name"]: row["ap"] for row in class_rows(b)}
    rows = []
    for row in class_rows(a):
        gain = second[row["name"]] - row["ap"]
        rows.append(
            {**row, "a": row["ap"], "b": second[row["name"]], "change": gain, "gain": signed(gain)}
        )
    return sorted(rows, key=lambda row: -row["change"])


def extreme_classes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Sentences with the largest gains and the largest losses."""
    gains = [row for row in rows[:NAMED] if row["change"] > 0]
    losses = [row for row in reversed(rows[-NAMED:]) if row["change"] < 0]
    named = (("Largest gains", gains), ("Largest losses", losses))
    return [
        f"{title}: {', '.join(' '.join((row['name'], row['gain'])) for row in shown)}."
        for title, shown in named
        if shown
    ]


def changed_confusions(a: RunRecord, b: RunRecord) -> dict[str, Any] | None:
    """The confusions of verbs whose number changed most; None where nothing is confused."""
    first, second = a.test.confusion, b.test.confusion
    vocabulary = a.test.vocabulary
    wrong = np.argwhere((first + second) * ~np.eye(first.shape[1], dtype=bool)).tolist()
    rows = [
        {
            "object": vocabulary.objects[obj],
            "annotated": vocabulary.verbs[verb].replace("_", " "),
            "taken": vocabulary.verbs[other].replace("_", " "),
            "a": int(first[obj, verb, other]),
            "b": int(second[obj, verb, other]),
        }
        for obj, verb, other in wrong
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (-abs(row["b"] - row["a"]), -row["a"]))
    right = [
        f"{letter}: {int(np.trace(counts, axis1=1, axis2=2).sum()):,} of {int(counts.sum()):,}"
        for letter, counts in (("A", first), ("B", second))
    ]
    return {"rows": rows[:CONFUSED], "right": ", ".join(right)}


def words_of_both(a: RunRecord, b: RunRecord) -> list[dict[str, Any]]:
    """Pairs with the words that they attend to, in A and in B where both align words."""
    found: dict[tuple, dict[str, Any]] = {}
    for letter, record in (("A", a), ("B", b)):
        for row in attention_rows(record):
            losses = [loss | {"name": f"{letter}, {loss['name']}"} for loss in row["losses"]]
            # The two may select other pairs of an image, and these have other phrases.
            key = (row["name"], *row["phrases"])
            known = found.setdefault(key, row | {"losses": []})
            known["losses"] = known["losses"] + losses
    # those of both first; `sorted` keeps the order of the others
    return sorted(found.values(), key=lambda row: -len({loss["name"][0] for loss in row["losses"]}))


def differing_options(a: RunRecord, b: RunRecord) -> dict[str, Any]:
    """The options that differ, and a sentence where there are none to show."""
    found = config_differences(a.run.folder, b.run.folder)
    note = ""
    if found is None:
        note = "Not known: the config.yaml of a run is missing or cannot be read."
    elif not found:
        note = "Nothing in their configurations. Code, data and versions are below."
    found = found or []
    return {"rows": found[:MAX_ROWS], "rest": found[MAX_ROWS:], "note": note}
