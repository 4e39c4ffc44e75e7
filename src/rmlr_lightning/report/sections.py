"""The parts of a page that show one run: classes, errors, breakdowns, words, confusions, cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.report.bar_cells import with_bars
from rmlr_lightning.report.curves import loss_title
from rmlr_lightning.report.image_cards import jpeg_uri, pair_of_boxes
from rmlr_lightning.report.measures import class_notes, main_matched
from rmlr_lightning.report.run_record import RunRecord, small_image, versions

CONFUSED_OBJECTS, CONFUSED_VERBS = 8, 10  # that are shown
BREAKDOWNS = ("rarity", "pairs_in_image", "human_size", "object_size", "distance", "verb", "object")
ERRORS = {
    "missed_human": "the person was not detected",
    "missed_object": "the person was detected, the object was not",
    "pairing": "both boxes are right, but of different pairs",
    "wrong_verb": "the pair is right, the verb is not",
    "duplicate": "the pair was found twice",
}


def class_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Each class with annotations: its AP and counts, by falling AP."""
    # V-COCO's roles have names and counts of their own, and two scenarios.
    matched, notes = main_matched(record.test), class_notes(record.test)
    ap, positives = matched.ap(), matched.positives
    is_hoi = matched is record.test.matched["default"]
    second = None if is_hoi else record.test.matched["scenario_2"].ap()
    rows = [
        {
            "name": name,
            "ap": float(ap[index]),
            "second": None if is_hoi else float(second[index]),
            "truth": int(positives[index]),
            "found": int(record.test.counts[index]) if is_hoi else None,
            "note": notes.get(name),
        }
        for index, name in enumerate(matched.names)
        if positives[index]
    ]
    return sorted(rows, key=lambda row: -row["ap"])


def error_rows(record: RunRecord) -> list[dict[str, Any]]:
    """The types of error, the most expensive first."""
    rows = [
        {"name": name.replace("_", " "), "meaning": ERRORS.get(name, ""), **cost}
        for name, cost in record.test.facts["errors"].items()
    ]
    rows.sort(key=lambda row: -row["cost"])
    return with_bars(rows, "cost", limit=max((row["cost"] for row in rows), default=0.0))


def breakdowns(record: RunRecord) -> dict[str, list[dict[str, Any]]]:
    """AP by groups; groups without annotations are left out."""
    found = dict(record.test.facts["breakdown"])
    if not record.test.vocabulary.rare:  # V-COCO: all classes would be one group
        found.pop("rarity", None)
    out = {}
    for name in BREAKDOWNS:
        rows = [row for row in found.get(name, ()) if row["positives"] and row["ap"] == row["ap"]]
        if name in ("verb", "object"):  # long, so the best come first
            rows.sort(key=lambda row: -row["ap"])
        if rows:
            out[name.replace("_", " ")] = with_bars(rows, "ap", limit=1.0)
    return out


def confusions(record: RunRecord) -> list[dict[str, Any]]:
    """For the objects with the most wrong verbs, how often each verb was taken for which."""
    counts, vocabulary = record.test.confusion, record.test.vocabulary
    # The diagonal has the pairs whose best verb is the annotated one.
    total = counts.sum(axis=(1, 2))
    wrong = total - counts.trace(axis1=1, axis2=2)
    tables = []
    for obj in np.argsort(-wrong, kind="stable")[:CONFUSED_OBJECTS].tolist():
        if not wrong[obj]:
            continue
        table = counts[obj]
        # Only verbs that occur often, as a table of all would not be read.
        often = np.argsort(-(table.sum(0) + table.sum(1)), kind="stable")[:CONFUSED_VERBS]
        verbs = sorted(verb for verb in often.tolist() if table[verb].any() or table[:, verb].any())
        tables.append(
            {
                "object": vocabulary.objects[obj],
                "pairs": int(total[obj]),
                "right": int(total[obj] - wrong[obj]),
                "verbs": [vocabulary.verbs[verb].replace("_", " ") for verb in verbs],
                "counts": table[np.ix_(verbs, verbs)].tolist(),
                "most": int(max(1, table[verbs].max())),
            }
        )
    return tables


def attention_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Pairs with the words that they attend to, where the run aligns tokens with words."""
    test, rows = record.test, []
    place = {name: index for index, name in enumerate(test.file_names)}
    for row in test.facts["attention"]:
        image = place.get(row["image"])
        height, width = (1, 1) if image is None else (int(side) for side in test.sizes[image])
        boxes = [
            np.array(row[name]) * (width, height, width, height) for name in ("box_h", "box_o")
        ]
        rows.append(
            {
                "name": row["image"],
                "source": jpeg_uri(small_image(record, row["image"])),
                "width": width,
                "height": height,
                "pair": pair_of_boxes("", *boxes),
                "phrases": row["phrases"],
                "losses": [
                    {"name": loss_title(name), "words": words}
                    for name, words in row["words"].items()
                ],
            }
        )
    return rows


def costs(record: RunRecord) -> list[tuple[str, str]]:
    """What the run cost."""
    metrics, rows = record.run.metrics, []
    for title, key in (("training, wall clock", "fit_seconds"), ("training, CPU", "cpu_seconds")):
        if key in metrics:
            rows.append((title, duration(metrics[key])))
    last = {name: points[-1][1] for name, points in record.history.items() if points}
    if "cost/images_per_second" in last:
        rows.append(("training speed", f"{last['cost/images_per_second']:.1f} images/s"))
    if "cost/data_wait_share" in last:
        rows.append(("waiting for data", f"{100 * last['cost/data_wait_share']:.0f} % of the time"))
    for name, title in (("memory_gb", "peak memory of the process"), ("gpu_gb", "of the GPU")):
        if f"cost/{name}" in last:
            rows.append((title, f"{last[f'cost/{name}']:.2f} GB"))
    return rows


def origin(record: RunRecord) -> dict[str, Any]:
    """How the run was made: command, code, versions, files."""
    found = record.environment
    # The file is the run's, and may be damaged: every part is checked.
    git = found.get("git") if isinstance(found.get("git"), dict) else {}
    files = found.get("files") if isinstance(found.get("files"), dict) else {}
    features = found.get("features") if isinstance(found.get("features"), dict) else {}
    return {
        "name": record.name,
        "folder": str(record.run.folder),
        "command": command_of(found),
        "overrides": record.overrides,
        "commit": git.get("commit") or record.run.commit or "not recorded",
        "changes": git.get("changes"),
        "versions": versions(found),
        "files": {str(path): str(digest) for path, digest in files.items()},
        "detector": found.get("detector"),
        "text_encoder": str(found.get("text_encoder") or ""),
        "features": {
            f"{split}, view {number}": str(key)
            for split, keys in features.items()
            if isinstance(keys, list)
            for number, key in enumerate(keys)
        },
    }


def command_of(environment: Mapping[str, Any]) -> str:
    """What was typed, with the name of the console script in place of its path."""
    typed = str(environment.get("command") or "")
    program, _, arguments = typed.partition(" ")
    if Path(program).stem in ("train", "rmlr-train"):
        return f"rmlr-train {arguments}".strip()
    return typed


def duration(seconds: float) -> str:
    """ "1 h 05 min", "4.5 min", "12 s"."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def listed(names: Sequence[str], limit: int = 5) -> str:
    """ "a, b, c and 4 more"."""
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
