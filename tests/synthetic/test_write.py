"""The files of a small world: layouts that agree with each other, for any number of processes."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import scipy.io

from rmlr_lightning.cli.prepare import main
from rmlr_lightning.synthetic import WorldConfig, write_world
from rmlr_lightning.synthetic.twins import iou

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
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_number_of_processes_changes_no_byte(root, tmp_path):
    write_world(CONFIG, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "two") == files_of(root)


def test_worker_processes_start_without_torch():
    """A worker imports the module of the console script again before it draws."""
    code = (
        "import sys, rmlr_lightning.cli.prepare, rmlr_lightning.synthetic.files; "
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("split", SPLITS)
def test_hico_layout(root, split):
    folder = root / "hico_20160224_det"
    data = read(folder / f"instances_{split}2015.json")
    lengths = {len(data[key]) for key in ("filenames", "annotation", "size", "image_hois")}
    assert lengths == {getattr(CONFIG, split)}
    assert sorted(data["rare"] + data["non_rare"]) == list(range(len(data["correspondence"])))

    width, height = CONFIG.size
    for i, (name, row) in enumerate(zip(data["filenames"], data["annotation"], strict=True)):
        image = cv2.imread(str(folder / f"images/{split}2015" / name))
        assert [image.shape[1], image.shape[0]] == data["size"][i]
        assert (i in data["empty"]) == (not row["hoi"])
        assert sorted(set(row["hoi"])) == data["image_hois"][i]
        for hoi, obj, verb in zip(row["hoi"], row["object"], row["verb"], strict=True):
            assert data["correspondence"][hoi] == [hoi, obj, verb]
        for x1, y1, x2, y2 in row["boxes_h"] + row["boxes_o"]:
            assert 1 <= x1 <= x2 <= width and 1 <= y1 <= y2 <= height


def test_matlab_file_equals_the_json(root):
    folder = root / "hico_20160224_det"
    mat = scipy.io.loadmat(folder / "anno_bbox.mat", squeeze_me=True, struct_as_record=False)
    data = read(folder / "instances_train2015.json")
    assert len(mat["list_action"]) == len(data["correspondence"])

    images = zip(mat["bbox_train"], data["filenames"], data["annotation"], strict=True)
    for entry, name, row in images:
        assert entry.filename == name
        assert (entry.size.width, entry.size.height) == CONFIG.size
        hois = entry.hoi.tolist() if hasattr(entry.hoi, "tolist") else [entry.hoi]
        assert [hoi.id - 1 for hoi in hois] == sorted(set(row["hoi"]))
        pairs = [1 if hoi.connection.ndim == 1 else len(hoi.connection) for hoi in hois]
        assert sum(pairs) == len(row["hoi"])


@pytest.mark.parametrize("split", SPLITS)
def test_vcoco_layout(root, split):
    folder = root / "vcoco"
    coco = read(folder / "instances_vcoco_all_2014.json")
    boxes = {row["id"]: row for row in coco["annotations"]}
    names = {image["id"]: image["file_name"] for image in coco["images"]}

    ids = {int(line) for line in (folder / f"splits/vcoco_{split}.ids").read_text().split()}
    assert len(ids) == getattr(CONFIG, split)
    coco_folder = "val2014" if split == "test" else "train2014"
    for image in ids:
        assert (root / "mscoco2014" / coco_folder / names[image]).is_file()

    actions = read(folder / f"vcoco_{split}.json")
    assert len(actions) == 26
    for action in actions:
        agents, n = action["ann_id"], len(action["ann_id"])
        role_objects = action["role_object_id"]
        assert len(role_objects) == n * len(action["role_name"])
        assert role_objects[:n] == agents and set(action["image_id"]) <= ids
        for person, obj in zip(agents, role_objects[n : 2 * n], strict=False):
            assert boxes[person]["category_id"] == 1
            assert obj == 0 or boxes[obj]["image_id"] == boxes[person]["image_id"]

    hold = next(action for action in actions if action["action_name"] == "hold")
    assert sum(hold["label"]) > 0
    rows = read(folder / f"instances_vcoco_{split}.json")
    assert len(rows["annotations"]) == len(rows["images"]) and len(rows["classes"]) == 24


def test_detection_files_name_images_under_the_root(root):
    for split in SPLITS:
        data = read(root / f"detection/instances_{split}.json")
        assert all((root / image["file_name"]).is_file() for image in data["images"])
        annotated = {row["image_id"] for row in data["annotations"]}
        assert annotated == {image["id"] for image in data["images"]}


def test_twins_have_equal_boxes_and_different_verbs(root):
    twins = read(root / "world.json")["twins"]
    assert twins
    for twin in twins:
        data = read(root / f"hico_20160224_det/instances_{twin['split']}2015.json")
        assert twin["verbs_a"] != twin["verbs_b"]
        for key, verbs in (("image_a", "verbs_a"), ("image_b", "verbs_b")):
            row = data["annotation"][data["filenames"].index(twin[key])]
            found = set()
            for box_h, box_o, verb in zip(row["boxes_h"], row["boxes_o"], row["verb"], strict=True):
                if min(iou(box_h, twin["box_h"]), iou(box_o, twin["box_o"])) > 0.9:
                    found.add(data["verbs"][verb])
            assert set(twin[verbs]) <= found


def test_world_json_counts_the_pairs_of_each_hoi(root):
    facts = read(root / "world.json")
    for split in SPLITS:
        data = read(root / f"hico_20160224_det/instances_{split}2015.json")
        total = sum(len(row["hoi"]) for row in data["annotation"])
        assert sum(row[split] for row in facts["hois"]) == total
        assert facts["images"][split] == getattr(CONFIG, split)


def test_an_equal_world_is_kept_and_other_folders_are_safe(root, tmp_path):
    before = (root / "world.json").stat().st_mtime_ns
    write_world(CONFIG, root)
    assert (root / "world.json").stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match="other settings"):
        write_world(WorldConfig(train=1, val=0, test=0), root)

    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not a synthetic world"):
        write_world(CONFIG, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_drawing_leaves_nothing(tmp_path):
    def fail(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_world(WorldConfig(train=2, val=0, test=0), tmp_path / "world", progress=fail)
    assert list(tmp_path.iterdir()) == []


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
