"""Tables of triplets: CSV in the ways that programs write it, and JSON."""

import json

import pytest

from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.triplets import Triplet, read_triplets

ROWS = [
    Triplet("a.jpg", 1, "weld", 2, "train"),
    Triplet("b.jpg", None, None, None, "test"),
]
PLAIN = "image,human,verb,object,split\na.jpg,1,weld,2,train\nb.jpg,,,,test\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
        b"verb,image,note,object,human,split\nweld, a.jpg ,x,2,1,train\n,b.jpg,x,,,test\n",
        json.dumps([row._asdict() for row in ROWS]).encode(),
    ],
)
def test_layouts(content, tmp_path):
    (tmp_path / "triplets").write_bytes(content)
    assert read_triplets(tmp_path / "triplets") == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(end, tmp_path):
    path = tmp_path / "triplets.csv"
    path.write_bytes(end.join(["image,human,verb,object", "a.jpg,1,weld,2", ""]).encode())
    assert [row[:4] for row in read_triplets(path)] == [("a.jpg", 1, "weld", 2)]


def test_a_split_is_optional(tmp_path):
    (tmp_path / "train.csv").write_text("image,human,verb,object\na.jpg,1,weld,2\n")
    assert read_triplets(tmp_path / "train.csv") == [ROWS[0]._replace(split=None)]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "the file is empty"),
        ("image,human,verb\n", "no column 'object'"),
        ("image,human,verb,object\n,1,weld,2\n", "line 2 has no image"),
        ("image,human,verb,object\na.jpg,1,,2\n", "line 2 has no verb"),
        (
            "image,human,verb,object\na.jpg,1.0,weld,2\n",
            "human of line 2 is '1.0', not the integer",
        ),
        ("image,human,verb,object\na.jpg,1,weld,x2\n", "object of line 2 is 'x2'"),
        ('[{"image": "a.jpg", "human": 1.0, "verb": "weld", "object": 2}]', "human of record 0"),
        ('[{"image": "a.jpg", "human": 1, "verb": 3, "object": 2}]', "verb of record 0 is 3"),
        ('[{"image": 7}]', "record 0 has no image"),
        ('{"image": "a.jpg"}', "not a list of triplets"),
        ("[3]", "record 0 has no image"),
    ],
)
def test_refused(content, match, tmp_path):
    (tmp_path / "triplets.csv").write_text(content)
    with pytest.raises(AnnotationError, match=match) as caught:
        read_triplets(tmp_path / "triplets.csv")
    assert "\n" not in str(caught.value) and "docs/DATA.md" in str(caught.value)
