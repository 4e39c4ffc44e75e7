"""Detection files: a malformed one gets one line that names the file and the place."""

import gzip
import io
import json
import os
import pickle

import numpy as np
import pytest

from rmlr_lightning.errors import UserError
from rmlr_lightning.scoring.detections_file import (
    dataset_of,
    read_pair_detections,
    read_role_detections,
)
from tests.metrics import tiny_worlds as worlds
from tests.scoring.test_export import vcoco_truth_on

NAN = float("nan")
PAIRS = {
    "file_names": np.array(["a", "b"]),
    "image": np.array([0, 1, 1]),
    "boxes_h": np.ones((3, 4), np.float32),
    "boxes_o": np.ones((3, 4), np.float32),
    "objects": np.array([0, 5, 7]),
    "verbs": np.array([0, 0, 1]),
    "scores": np.array([0.5, 0.25, 0.5], np.float32),
}
ROLES = {
    "image_ids": np.array([3, 3, 5]),
    "boxes_h": np.ones((3, 4)),
    "boxes_o": np.array([[NAN] * 4, [1.0] * 4, [0.0] * 4]),
    "actions": np.array([0, 0, 7]),
    "roles": np.array([0, 1, 2]),
    "scores": np.array([0.5, 0.25, 0.5]),
}


def npz(columns):
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


def read_pairs(path, content):
    path.write_bytes(content)
    return read_pair_detections(path, ["a", "b", "c"], worlds.VOCABULARY)


def read_roles(path, content, **kwargs):
    path.write_bytes(content)
    return read_role_detections(path, vcoco_truth_on([3, 5]), **kwargs)


def refused(run, path, *words):
    with pytest.raises(UserError) as info:
        run()
    message = str(info.value)
    assert message.startswith(str(path)) and "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("scores", np.array([0.5, NAN, 0.5]), ["scores[1]", "nan"]),
        ("scores", np.array([0.5, 0.5]), ["scores", "2 rows", "3"]),
        ("scores", np.ones((3, 1)), ["scores", "(3, 1)", "(K,)"]),
        ("scores", np.array(["x", "y", "z"]), ["scores", "not numbers"]),
        ("boxes_h", np.ones((3, 5)), ["boxes_h", "(3, 5)", "(K, 4)"]),
        ("boxes_o", np.full((3, 4), NAN), ["boxes_o[0]"]),
        ("boxes_o", np.full((3, 4), np.inf), ["boxes_o[0]"]),
        ("verbs", np.array([0, 1, 3]), ["verbs[2]", "3", "unknown", "0..2"]),
        ("verbs", np.array([0, -1, 2]), ["verbs[1]", "unknown"]),
        ("verbs", np.array([0, 0.5, 2]), ["verbs[1]", "integer"]),
        ("objects", np.array([0, 1, 80]), ["objects[2]", "80", "unknown"]),
        ("image", np.array([0, 1, 2]), ["image[2]", "file_names"]),
        ("image", np.array([0, 1, NAN]), ["image[2]", "integer"]),
        ("file_names", np.array(["a", "z"]), ["'z'", "not in the ground truth"]),
        ("file_names", np.array(["a", "a"]), ["'a'", "twice"]),
        ("file_names", np.array([1, 2]), ["file_names", "names"]),
    ],
)
def test_pairs_that_are_malformed(tmp_path, key, value, words):
    path = tmp_path / "d.npz"
    refused(lambda: read_pairs(path, npz(PAIRS | {key: value})), path, *words)
    if value.dtype.kind != "f" or np.isfinite(value).all():
        lists = {k: v.tolist() for k, v in (PAIRS | {key: value}).items()}
        refused(lambda: read_pairs(path, json.dumps(lists).encode()), path, key)
    refused(
        lambda: read_pairs(path, npz({k: v for k, v in PAIRS.items() if k != key})),
        path,
        key,
        "no key",
    )


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", ["empty"]),
        (b"  \n", ["empty"]),
        (npz(PAIRS)[:700], ["truncated"]),
        (gzip.compress(npz(PAIRS))[:-20], ["truncated"]),
        (b"PK\x03\x04 and then nothing", ["truncated"]),
        (b'{"file_names": ["a"', ["truncated", "JSON"]),
        (b"[1, 2]", ["not HICO-DET"]),
        (b"anything else", ["not HICO-DET"]),
        (npz({"file_names": np.array([{}], dtype=object)}), ["Python objects"]),
    ],
)
def test_files_that_are_broken(tmp_path, content, words):
    path = tmp_path / "d.npz"
    refused(lambda: read_pairs(path, content), path, *words)


def test_every_cut_of_an_archive_is_told(tmp_path):
    whole = npz(PAIRS)
    for cut in range(0, len(whole), 97):
        refused(lambda cut=cut: read_pairs(tmp_path / "d.npz", whole[:cut]), tmp_path / "d.npz")


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "none.npz"
    refused(lambda: read_pair_detections(path, [], worlds.VOCABULARY), path, "No such file")
    refused(lambda: dataset_of(tmp_path), tmp_path, "cannot be read")


