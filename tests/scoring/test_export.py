"""What is written can be read back, by rmlr-score's readers and as the authors' scripts read it."""

import json
import pickle

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from rmlr_lightning.errors import UserError
from rmlr_lightning.metrics.vcoco_truth import VCOCOTruth
from rmlr_lightning.scoring.detections_file import (
    dataset_of,
    read_pair_detections,
    read_role_detections,
)
from rmlr_lightning.scoring.export import (
    pair_columns,
    role_columns,
    write_hicodet_matlab,
    write_json,
    write_npz,
    write_vcoco_pickle,
)
from rmlr_lightning.types import Detections
from rmlr_lightning.vocabulary import vcoco_actions
from tests.metrics import tiny_worlds as worlds
from tests.metrics.test_vcoco_metric import item

NAMES = [f"{i}.jpg" for i in range(4)]
NAN = float("nan")
EMPTY = (NAN,) * 4


@pytest.fixture
def pairs():
    world = worlds.random_world(6, 4)
    return pair_columns(NAMES, [worlds.detections(image[1]) for image in world])


@pytest.fixture
def roles():
    rows = [((0, 0, 5, 5), EMPTY, 0, 0, 0.5), ((0, 0, 5, 5), (1, 1, 3, 3), 0, 1, 0.75)]
    rows += [((0, 0, 5, 5), (2, 2, 3, 3), 0, 1, 0.25), ((1, 0, 5, 5), EMPTY, 7, 2, 0.125)]
    return role_columns([item(7, rows), item(3, []), item(5, rows[:2])])


def vcoco_truth_on(image_ids):
    actions = vcoco_actions()
    none = np.zeros(0, dtype=np.int64)
    return VCOCOTruth(
        actions=tuple(a.name for a in actions),
        roles=tuple(a.roles for a in actions),
        image_ids=np.array(image_ids),
        images=none,
        boxes=np.zeros((0, 4)),
        annotated=none.astype(bool),
        labels=np.zeros((0, 26), dtype=bool),
        objects=np.zeros((0, 26, 2), dtype=np.int64),
        object_boxes=np.zeros((0, 4)),
    )


@pytest.mark.parametrize("write, name", [(write_npz, "d.npz"), (write_json, "d.json")])
def test_pairs_come_back(tmp_path, pairs, write, name):
    write(tmp_path / name, pairs)
    assert dataset_of(tmp_path / name) == "hicodet"
    read = read_pair_detections(tmp_path / name, NAMES[::-1], worlds.VOCABULARY)
    assert (read.pairs.images == 3 - pairs["image"]).all() and (
        read.scores == pairs["scores"]
    ).all()
    assert (read.pairs.boxes_h == pairs["boxes_h"]).all() and (
        read.pairs.boxes_o == pairs["boxes_o"]
    ).all()
    assert read.listed == 4


@pytest.mark.parametrize("write", [write_npz, write_json, write_vcoco_pickle])
def test_roles_come_back(tmp_path, roles, write):
    write(tmp_path / "d", roles)
    assert dataset_of(tmp_path / "d") == "vcoco"
    rows = read_role_detections(tmp_path / "d", vcoco_truth_on([3, 5, 7])).rows
    lines = [
        [*(np.nan_to_num(np.ravel(v), nan=-1).tolist() for v in line)]
        for line in zip(
            rows.images,
            rows.boxes_h,
            rows.boxes_o,
            rows.actions,
            rows.roles,
            rows.scores,
            strict=True,
        )
    ]
    expected = [
        [
            *(
                np.nan_to_num(np.ravel(v), nan=-1).tolist()
                for v in ({3: 0, 5: 1, 7: 2}[line[0]], *line[1:])
            )
        ]
        for line in zip(*roles.values(), strict=True)
    ]
    assert sorted(lines) == sorted(expected)


def test_the_official_script_finds_every_key(tmp_path, roles):
    write_vcoco_pickle(tmp_path / "d.pkl", roles)
    with (tmp_path / "d.pkl").open("rb") as file:
        persons = pickle.load(file)
    assert (
        len(persons) == 4
    )  # image 7: one person twice for its second object, and another; image 5: one
    for person in persons:
        assert len(person["person_box"]) == 4
        for action in vcoco_actions():
            assert isinstance(person[f"{action.name}_agent"], float)
            assert all(len(person[f"{action.name}_{role}"]) == 5 for role in action.roles[1:])
    agents = [person["hold_agent"] for person in persons if person["image_id"] == 7]
    assert sorted(a for a in agents if a == a) == [0.5]


def test_matlab_cells_are_what_ho_rcnn_turns_into_the_definition(tmp_path, pairs):
    files = write_hicodet_matlab(tmp_path / "new" / "folder", pairs, worlds.VOCABULARY)
    assert [file.name for file in files][::79] == ["detections_01.mat", "detections_80.mat"]
    index = worlds.VOCABULARY.hoi_of
    seen = 0
    for obj, file in enumerate(files):
        cells = loadmat(file)["all_boxes"]
        own = [hoi for hoi, (_, other) in enumerate(worlds.VOCABULARY.hois) if other == obj]
        if not own:
            continue
        assert cells.shape == (len(own), 4)
        for line, hoi in enumerate(own):
            for image in range(4):
                expected_rows = [
                    k
                    for k in range(len(pairs["image"]))
                    if pairs["image"][k] == image
                    and index.get((pairs["verbs"][k], pairs["objects"][k])) == hoi
                ]
                cell = cells[line, image]
                assert cell.dtype == np.float64 or not expected_rows
                assert len(cell) == len(expected_rows)
                seen += len(cell)
                for k, row in zip(expected_rows, cell, strict=True):
                    for corners, boxes in ((row[:4] + 1, "boxes_h"), (row[4:8] + 1, "boxes_o")):
                        x1, y1, x2, y2 = pairs[boxes][k]
                        assert corners.tolist() == [x1 + 1, y1 + 1, x2, y2]
                    assert row[8] == pairs["scores"][k]
    assert (
        seen
        == sum((v, o) in index for v, o in zip(pairs["verbs"], pairs["objects"], strict=True))
        > 0
    )


def test_nothing_detected(tmp_path):
    columns = pair_columns(NAMES, [worlds.detections([])] * 4)
    write_npz(tmp_path / "d.npz", columns)
    assert len(read_pair_detections(tmp_path / "d.npz", NAMES, worlds.VOCABULARY).scores) == 0
    write_hicodet_matlab(tmp_path, columns, worlds.VOCABULARY)
    assert len(pair_columns([], [])["scores"]) == 0
    write_vcoco_pickle(tmp_path / "d.pkl", role_columns([]))
    assert len(read_role_detections(tmp_path / "d.pkl", vcoco_truth_on([3])).rows.scores) == 0


def test_half_a_file_is_never_there(tmp_path, pairs):
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "missing" / "d.json", pairs)
    with pytest.raises(ValueError):
        write_json(tmp_path / "d.json", pairs | {"scores": np.array([NAN])})
    assert list(tmp_path.iterdir()) == []


def test_json_says_null_for_an_empty_role(tmp_path, roles):
    write_json(tmp_path / "d.json", roles)
    assert json.loads((tmp_path / "d.json").read_text())["boxes_o"][0] is None


def test_tensors_of_any_precision(tmp_path):
    found = Detections(
        *(torch.as_tensor(c) for c in worlds.detections([(0, 0, (0, 0, 1, 1), (0, 0, 1, 1), 0.5)]))
    )
    columns = pair_columns(["a"], [found._replace(scores=found.scores.bfloat16())])
    assert columns["scores"].dtype == np.float32 and columns["scores"][0] == 0.5
