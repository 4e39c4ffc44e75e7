"""Data of one's own: every layout of the folder gives the same files; nothing is overwritten."""

import json

import pytest

from rmlr_lightning.annotations.relations import read_relations
from rmlr_lightning.data.collate import collate
from rmlr_lightning.data.hoi_dataset import relations_dataset
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.errors import UserError
from rmlr_lightning.preparation.custom import make_custom
from tests.annotations.make_relations import RELATIONS, TABLE, WELDING, write_custom, write_images


@pytest.fixture
def folder(tmp_path):
    return write_custom(tmp_path / "welding")


def make(folder, subject=None):
    images = [folder / "images", folder]
    make_custom(folder, folder / "rmlr", subject, images, False, lambda results, count: results)
    return folder / "rmlr"


def names(path):
    """(file name, [(verb, object)]) of each image."""
    vocabulary, targets = read_relations(path)
    return [
        (
            target.file_name,
            [
                (vocabulary.verbs[verb], vocabulary.objects[obj])
                for verb, obj in zip(target.verbs.tolist(), target.objects.tolist(), strict=True)
            ],
        )
        for target in targets
    ]


def test_a_table_with_a_split_column(folder, capsys):
    out = make(folder)
    weld, off = ("weld", "robot arm"), ("switch off", "robot arm")
    assert names(out / "train.json") == [("a.jpg", [weld, off]), ("d.jpg", [])]
    assert names(out / "test.json") == [("b.jpg", [off])]
    assert names(out / "val.json") == [("c.jpg", [("weld", "worker")])]

    vocabulary, _ = read_relations(out / "test.json")
    assert vocabulary.subject_name == "worker"  # all subjects are
    assert [vocabulary.hoi_name(hoi) for hoi in range(3)] == [
        "switch off robot arm",
        "weld worker",  # of val alone, and in the vocabulary of all splits
        "weld robot arm",
    ]
    assert vocabulary.rare == {0, 1, 2}
    printed = capsys.readouterr().out
    assert "subjects: worker" in printed and "complete" in printed


def test_tables_per_split_with_boxes_of_their_own(folder):
    expected = {name: names(make(folder) / f"{name}.json") for name in ("train", "val", "test")}
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    (folder / "triplets.csv").unlink()
    for split in expected:
        lines = ["image,human,verb,object", *(",".join(r[:4]) for r in rows if r[4] == split)]
        (folder / f"{split}.csv").write_text("\n".join(lines))
    (folder / "boxes.json").rename(folder / "boxes_train.json")
    other = json.loads((folder / "boxes_train.json").read_text())
    swap = {1: 2, 2: 1}  # another numbering of the same names
    for entry in other["categories"]:
        entry["id"] = swap[entry["id"]]
    for entity in other["annotations"]:
        entity["category_id"] = swap[entity["category_id"]]
    (folder / "boxes.json").write_text(json.dumps(other))
    (folder / "rmlr").rename(folder / "earlier")
    out = make(folder)
    assert {name: names(out / f"{name}.json") for name in expected} == expected


def test_relation_files_and_held_out_images(tmp_path, capsys):
    write_images(tmp_path / "images")
    (tmp_path / "train.json").write_text(json.dumps(WELDING | RELATIONS))
    out = make(tmp_path, subject="any")
    assert "of 4 training images are held out" in capsys.readouterr().out
    train, val = (dict(names(out / f"{name}.json")) for name in ("train", "val"))
    assert not set(train) & set(val) and len(train) + len(val) == 4 and val
    assert (out / "test.json").read_bytes() == (out / "val.json").read_bytes()
    assert read_relations(out / "train.json").vocabulary.subject is None


def test_a_second_run_changes_nothing_and_new_annotations_need_a_new_folder(folder, capsys):
    out = make(folder)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    make(folder)
    assert "are here already" in capsys.readouterr().out
    (folder / "triplets.csv").write_text(TABLE.replace("weld", "polish"))
    with pytest.raises(UserError, match=r"another version is here.*--out"):
        make(folder)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_the_data_set_of_a_split(folder):
    out = make(folder)
    data = relations_dataset(
        str(out / "train.json"),
        [folder / "nowhere", folder / "images"],
        str(out / "vocabulary.json"),
        resize=ResizeExact(32, 32),
        external="truth",
    )
    batch = collate([data[0], data[1]])
    assert batch.truth.verbs.sum().item() == 2 and batch.truth.mask.sum().item() == 1
    labels = batch.inputs.external.labels[batch.inputs.external.mask]
    assert sorted(data.vocabulary.objects[label] for label in labels) == ["robot arm", "worker"]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("b.jpg,4", "e.jpg,4", "'e.jpg': no such file_name in boxes.json"),
        ("b.jpg,4", "b.jpg,1", "human 1 is no annotation of it in boxes.json"),
        ("off,3", "off,2", "object 2 is no annotation of it"),
        (",test", ",holdout", "holds split 'holdout', not one of train, val, test"),
        ("d.jpg,,,,train", "d.jpg,,,,train\na.jpg,,,,val", "'a.jpg' is in split train and in val"),
        ("train", "val", "no split is called train"),
    ],
)
def test_tables_that_contradict_the_boxes_are_refused(folder, old, new, match):
    (folder / "triplets.csv").write_text(TABLE.replace(old, new))
    with pytest.raises(UserError, match=match):
        make(folder)


def test_other_folders_and_subjects_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"neither triplets\.csv nor train\.csv"):
        make(tmp_path)
    with pytest.raises(UserError, match="--subject robot arm: subjects are of class worker"):
        make(folder, subject="robot arm")
    (folder / "train.json").write_text("{}")
    with pytest.raises(UserError, match=r"triplets.csv or train.json\? Keep one"):
        make(folder)


def test_a_missing_image_is_named_after_the_files_are_written(folder):
    (folder / "images" / "d.jpg").unlink()
    with pytest.raises(UserError, match="1 image missing"):
        make(folder)
    assert (folder / "rmlr" / "vocabulary.json").is_file()
