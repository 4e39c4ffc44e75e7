"""The files of a small world: layouts that agree with each other, whatever the number of processes."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import scipy.io

from rmlr_lightning.cli.prepare import main
from rmlr_lightning.synthetic import WorldConfig, write_world
from rmlr_lightning.synthetic.write import iou

CONFIG = WorldConfig(train=72, val=6, test=6, twins=0.4)
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("world") / "small"
    write_world(CONFIG, out)
    return out


def read(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


def test_process_count_changes_nothing(root, tmp_path):
    write_world(CONFIG, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "two") == files_of(root)


def test_worker_processes_start_without_torch():
    """They import the console script's module again before they draw."""
    code = "import sys, rmlr_lightning.cli.prepare, rmlr_lightning.synthetic.files; print('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


def test_hico_layout(root):
    folder = root / "hico_20160224_det"
    for split in SPLITS:
        data = read(folder / f"instances_{split}2015.json")
        assert (
            len(data["filenames"])
            == len(data["annotation"])
            == len(data["size"])
            == getattr(CONFIG, split)
        )
        assert sorted(data["rare"] + data["non_rare"]) == list(range(len(data["correspondence"])))
        for i, (name, row) in enumerate(zip(data["filenames"], data["annotation"], strict=True)):
            image = cv2.imread(str(folder / f"images/{split}2015" / name))
            assert [image.shape[1], image.shape[0]] == data["size"][i]
            assert (i in data["empty"]) == (not row["hoi"])
            assert sorted(set(row["hoi"])) == data["image_hois"][i]
            for hoi, obj, verb in zip(row["hoi"], row["object"], row["verb"], strict=True):
                assert data["correspondence"][hoi] == [hoi, obj, verb]
            for x1, y1, x2, y2 in row["boxes_h"] + row["boxes_o"]:
                assert 1 <= x1 <= x2 <= CONFIG.size[0] and 1 <= y1 <= y2 <= CONFIG.size[1]


def test_matlab_file_says_the_same(root):
    folder = root / "hico_20160224_det"
    mat = scipy.io.loadmat(folder / "anno_bbox.mat", squeeze_me=True, struct_as_record=False)
    data = read(folder / "instances_train2015.json")
    assert len(mat["list_action"]) == len(data["correspondence"])
    for entry, name, row in zip(
        mat["bbox_train"], data["filenames"], data["annotation"], strict=True
    ):
        assert entry.filename == name and (entry.size.width, entry.size.height) == CONFIG.size
        hois = entry.hoi.tolist() if hasattr(entry.hoi, "tolist") else [entry.hoi]
        assert [h.id - 1 for h in hois] == sorted(set(row["hoi"]))
        assert sum(1 if h.connection.ndim == 1 else len(h.connection) for h in hois) == len(
            row["hoi"]
        )


def test_vcoco_layout(root):
    folder = root / "vcoco"
    coco = read(folder / "instances_vcoco_all_2014.json")
    boxes = {row["id"]: row for row in coco["annotations"]}
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    held = 0
    for split in SPLITS:
        ids = {int(line) for line in (folder / f"splits/vcoco_{split}.ids").read_text().split()}
        assert len(ids) == getattr(CONFIG, split)
        for image in ids:
            part = "val2014" if split == "test" else "train2014"
            assert (root / "mscoco2014" / part / names[image]).is_file()
        actions = read(folder / f"vcoco_{split}.json")
        assert len(actions) == 26
        for action in actions:
            n = len(action["ann_id"])
            assert len(action["role_object_id"]) == n * len(action["role_name"])
            assert (
                action["role_object_id"][:n] == action["ann_id"] and set(action["image_id"]) <= ids
            )
            for person, thing in zip(
                action["ann_id"], action["role_object_id"][n : 2 * n], strict=False
            ):
                assert boxes[person]["category_id"] == 1
                assert thing == 0 or boxes[thing]["image_id"] == boxes[person]["image_id"]
            held += sum(action["label"]) if action["action_name"] == "hold" else 0
        rows = read(folder / f"instances_vcoco_{split}.json")
        assert len(rows["annotations"]) == len(rows["images"]) and len(rows["classes"]) == 24
    assert held > 0


def test_detection_files_name_pictures_under_the_root(root):
    for split in SPLITS:
        data = read(root / f"detection/instances_{split}.json")
        assert all((root / image["file_name"]).is_file() for image in data["images"])
        assert {row["image_id"] for row in data["annotations"]} == {
            image["id"] for image in data["images"]
        }


def test_twins_have_one_pair_of_boxes_and_two_answers(root):
    twins = read(root / "world.json")["twins"]
    assert twins
    for twin in twins:
        data = read(root / f"hico_20160224_det/instances_{twin['split']}2015.json")
        assert twin["verbs_a"] != twin["verbs_b"]
        for key, verbs in (("image_a", "verbs_a"), ("image_b", "verbs_b")):
            row = data["annotation"][data["filenames"].index(twin[key])]
            here = [
                data["verbs"][verb]
                for h, o, verb in zip(row["boxes_h"], row["boxes_o"], row["verb"], strict=True)
                if min(iou(h, twin["box_h"]), iou(o, twin["box_o"])) > 0.9
            ]
            assert set(twin[verbs]) <= set(here)


def test_same_world_is_kept_and_other_folders_are_safe(root, tmp_path):
    before = (root / "world.json").stat().st_mtime_ns
    write_world(CONFIG, root)
    assert (root / "world.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="other settings"):
        write_world(WorldConfig(train=1, val=0, test=0), root)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a synthetic world"):
        write_world(CONFIG, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_console_script(tmp_path, capsys):
    out, sheet = tmp_path / "w", tmp_path / "sheets/page.png"
    args = ["synthetic", "--out", str(out), "--train", "6", "--val", "0", "--test", "0"]
    main([*args, "--contact-sheet", str(sheet)])
    assert "6 images" in capsys.readouterr().out and cv2.imread(str(sheet)) is not None
    main(args)
    assert "nothing to do" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main([*args, "--size", "large"])
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1
