"""Damage to the bytes of a file, and the encodings of documents."""

import gzip
import io
import json
import pickle
import random
import struct
import zipfile
from typing import Any

import numpy as np
import torch
import yaml

_WORDS = (0, 1, 2, 3, 4, 5, 6, 9, 14, 15, 16, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A file with some of its bytes changed, cut, repeated, or packed in another way."""
    return rng.choice(
        (_flipped, _flipped, _flipped, _word, _word, _word, _cut, _without, _twice, _packed)
    )(content, rng)


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8)) if content else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _word(content: bytes, rng: random.Random) -> bytes:
    """Another length, type or count in a binary layout."""
    if len(content) < 8:
        return content
    at = rng.randrange(len(content) // 4) * 4
    return content[:at] + struct.pack("<I", rng.choice(_WORDS)) + content[at + 4 :]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _without(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.choice((1, 4, 100)) :]


def _twice(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at : at + rng.choice((1, 8, 100))] + content[at:]


def _packed(content: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(8)
    if kind == 0:
        return gzip.compress(content, 1)
    if kind == 1:
        return gzip.compress(content, 1)[: rng.randrange(5, 40)]
    if kind == 2:
        with io.BytesIO() as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("../../out", content)
            return file.getvalue()
    if kind == 3:
        return content.decode("latin-1").encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")))
    if kind == 4:
        return b"[" * rng.choice((100, 100_000))
    if kind == 5:
        return b'{"a":' * 100_000
    if kind == 6:
        return b"9" * 5_000
    return b"\xff" + content


def as_json(document: Any, rng: random.Random) -> bytes:
    """JSON, with NaN and infinity as Python writes them."""
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def as_yaml(document: Any, rng: random.Random) -> bytes:
    """YAML of plain values."""
    return yaml.safe_dump(document).encode("utf-8", "surrogatepass")


def as_lines(document: Any, rng: random.Random) -> bytes:
    """A table: a list of lists as comma-separated lines."""
    lines = [",".join(str(value) for value in line) for line in document]
    return rng.choice(("\n", "\r\n")).join(lines).encode("utf-8", "surrogatepass")


def as_npz(document: Any, rng: random.Random) -> bytes:
    """{key: list} as arrays of the type that numpy chooses."""
    with io.BytesIO() as file:
        np.savez(file, **{key: np.array(value) for key, value in document.items()})
        return file.getvalue()


def as_pickle(document: Any, rng: random.Random) -> bytes:
    """A pickle of any protocol."""
    return pickle.dumps(document, protocol=rng.randrange(5))


def as_torch(document: Any, rng: random.Random) -> bytes:
    """What torch.save writes."""
    with io.BytesIO() as file:
        torch.save(document, file)
        return file.getvalue()


def as_safetensors(document: Any, rng: random.Random) -> bytes:
    """{"header": ..., "data": bytes} with the length in front, whatever the header holds."""
    header = json.dumps(document["header"]).encode("utf-8", "surrogatepass")
    data = document["data"]
    length = len(header) if rng.random() < 0.95 else rng.choice((0, 2**40, len(header) + 1))
    return struct.pack("<Q", length) + header + (data if isinstance(data, bytes) else b"")


def safetensors_document(content: bytes) -> dict[str, Any]:
    """The parts of a safetensors file, for `as_safetensors`."""
    (length,) = struct.unpack_from("<Q", content)
    return {"header": json.loads(content[8 : 8 + length]), "data": content[8 + length :]}


def unchanged(document: Any, rng: random.Random) -> bytes:
    """For files without a document: only their bytes are damaged."""
    return document
