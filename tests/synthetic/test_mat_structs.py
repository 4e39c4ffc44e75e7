"""The MATLAB file of the world against scipy's, byte for byte."""

import io

import numpy as np
from scipy.io import savemat

from rmlr_lightning.synthetic.mat_structs import Structs, mat_file

HEADER = 128  # text, which is scipy's date there, and version


def as_scipy(value):
    if not isinstance(value, Structs):
        return value
    out = np.empty((1, len(value.rows)), dtype=[(name, object) for name in value.fields])
    for i, row in enumerate(value.rows):
        out[0, i] = tuple(as_scipy(item) for item in row)
    return out.T if value.column else out


def test_bytes_equal_scipys():
    boxes = Structs(("x1", "x2"), [(1.0, 2.5), (3.0, 448.0)])
    empty = Structs(("x1", "x2"), [])
    links = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    variables = {
        "bbox": Structs(
            ("filename", "size", "hoi", "links"),
            [("a.jpg", 320, boxes, links), ("eat", 1, empty, links[:1])],
        ),
        "one": Structs(("n", "number"), [("cat", 1), ("horse", 1.0)], column=True),
    }
    buffer = io.BytesIO()
    savemat(
        buffer, {name: as_scipy(value) for name, value in variables.items()}, do_compression=True
    )
    ours, scipys = mat_file(variables), buffer.getvalue()
    assert ours[HEADER:] == scipys[HEADER:]
    assert ours[116:HEADER] == scipys[116:HEADER] and ours.startswith(b"MATLAB 5.0 MAT-file")