def test_empty_tables_of_any_type(tmp_path):
    for shape in ((0,), (0, 4)):
        empty = {key: np.zeros(0) for key in PAIRS} | {
            "boxes_h": np.zeros(shape),
            "boxes_o": np.zeros(shape),
        }
        assert len(read_pairs(tmp_path / "d", npz(empty)).scores) == 0
    assert (
        len(read_pairs(tmp_path / "d", json.dumps({key: [] for key in PAIRS}).encode()).scores) == 0
    )
    assert (
        len(read_roles(tmp_path / "d", npz({key: np.zeros(0) for key in ROLES})).rows.scores) == 0
    )
    assert len(read_roles(tmp_path / "d", b"[]").rows.scores) == 0


def test_gzip_and_whole_floats_and_other_orders(tmp_path):
    floats = PAIRS | {"verbs": PAIRS["verbs"].astype(float), "file_names": np.array([b"c", b"a"])}
    read = read_pairs(tmp_path / "d.npz.gz", gzip.compress(npz(floats)))
    assert read.pairs.images.tolist() == [2, 0, 0]
    assert read.pairs.hois.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("scores", np.array([0.5, NAN, 0.5]), ["scores[1]"]),
        ("actions", np.array([0, 26, 7]), ["actions[1]", "26"]),
        ("roles", np.array([0, 1, 3]), ["roles[2]", "3"]),
        ("roles", np.array([0, 2, 2]), ["row 1", "'hold'", "0..1"]),
        ("boxes_o", np.array([[NAN] * 4, [1, 1, NAN, 1], [0.0] * 4]), ["boxes_o[1]"]),
        ("boxes_h", np.full((3, 4), NAN), ["boxes_h[0]"]),
        ("image_ids", np.array([3, 4, 5]), ["image 4", "not in the ground truth"]),
        ("image_ids", np.array([3, 5]), ["rows"]),
    ],
)
def test_roles_that_are_malformed(tmp_path, key, value, words):
    path = tmp_path / "d.npz"
    refused(lambda: read_roles(path, npz(ROLES | {key: value})), path, *words)


def test_images_that_exist_but_are_not_scored_are_left_out(tmp_path):
    read = read_roles(
        tmp_path / "d", npz(ROLES | {"image_ids": np.array([3, 4, 5])}), also_known=[3, 4, 5]
    )
    assert read.left_out == 1 and read.rows.images.tolist() == [0, 1]


PERSON = {
    "image_id": 3,
    "person_box": [0, 0, 5, 5],
    "hold_agent": 0.5,
    "hold_obj": [1, 1, 2, 2, 0.75],
    "walk_agent": NAN,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", [np.array, np.float32, list])
def test_official_pickles_of_any_protocol(tmp_path, protocol, array):
    person = PERSON | {
        "person_box": array([0.0, 0, 5, 5]),
        "hold_agent": np.float32(0.5),
        "image_id": np.int64(3),
    }
    rows = read_roles(tmp_path / "d.pkl", pickle.dumps([person] * 2, protocol=protocol)).rows
    assert rows.actions.tolist() == [0, 0, 0, 0] and rows.roles.tolist() == [0, 1, 0, 1]
    assert rows.scores.tolist() == [0.5, 0.75] * 2 and rows.images.tolist() == [0] * 4
    assert np.isnan(rows.boxes_o[0]).all() and rows.boxes_o[1].tolist() == [1, 1, 2, 2]


class Execute:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


def test_a_pickle_that_executes_is_refused_before_it_does(tmp_path):
    path, trace = tmp_path / "d.pkl", tmp_path / "trace"
    for attack in (
        Execute(os.system, f"touch {trace}"),
        Execute(eval, f"open({str(trace)!r}, 'w')"),
        Execute(getattr, PERSON, "clear"),
        Execute(np.load, str(trace)),
        Execute(print, "x"),
    ):
        for protocol in (0, 2, 5):
            content = pickle.dumps([PERSON, attack], protocol=protocol)
            refused(lambda content=content: read_roles(path, content), path, "for safety")
            assert not trace.exists()


def test_pickles_that_are_broken_or_something_else(tmp_path):
    path = tmp_path / "d.pkl"
    whole = pickle.dumps([PERSON] * 3)
    for cut in range(1, len(whole), 11):
        refused(lambda cut=cut: read_roles(path, whole[:cut]), path)
    for content, words in (
        ({"a": 1}, ["image_ids"]),
        ([1, 2], ["list of one dictionary"]),
        ([PERSON | {"hold_obj": [1, 2, 3]}], ["hold_obj of person 0", "5 numbers"]),
        ([PERSON, PERSON | {"person_box": None}], ["person_box of person 1"]),
        ([PERSON | {"person_box": [NAN] * 4}], ["person_box of person 0"]),
        ([PERSON | {"fly_agent": 0.5}], ["fly_agent"]),
        ([PERSON | {"image_id": 9}], ["image 9"]),
        ([{"image_id": 3, "person_box": [0, 0, 1, 1]}], ["hold_agent"]),
        (
            [{k: v for k, v in PERSON.items() if k != "image_id"}],
            ["image_id of person 0", "missing"],
        ),
    ):
        refused(lambda content=content: read_roles(path, pickle.dumps(content)), path, *words)
