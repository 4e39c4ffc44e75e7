"""Compared with scipy, which writes and reads MAT-files; what only MATLAB writes is made here."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy.io import loadmat, savemat

from rmlr_lightning.annotations.matlab_file import MatlabError, read_matlab

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def saved(variables, **options):
    buffer = io.BytesIO()
    savemat(buffer, variables, **options)
    return buffer.getvalue()


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(array_class, shape, *content, name=b"", order="<"):
    """A matrix by the published format."""
    flags = element(6, struct.pack(f"{order}II", array_class, 0), order)
    dimensions = element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, flags + dimensions + element(1, name, order) + b"".join(content), order)


def whole(*variables, order="<"):
    return (
        b"MATLAB 5.0 MAT-file".ljust(124)
        + struct.pack(f"{order}H", 0x0100)
        + {"<": b"IM", ">": b"MI"}[order]
        + b"".join(variables)
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: nps.arrays(
            dtype, nps.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4)
        )
    ),
    st.booleans(),
)
def test_numbers_as_scipy_reads_them(array, compressed):
    content = saved({"x": array}, do_compression=compressed)
    found, expected = read_matlab(content, ["x"])["x"], loadmat(io.BytesIO(content))["x"]
    if expected.size == 1:
        np.testing.assert_equal(found, float(expected.item()))
    else:
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_structs_cells_and_text():
    names = np.empty((1, 2), dtype=object)
    names[0] = ["a.jpg", "bé.jpg"]
    content = saved(
        {"s": {"size": {"width": 640}, "names": names, "none": np.zeros((0, 0))}, "unwanted": 1}
    )
    found = read_matlab(content, ["s", "absent"])
    assert list(found) == ["s"]
    (element_of_s,) = found["s"]
    assert element_of_s["size"] == [{"width": 640.0}]
    assert element_of_s["names"] == ["a.jpg", "bé.jpg"]
    assert element_of_s["none"].shape == (0, 0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_only_matlab_writes(order):
    """Doubles stored as bytes, two-byte characters, small elements, unset fields; both orders."""
    wide = "x".encode("utf-16-le" if order == "<" else "utf-16-be")
    small = struct.pack(f"{order}I", 2 << 16 | 2) + b"\x07\x09\0\0"  # type and length in one word
    unset = element(14, b"", order)
    fields = element(5, struct.pack(f"{order}i", 8), order) + element(
        1, b"t\0\0\0\0\0\0\0u\0\0\0\0\0\0\0", order
    )
    content = whole(
        matrix(6, (1, 2), small, name=b"numbers", order=order),
        matrix(4, (1, 2), element(4, wide * 2, order), name=b"text", order=order),
        matrix(
            2,
            (1, 1),
            fields,
            matrix(4, (1, 1), element(16, b"y", order), order=order),
            unset,
            name=b"s",
            order=order,
        ),
        order=order,
    )
    found = read_matlab(content, ["numbers", "text", "s"])
    assert found["numbers"].tolist() == [[7, 9]] and found["text"] == "xx"
    assert found["s"][0]["t"] == "y" and found["s"][0]["u"].size == 0


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "header"),
        (b"MATLAB 5.0".ljust(128), "header"),
        (b"MATLAB 7.3 MAT-file".ljust(128), "-v7.3"),
        (whole(b"\0\0\0"), "too soon"),
        (whole(element(9, b"")), "unknown type 9"),
        (whole(element(15, b"no zlib at all")), "incorrect header"),
        (whole(matrix(6, (1, 3), element(9, bytes(16)), name=b"x")), "2 numbers in an array of 3"),
        (whole(matrix(6, (-1, 3), element(9, bytes(16)), name=b"x")), "negative"),
        (whole(matrix(6, (1,) * 40, element(9, bytes(8)), name=b"x")), "dimensions"),
        (whole(matrix(1, (2**30, 2**30), name=b"x")), "more elements than bytes"),
        (whole(matrix(3, (1, 1), name=b"x")), "class 3"),
        (
            whole(matrix(6 | 0x800, (1, 1), element(9, bytes(8)), element(9, bytes(8)), name=b"x")),
            "complex",
        ),
        (whole(matrix(2, (1, 1), element(5, bytes(4)), element(1, b""), name=b"x")), "field names"),
    ],
)
def test_refused(content, match):
    with pytest.raises(MatlabError, match=match):
        read_matlab(content, ["x"])


def test_a_changed_type_is_refused():
    """scipy 1.17 ends with a segmentation fault on this file: 9 (float64) became 41, one byte."""
    content = bytearray(saved({"x": 1.0}))
    assert content[176] == 9
    content[176] = 41
    with pytest.raises(MatlabError, match="type 41 where numbers should be"):
        read_matlab(bytes(content), ["x"])


def test_nesting_is_limited():
    inner = matrix(6, (1, 1), element(9, bytes(8)))
    for _ in range(2000):
        inner = matrix(1, (1, 1), inner)
    outer = matrix(1, (1, 1), inner, name=b"x")
    with pytest.raises(MatlabError, match="nested too deep"):
        read_matlab(whole(outer), ["x"])
