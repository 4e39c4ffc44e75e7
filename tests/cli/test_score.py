"""rmlr-score as a user meets it."""

import csv
import gzip
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.cli.score import main
from rmlr_lightning.scoring.export import write_npz
from rmlr_lightning.vocabulary import COCO_CATEGORY_IDS, COCO_OBJECTS, hicodet, vcoco_actions
from tests.annotations.make_relations import RELATIONS, WELDING

RIDE = 152  # a HICO-DET class; below, only its verb and object matter


@pytest.fixture
def pairs(tmp_path):
    """One image with one pair, one without: truth as UPT's json, and detections that find it."""
    vocabulary = hicodet()
    verb, obj = vocabulary.hois[RIDE]
    record = {
        "boxes_h": [[11, 11, 50, 50]],
        "boxes_o": [[21, 21, 60, 60]],
        "hoi": [RIDE],
        "object": [obj],
        "verb": [verb],
    }
    truth = {
        "annotation": [record, {key: [] for key in record}],
        "filenames": ["a_1.jpg", "a_2.jpg"],
        "size": [[100, 100], [100, 100]],
        "empty": [1],
        "objects": list(COCO_OBJECTS),
        "verbs": list(vocabulary.verbs),
        "correspondence": [[i, o, v] for i, (v, o) in enumerate(vocabulary.hois)],
        "rare": sorted(vocabulary.rare),
        "non_rare": sorted(set(range(600)) - vocabulary.rare),
        "image_hois": [[RIDE], []],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    columns = {
        "file_names": np.array(["a_1.jpg", "a_2.jpg"]),
        "image": np.array([0, 1]),
        "boxes_h": np.array([[10.0, 10, 50, 50]] * 2, np.float32),
        "boxes_o": np.array([[20.0, 20, 60, 60]] * 2, np.float32),
        "objects": np.array([obj] * 2),
        "verbs": np.array([verb] * 2),
        "scores": np.array([0.5, 0.75], np.float32),
    }
    write_npz(tmp_path / "found.npz", columns)
    return ["--ground-truth", str(tmp_path / "truth.json")], columns


@pytest.fixture
def roles(tmp_path):
    """A person who holds a cup, in the official layout of three files."""
    actions = [
        {
            "action_name": action.name,
            "role_name": list(action.roles),
            "include": [list(objects) for objects in action.include],
            "image_id": [7],
            "ann_id": [70],
            "label": [int(action.name == "hold")],
            "role_object_id": [70] + [71 if action.name == "hold" else 0] * (len(action.roles) - 1),
        }
        for action in vcoco_actions()
    ]
    images = [{"id": i, "width": 100, "height": 100, "file_name": f"COCO_{i}.jpg"} for i in (7, 8)]
    box = {"image_id": 7, "iscrowd": 0, "area": 900}
    coco = {
        "images": images,
        "annotations": [
            box | {"id": 70, "category_id": 1, "bbox": [10, 10, 40, 40]},
            box | {"id": 71, "category_id": 47, "bbox": [20, 20, 40, 40]},
        ],
        "categories": [
            {"id": i, "name": n} for i, n in zip(COCO_CATEGORY_IDS, COCO_OBJECTS, strict=True)
        ],
    }
    (tmp_path / "vcoco_test.json.gz").write_bytes(gzip.compress(json.dumps(actions).encode()))
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    (tmp_path / "test.ids").write_text("7\n")
    person = {"person_box": [10, 10, 49, 49], "hold_agent": 0.5, "hold_obj": [20, 20, 59, 59, 0.5]}
    persons = [person | {"image_id": 7}, person | {"image_id": 8}]
    (tmp_path / "found.pkl").write_bytes(pickle.dumps(persons, protocol=2))
    files = [str(tmp_path / name) for name in ("vcoco_test.json.gz", "instances.json", "test.ids")]
    return files, str(tmp_path / "found.pkl")


def output(capsys, *arguments):
    main([str(argument) for argument in arguments])
    return capsys.readouterr()


def complaint(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [line for line in printed.err.splitlines() if not line.startswith(("note", "warning"))]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def test_hicodet_json_is_one_object(capsys, tmp_path, pairs):
    truth, _ = pairs
    printed = output(capsys, "hicodet", *truth, "--detections", tmp_path / "found.npz", "--json")
    report = json.loads(printed.out)
    assert list(report) == ["default", "known_object"] and list(report["default"]) == [
        "full",
        "rare",
        "non_rare",
        "ap",
    ]
    assert len(report["default"]["ap"]) == 600
    assert report["default"]["ap"][RIDE] == 0.5 and report["known_object"]["ap"][RIDE] == 1.0
    assert report["known_object"]["full"] == pytest.approx(1 / 600)


def test_hicodet_everything_at_once(capsys, tmp_path, pairs):
    truth, _ = pairs
    extras = [
        "--bootstrap",
        20,
        "--breakdown",
        "--errors",
        "--per-class",
        tmp_path / "c.csv",
        "--plot",
        tmp_path / "p.png",
    ]
    printed = output(capsys, "hicodet", *truth, "--detections", tmp_path / "found.npz", *extras)
    for words in (
        "Known Object",
        "bootstrap",
        "by verb",
        "by pairs in image",
        "type of error",
        "missed human",
    ):
        assert words in printed.out
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert len(rows) == 1200 and float(rows[RIDE]["ap"]) == 0.5 and rows[RIDE]["positives"] == "1"
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    printed = output(
        capsys,
        "hicodet",
        *truth,
        "--detections",
        tmp_path / "found.npz",
        *extras,
        "--json",
        "--overwrite",
    )
    assert {"default", "known_object", "bootstrap", "breakdown", "errors"} == set(
        json.loads(printed.out)
    )


def test_vcoco_official_files_and_pickle(capsys, roles):
    files, found = roles
    printed = output(capsys, "vcoco", "--ground-truth", *files, "--detections", found, "--json")
    report = json.loads(printed.out)
    assert "1 rows" in printed.err or "2 rows" in printed.err  # image 8 exists but is not scored
    assert (
        report["scenario_1"]["ap"]["hold-obj"] == 1.0
        and report["scenario_1"]["ap"]["sit-instr"] is None
    )
    assert (
        report["scenario_1"]["mean24"]
        == report["scenario_2"]["mean25"]
        == report["agent"]["mean26"]
        == 1.0
    )
    options = ["--ground-truth", files[0], "--instances", files[1], "--ids", files[2]]
    assert (
        json.loads(output(capsys, "vcoco", *options, "--detections", found, "--json").out) == report
    )
    text = output(
        capsys, "vcoco", *options, "--detections", found, "--breakdown", "--bootstrap", 10
    ).out
    assert "by persons in image" in text and "Scenario 1 mean24" in text


def test_compare(capsys, tmp_path, pairs, roles):
    truth, columns = pairs
    write_npz(tmp_path / "better.npz", columns | {"scores": columns["scores"][::-1].copy()})
    arguments = [
        "compare",
        tmp_path / "found.npz",
        tmp_path / "better.npz",
        *truth,
        "--bootstrap",
        50,
    ]
    assert "B - A" in output(capsys, *arguments).out
    report = json.loads(output(capsys, *arguments, "--json").out)
    assert report["default"]["full"]["gain"] == pytest.approx(0.5 / 600)
    assert report["known_object"]["full"]["p"] == 1
    files, found = roles
    printed = output(
        capsys, "compare", found, found, "--ground-truth", *files, "--bootstrap", 10, "--json"
    )
    assert json.loads(printed.out)["agent"]["mean26"]["gain"] == 0


def test_one_line_for_what_is_malformed(capsys, tmp_path, pairs, roles):
    truth, columns = pairs
    bad = tmp_path / "bad.npz"
    for change, words in (
        ({"scores": np.array([0.5, np.nan])}, ["bad.npz", "scores[1]"]),
        ({"verbs": np.array([0, 117])}, ["verbs[1]", "117"]),
        ({"file_names": np.array(["a_1.jpg", "no.jpg"])}, ["'no.jpg'", "not in the ground truth"]),
        ({"boxes_h": np.ones((2, 3))}, ["boxes_h", "(2, 3)"]),
    ):
        write_npz(bad, columns | change)
        wanted = ["--per-class", tmp_path / "none.csv", "--plot", tmp_path / "none.png", "--json"]
        line = complaint(capsys, "hicodet", *truth, "--detections", bad, *wanted)
        assert all(word in line for word in words)
        assert not (tmp_path / "none.csv").exists() and not (tmp_path / "none.png").exists()
    bad.write_bytes((tmp_path / "found.npz").read_bytes()[:-30])
    assert "truncated" in complaint(capsys, "hicodet", *truth, "--detections", bad)
    complaint(capsys, "hicodet", "--ground-truth", bad, "--detections", tmp_path / "found.npz")
    complaint(capsys, "hicodet", *truth, "--detections", roles[1])
    complaint(capsys, "vcoco", "--ground-truth", *roles[0], "--detections", tmp_path / "found.npz")
    complaint(capsys, "vcoco", "--ground-truth", roles[0][0], "--detections", roles[1])
    complaint(capsys, "vcoco", "--ground-truth", *roles[0], "x", "--detections", roles[1])
    complaint(capsys, "compare", bad, bad, *truth)
    line = complaint(
        capsys,
        "hicodet",
        *truth,
        "--detections",
        tmp_path / "found.npz",
        "--per-class",
        tmp_path / "no" / "c.csv",
    )
    assert "cannot be written" in line


def test_missing_image_labels_give_a_warning(capsys, tmp_path, pairs):
    truth, columns = pairs
    content = json.loads((tmp_path / "truth.json").read_text())
    del content["image_hois"]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    write_npz(tmp_path / "fewer.npz", {k: v[:1] for k, v in columns.items()})
    printed = output(capsys, "hicodet", *truth, "--detections", tmp_path / "fewer.npz", "--json")
    assert (
        "uses the labels of the annotated pairs" in printed.err
        and "does not list 1 image " in printed.err
    )
    assert json.loads(printed.out)["known_object"]["ap"][RIDE] == 1.0


def test_the_script_itself_sets_the_exit_status(tmp_path):
    command = [
        sys.executable,
        "-m",
        "rmlr_lightning.cli.score",
        "hicodet",
        "--ground-truth",
        "no",
        "--detections",
        "no",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and done.stdout == ""


@pytest.mark.fault
def test_an_output_that_nobody_reads_is_one_line(tmp_path, pairs):
    """As in `rmlr-score ... | head`: its reader has ended."""
    truth, _ = pairs
    found = ["--detections", str(tmp_path / "found.npz")]
    command = [sys.executable, "-m", "rmlr_lightning.cli.score", "hicodet", *truth, *found]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: the program that read the output")


def test_data_of_ones_own_is_scored_by_its_own_classes(tmp_path, capsys):
    """Perfect detections of two pairs, with verbs and objects that HICO-DET lacks."""
    truth = tmp_path / "test.json"
    truth.write_text(json.dumps(WELDING | RELATIONS))
    vocabulary, targets = read_relations(truth)
    columns = {
        name: torch.cat([getattr(target, name) for target in targets]).numpy()
        for name in ("boxes_h", "boxes_o", "objects", "verbs")
    }
    counts = [len(target.verbs) for target in targets]
    columns |= {
        "file_names": np.array([target.file_name for target in targets]),
        "image": np.repeat(np.arange(len(targets)), counts),
        "scores": np.linspace(0.9, 0.5, sum(counts), dtype=np.float32),
    }
    write_npz(tmp_path / "found.npz", columns)
    found = ["--detections", str(tmp_path / "found.npz")]
    main(["hicodet", *found, "--ground-truth", str(truth), "--json"])
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["default"]["full"] == 1.0 and len(vocabulary.hois) == 3
    # only HICO-DET has a file of image-level labels
    assert "no image-level labels" in printed.err and "anno.mat" not in printed.err
