"""Published counts, from the real annotation files. Each file is parsed once."""

import json
import tarfile
from collections import Counter

import numpy as np
import pytest

from rmlr_lightning.annotations.boxes import XYWH, Column, check_boxes, xyxy_of
from rmlr_lightning.annotations.file import AnnotationError, AnnotationFile
from rmlr_lightning.annotations.held_out import is_held_out
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.vocabulary import hicodet, vcoco


@pytest.fixture(scope="module")
def hico_test(shared):
    return read_hicodet(shared / "data" / "hicodet" / "instances_test2015.json").targets


@pytest.fixture(scope="module")
def hico_train(shared):
    """HAKE's annotation of all training pairs: file name -> the pairs' records."""
    path = shared / "data" / "hake_hico" / "hico-det-instance-level.tar.gz"
    with tarfile.open(path) as archive:
        (member,) = [member for member in archive.getmembers() if member.isfile()]
        return {
            name: entry["labels"] for name, entry in json.load(archive.extractfile(member)).items()
        }


def per_hoi(targets, vocabulary):
    hois = np.concatenate([target.hois.numpy() for target in targets])
    return np.bincount(hois, minlength=len(vocabulary.hois))


@pytest.mark.slow
def test_hico_det_test(hico_test):
    assert len(hico_test) == 9_658
    assert sum(len(target.hois) > 0 for target in hico_test) == 9_546
    counts = per_hoi(hico_test, hicodet())
    assert counts.sum() == 33_405 and counts.min() > 0  # every HOI is tested


@pytest.mark.slow
def test_hico_det_test_per_class_equals_the_file(shared, hico_test):
    document = json.loads((shared / "data" / "hicodet" / "instances_test2015.json").read_text())
    expected = Counter(hoi for record in document["annotation"] for hoi in record["hoi"])
    counts = per_hoi(hico_test, hicodet())
    assert counts.tolist() == [expected[hoi] for hoi in range(600)]


@pytest.mark.slow
def test_hico_det_train(hico_train):
    assert len(hico_train) == 38_118
    assert sum(map(len, hico_train.values())) == 117_654


@pytest.mark.slow
@pytest.mark.fault
def test_all_real_training_boxes_keep_the_rule_of_boxes(hico_train):
    """Read as x, y, width, height many would end outside."""
    labels = [label for labels in hico_train.values() for label in labels]
    sizes = np.array([(label["height"], label["width"]) for label in labels], dtype=np.float64)
    file = AnnotationFile("hake.json", "boxes", "see its README")
    for side in ("human_bbox", "object_bbox"):
        boxes = np.array([label[side] for label in labels], dtype=np.float64) - [1, 1, 0, 0]
        # in parts: a large file may have slips
        for start in range(0, len(boxes), 50_000):
            part = slice(start, start + 50_000)
            check_boxes(file, Column(boxes[part], sizes[part], str))
        with pytest.raises(AnnotationError, match="boxes are wrong; likely the numbers are x1, y1"):
            check_boxes(file, Column(xyxy_of(boxes), sizes, str, written=XYWH))


@pytest.mark.slow
def test_rare_hois_are_those_with_fewer_than_ten_training_pairs(hico_train):
    """HAKE lists 98 pairs fewer than HICO-DET's own counts, which decide; 138 HOIs are rare."""
    ids = [pair["hoi_id"] for pairs in hico_train.values() for pair in pairs]
    counts = np.bincount(ids, minlength=601)[1:]  # hoi_id counts from 1
    assert len(hicodet().rare) == 138
    rare = set(np.flatnonzero(counts < 10).tolist())
    assert hicodet().rare <= rare and len(rare - hicodet().rare) <= 5


@pytest.mark.parametrize(
    ("split", "images", "interacting", "pairs"),
    [
        ("train", 2_533, 2_336, 6_400),
        ("val", 2_867, 2_633, 7_417),
        ("trainval", 5_400, 4_969, 13_817),
        ("test", 4_946, 4_532, 12_402),
    ],
)
def test_vcoco(shared, split, images, interacting, pairs):
    path = shared / "data" / "vcoco" / f"instances_vcoco_{split}.json"
    targets = read_vcoco(path).targets
    assert len(targets) == images
    assert sum(len(target.hois) > 0 for target in targets) == interacting
    assert per_hoi(targets, vcoco()).sum() == pairs
    # images of trainval are in COCO 2014 train, those of test in val
    assert {target.file_name.split("_")[1] for target in targets} == {
        "val2014" if split == "test" else "train2014"
    }


def test_a_twentieth_of_trainval_is_held_out(shared):
    targets = read_vcoco(shared / "data" / "vcoco" / "instances_vcoco_trainval.json").targets
    held_out = sum(is_held_out(target.file_name) for target in targets)
    assert abs(held_out - 5_400 / 20) < 40


def test_splits_of_vcoco_share_no_image(shared):
    folder = shared / "data" / "vcoco" / "splits"
    train, val, trainval, test = (
        set((folder / f"vcoco_{split}.ids").read_text().split())
        for split in ("train", "val", "trainval", "test")
    )
    assert train | val == trainval and not train & val and not trainval & test


def test_ambiguous_hoi(shared):
    """87 classes of HICO-DET's; the images are from several data sets."""
    folder = shared / "data" / "ambiguous_hoi"
    classes = json.loads((folder / "gt_ambiguous_hoi.json").read_text())
    assert len(classes) == 87
    images = {name for of_class in classes for name in of_class["data"]}
    assert len(images) == 3_397
    assert sum(len(boxes) for of_class in classes for boxes in of_class["data"].values()) == 4_367
    assert images <= set(json.loads((folder / "image_names.json").read_text()))

    # Verbs are numbered as the HOI's own; nine of the object numbers are not, so hico_id decides.
    verb_of = {}
    for of_class in classes:
        verb, _ = hicodet().hois[of_class["hico_id"] - 1]
        assert verb_of.setdefault(of_class["verb"], verb) == verb
