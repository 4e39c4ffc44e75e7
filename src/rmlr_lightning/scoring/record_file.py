"""The record of a test as one file, test_record.npz."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.metrics.average_precision import all_points, eleven_points
from rmlr_lightning.metrics.hicodet import PairTable
from rmlr_lightning.scoring.detection_columns import read_content
from rmlr_lightning.scoring.matched import MatchedDetections
from rmlr_lightning.scoring.record import BestRows, TestRecord
from rmlr_lightning.vocabulary import Vocabulary

FILE = "test_record.npz"
FORMAT = 1
AREAS = {"eleven_points": eleven_points, "all_points": all_points}
ROWS = ("classes", "images", "scores", "true", "truth_classes", "truth_images")
TABLE = PairTable._fields


def write_record(path: Path, record: TestRecord, thumbnails: dict[str, bytes]) -> None:
    """Write a record, and small JPEG files of some of its images by file name.

    Raises:
        UserError: the file cannot be written.
    """
    arrays: dict[str, Any] = {
        name: getattr(record, name) for name in ("sizes", "image_ap", "counts")
    }
    # most of the confusion is zeros
    places = np.flatnonzero(record.confusion)
    arrays |= {"confused": places, "confusion": record.confusion.ravel()[places]}
    settings = {}
    for setting, matched in record.matched.items():
        arrays |= {f"{setting}/{name}": getattr(matched, name) for name in ROWS}
        # JSON has neither boolean arrays nor functions nor NaN.
        settings[setting] = {
            "num_images": matched.num_images,
            "names": list(matched.names),
            "means": {name: np.flatnonzero(c).tolist() for name, c in matched.means.items()},
            "area": matched.area.__name__,
            "absent": None if np.isnan(matched.absent) else matched.absent,
        }
    for prefix, table in (("truth", record.truth), ("best", record.best.table)):
        arrays |= {f"{prefix}/{name}": getattr(table, name) for name in TABLE}
    arrays |= {"best/scores": record.best.scores, "best/true": record.best.true}
    for number, content in enumerate(thumbnails.values()):
        arrays[f"thumbnail/{number}"] = np.frombuffer(content, dtype=np.uint8)

    # Everything that is no array goes into one JSON text: npz would pickle it.
    vocabulary = record.vocabulary._asdict() | {"rare": sorted(record.vocabulary.rare)}
    text = {
        "format": FORMAT,
        "vocabulary": vocabulary,
        "file_names": record.file_names,
        "settings": settings,
        "thumbnails": list(thumbnails),
        "facts": record.facts,
    }
    arrays["text"] = np.frombuffer(json.dumps(text).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def read_record(path: Path) -> tuple[TestRecord, dict[str, bytes]]:
    """What `write_record` wrote.

    Raises:
        UserError: the file is missing, damaged or of another version.
    """
    # checks size and content: a record may come from anybody
    arrays = read_content(path)
    try:
        text = json.loads(arrays["text"].tobytes())
        if text["format"] != FORMAT:
            raise ValueError(f"format {text['format']}")
        settings = {name: _matched(name, arrays, facts) for name, facts in text["settings"].items()}
        thumbnails = {
            name: arrays[f"thumbnail/{number}"].tobytes()
            for number, name in enumerate(text["thumbnails"])
        }
        return _record(arrays, text, settings), thumbnails
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise UserError(
            f"{path}: not a record of a test ({reason}); remove it, the report works without"
        ) from None


def _record(
    arrays: dict[str, np.ndarray], text: dict[str, Any], settings: dict[str, MatchedDetections]
) -> TestRecord:
    parts = text["vocabulary"]
    vocabulary = Vocabulary(
        verbs=tuple(parts["verbs"]),
        hois=tuple((verb, obj) for verb, obj in parts["hois"]),
        rare=frozenset(parts["rare"]),
        objects=tuple(parts["objects"]),
        subject=parts["subject"],
    )
    shape = (len(vocabulary.objects), len(vocabulary.verbs), len(vocabulary.verbs))
    confusion = np.zeros(shape, dtype=np.int32)
    confusion.ravel()[arrays["confused"]] = arrays["confusion"]
    truth, best = (
        PairTable(*(arrays[f"{prefix}/{name}"] for name in TABLE)) for prefix in ("truth", "best")
    )
    return TestRecord(
        vocabulary=vocabulary,
        file_names=text["file_names"],
        sizes=arrays["sizes"],
        matched=settings,
        image_ap=arrays["image_ap"],
        truth=truth,
        best=BestRows(best, arrays["best/scores"], arrays["best/true"]),
        counts=arrays["counts"],
        confusion=confusion,
        facts=text["facts"],
    )


def _matched(
    setting: str, arrays: dict[str, np.ndarray], facts: dict[str, Any]
) -> MatchedDetections:
    classes = np.arange(len(facts["names"]))
    return MatchedDetections(
        **{name: arrays[f"{setting}/{name}"] for name in ROWS},
        num_images=facts["num_images"],
        names=facts["names"],
        means={name: np.isin(classes, members) for name, members in facts["means"].items()},
        area=AREAS[facts["area"]],
        absent=float("nan") if facts["absent"] is None else facts["absent"],
    )
