"""Triplets of your own: who does what with what, as a table beside COCO boxes.

A CSV file with the columns image, human, verb, object and, if it holds all splits, split; or a
JSON list of objects with these keys. `image` is a file name of the boxes json, `human` and
`object` are ids of its annotations. A row with an image alone lists an image without interactions.
"""

import csv
import io
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rmlr_lightning.annotations.file import AnnotationFile, shown

COLUMNS = ("image", "human", "verb", "object")
EXPECTED = "a CSV or JSON file of triplets with image, human, verb, object and, if wanted, split"
HINT = "docs/DATA.md has an example"


class Triplet(NamedTuple):
    """One row. Without an interaction all but the image and its split are None."""

    image: str
    human: int | None
    verb: str | None
    object: int | None
    split: str | None


def read_triplets(path: str | PathLike[str]) -> list[Triplet]:
    """The rows of a file, in its order.

    Raises:
        AnnotationError: the file is missing or broken, or a row is not as described.
    """
    file = AnnotationFile(Path(path), EXPECTED, HINT)
    content = file.read()
    is_json = content.lstrip()[:1] in (b"[", b"{")
    records = file.json(content) if is_json else _csv_records(file, content)
    if not isinstance(records, list):
        raise file.error(f"holds {shown(records)}, not a list of triplets")
    # line 1 of a table is its header
    return [
        _triplet(file, record, f"record {i}" if is_json else f"line {i + 2}")
        for i, record in enumerate(records)
    ]


def _csv_records(file: AnnotationFile, content: bytes) -> list[dict]:
    try:
        text = content.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        raise file.error(f"not a UTF-8 table ({error.reason})") from error
    # spreadsheets of many countries separate by semicolons
    first_line = next(iter(text.splitlines()), "")
    # newline=None: lines may end as on any system
    lines = io.StringIO(text, newline=None)
    reader = csv.DictReader(lines, delimiter=";" if ";" in first_line else ",")
    try:
        fields = [(field or "").strip() for field in reader.fieldnames or []]
        missing = [name for name in COLUMNS if name not in fields]
        if missing:
            raise file.error(f"the first line has no column {missing[0]!r}")
        reader.fieldnames = fields
        return list(reader)
    except csv.Error as error:
        raise file.error(f"not a readable table ({error})") from error


def _triplet(file: AnnotationFile, record: Any, where: str) -> Triplet:
    if not isinstance(record, dict) or not isinstance(record.get("image"), str):
        raise file.error(f"{where} has no image")
    image, split = record["image"].strip(), record.get("split") or None
    if not image:
        raise file.error(f"{where} has no image")
    if split is not None and not isinstance(split, str):
        raise file.error(f"split of {where} is {shown(split)}, not a name")
    split = split.strip() if split else None

    # a table writes an empty cell, JSON null or no key at all
    values = [record.get(name) for name in COLUMNS[1:]]
    is_empty = [value is None or str(value).strip() == "" for value in values]
    if all(is_empty):
        return Triplet(image, None, None, None, split)
    if any(is_empty):
        name = COLUMNS[1 + is_empty.index(True)]
        raise file.error(f"{where} has no {name}; leave out all of human, verb and object, or none")

    human, verb, obj = values
    if not isinstance(verb, str):
        raise file.error(f"verb of {where} is {shown(verb)}, not a name")
    human, obj = (
        _number(file, value, name, where) for value, name in ((human, "human"), (obj, "object"))
    )
    return Triplet(image, human, " ".join(verb.split()), obj, split)


def _number(file: AnnotationFile, value: Any, name: str, where: str) -> int:
    # a table holds text; 3.0 is what spreadsheets make of an id, and no id
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if type(value) is int:
        return value
    raise file.error(f"{name} of {where} is {shown(value)}, not the integer id of a box")
