import gzip
import json
import shutil

import numpy as np
import pytest
import torch
from scipy.io import loadmat, savemat

from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.vocabulary import COCO_INDEX, hicodet

UPT, MAT, QPIC = "instances_test2015.json", "anno_bbox.mat", "test_hico.json"


TENSORS = ("size", "boxes_h", "boxes_o", "objects", "verbs", "hois")


def same(a, b, fields):
    return all(torch.equal(getattr(a, field), getattr(b, field)) for field in fields)


def image_hois(annotations):
    return [target.image_hois for target in annotations.targets]


@pytest.mark.parametrize("layout", [MAT, QPIC])
def test_all_layouts_give_equal_targets(fake, layout):
    upt, other = read_hicodet(fake / UPT), read_hicodet(fake / layout)
    assert upt.vocabulary == other.vocabulary == hicodet()
    assert sum(len(t.hois) for t in upt.targets) > 0 and any(len(t.hois) == 0 for t in upt.targets)
    for a, b in zip(upt.targets, other.targets, strict=True):
        assert (a.file_name, a.image_id) == (b.file_name, b.image_id)
        assert same(a, b, ("boxes_h", "boxes_o", "objects", "verbs", "hois"))
        assert b.size.tolist() == ([0, 0] if layout == QPIC else [480, 640])


def test_targets_are_continuous_and_in_the_vocabulary(fake):
    document = json.loads((fake / UPT).read_text())
    annotations = read_hicodet(fake / UPT)
    for target, record in zip(annotations.targets, document["annotation"], strict=True):
        assert (
            target.size.dtype
            == target.objects.dtype
            == target.verbs.dtype
            == target.hois.dtype
            == torch.int64
        )
        assert target.boxes_h.dtype == target.boxes_o.dtype == torch.float64
        assert target.boxes_h.shape == target.boxes_o.shape == (len(record["hoi"]), 4)
        in_file = torch.tensor(record["boxes_h"], dtype=torch.float64).reshape(-1, 4)
        assert torch.equal(target.boxes_h, in_file - torch.tensor([1.0, 1.0, 0.0, 0.0]))
        assert target.hois.tolist() == record["hoi"]
        assert [annotations.vocabulary.hois[h] for h in record["hoi"]] == list(
            zip(target.verbs.tolist(), target.objects.tolist(), strict=True)
        )
        # its own storage: a view would carry the whole file into every worker
        assert target.boxes_h.untyped_storage().nbytes() == 32 * len(record["hoi"])


def test_image_ids_are_the_numbers_in_the_names(fake, edited):
    assert [t.image_id for t in read_hicodet(fake / UPT).targets] == [1, 3, 5, 7, 9, 11]
    clash = edited(
        fake / UPT, lambda d: d.update(filenames=[f"{letter}_1.jpg" for letter in "abcdef"])
    )
    assert [t.image_id for t in read_hicodet(clash).targets] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("layout", [UPT, MAT, QPIC])
def test_gzip_is_recognised_by_content(fake, tmp_path, layout):
    packed = tmp_path / f"{layout}.gz"
    packed.write_bytes(gzip.compress((fake / layout).read_bytes()))
    for a, b in zip(read_hicodet(packed).targets, read_hicodet(fake / layout).targets, strict=True):
        assert same(a, b, TENSORS) and a.image_hois == b.image_hois


@pytest.mark.parametrize("layout", [UPT, MAT, QPIC])
def test_image_level_labels_from_anno_mat(fake, layout):
    expected = [frozenset(hois) for hois in json.loads((fake / UPT).read_text())["image_hois"]]
    assert image_hois(read_hicodet(fake / layout, image_labels=fake / "anno.mat")) == expected
    without = expected if layout == UPT else [None] * len(expected)
    assert image_hois(read_hicodet(fake / layout)) == without


def test_invisible_hois_give_labels_but_no_pairs(fake):
    annotations = read_hicodet(fake / MAT, image_labels=fake / "anno.mat")
    pairs = [len(target.hois) for target in annotations.targets]
    assert pairs[2] == 0 and annotations.targets[2].image_hois


def test_a_file_with_a_vocabulary_of_its_own(tmp_path):
    """As the synthetic benchmark writes it: fewer verbs and HOIs, in another order."""
    document = {
        "annotation": [
            {key: [] for key in ("boxes_h", "boxes_o", "hoi", "object", "verb")},
            {"boxes_h": [[1, 1, 10, 20]] * 2, "boxes_o": [[2, 3, 4, 5]] * 2}
            | {"hoi": [0, 0], "object": [1, 1], "verb": [1, 1]},
        ],
        "filenames": ["a.png", "b.png"],
        "size": [[160, 120], [150, 100]],
        "objects": ["person", "hot_dog"],
        "verbs": ["greet", "eat"],
        "correspondence": [[1, 0, 0], [0, 1, 1], [2, 1, 0]],
        "rare": [2],
    }
    (tmp_path / "world.json").write_text(json.dumps(document))
    vocabulary, targets = read_hicodet(tmp_path / "world.json", split="train")
    assert vocabulary.verbs == ("greet", "eat")
    assert vocabulary.hois == ((1, COCO_INDEX["hot dog"]), (0, 0), (0, COCO_INDEX["hot dog"]))
    assert vocabulary.rare == {2} and targets[0].image_hois is None
    assert [len(t.hois) for t in targets] == [0, 2]  # duplicates stay
    assert targets[1].size.tolist() == [100, 150]
    assert targets[1].boxes_o.tolist() == [[1.0, 2.0, 4.0, 5.0]] * 2


def test_oldest_upt_files_lack_sizes_and_rarity(fake, edited):
    old = read_hicodet(
        edited(fake / UPT, lambda d: [d.pop(key) for key in ("size", "rare", "non_rare", "empty")])
    )
    assert old.vocabulary == hicodet()
    assert old.targets[0].size.tolist() == [0, 0]


def test_the_real_test_file(shared):
    annotations = read_hicodet(shared / "data" / "hicodet" / UPT)
    assert annotations.vocabulary == hicodet()
    counts = [len(target.hois) for target in annotations.targets]
    assert (len(counts), sum(n > 0 for n in counts), sum(counts)) == (9658, 9546, 33405)
    facts = json.loads((shared / "facts" / "hico_splits.json").read_text())
    assert [i for i, n in enumerate(counts) if n == 0] == facts["test_empty_image_indices"]
    # 1-based inclusive boxes inside the image become continuous ones inside the image
    boxes = torch.cat([box for t in annotations.targets for box in (t.boxes_h, t.boxes_o)])
    limits = torch.cat([t.size.flip(0).repeat(2 * len(t.hois), 2) for t in annotations.targets])
    assert (boxes >= 0).all() and (boxes <= limits).all() and (boxes[:, 2:] > boxes[:, :2]).all()


def test_the_real_facts_agree_with_the_vocabulary(shared):
    facts = json.loads((shared / "facts" / "hico_interactions600.json").read_text())
    assert [(f["verb_index"], f["coco_index"]) for f in facts] == list(hicodet().hois)
    assert json.loads((shared / "facts" / "hico_rare138.json").read_text())["rare"] == sorted(
        hicodet().rare
    )


@pytest.mark.parametrize("case", ["easy", "medium"])
def test_the_evaluation_cases(shared, case):
    annotations = read_hicodet(shared / "cases" / f"hicodet_{case}.gt.json.gz")
    for target in annotations.targets:
        assert set(target.hois.tolist()) <= target.image_hois


# Every error is an AnnotationError with one line that names the file.


def refused(match, *args, **options):
    with pytest.raises(AnnotationError, match=match) as caught:
        read_hicodet(*args, **options)
    message = str(caught.value)
    assert "\n" not in message and str(args[0].name) in message and "expected" in message
    return message


def test_the_error_of_a_missing_file_names_its_source(tmp_path):
    message = refused("no such file", tmp_path / "anno_bbox.mat")
    assert "https://" in message and "rmlr-prepare synthetic" in message
    refused("cannot be read", tmp_path)


def _first_row(document, key, value):
    next(record for record in document["annotation"] if record["hoi"])[key][0] = value


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop("verbs"), "no key 'verbs'"),
        (lambda d: d["filenames"].pop(), "5 filenames but 6 annotation"),
        (lambda d: d["filenames"].__setitem__(0, d["filenames"][1]), "twice"),
        (lambda d: d["filenames"].__setitem__(0, 3), "not a name"),
        (lambda d: d["size"].pop(), "5 sizes"),
        (lambda d: d["size"].__setitem__(0, [640]), "width, height"),
        (lambda d: d["size"].__setitem__(0, [640, -1]), "not an integer"),
        (lambda d: d["objects"].__setitem__(0, "unicorn"), "unicorn"),
        (lambda d: d["correspondence"].__setitem__(0, [1, 0, 4]), "hoi twice"),
        (lambda d: d["correspondence"].__setitem__(0, [0, 80, 4]), "object 80"),
        (lambda d: d["correspondence"].__setitem__(0, [0, 4]), "hoi, object, verb"),
        (lambda d: d["rare"].append(600), "hoi 600"),
        (lambda d: d["image_hois"].pop(), "6 lists"),
        (lambda d: d["image_hois"][0].append("ride"), "not a list of integers"),
        (lambda d: d["annotation"].__setitem__(1, None), "not an object"),
        (lambda d: _first_row(d, "verb", 117), "verb 117"),
        (lambda d: _first_row(d, "verb", 1.5), "verb 1.5"),
        (lambda d: _first_row(d, "object", -1), "object -1"),
        (lambda d: _first_row(d, "hoi", 600), "hoi 600"),
        (lambda d: _first_row(d, "hoi", 0), "not its verb with its object"),
        (lambda d: _first_row(d, "boxes_h", [1, 2, 3]), "boxes of four numbers"),
        (lambda d: _first_row(d, "boxes_h", ["1", "2", "3", "4"]), "boxes of four numbers"),
        (lambda d: _first_row(d, "boxes_o", [1, 2, 3, float("nan")]), "NaN or infinite"),
        (lambda d: _first_row(d, "boxes_o", [1, 2, 3, 1e300]), "NaN or infinite"),
        (lambda d: next(r for r in d["annotation"] if r["hoi"])["verb"].pop(), "'verb'"),
    ],
)
def test_upt_refused(fake, edited, edit, match):
    refused(match, edited(fake / UPT, edit))


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda r: r.pop("file_name"), "file_name"),
        (lambda r: r["annotations"][0].update(category_id=12), "none of COCO's 80"),
        (lambda r: r["annotations"][0].update(bbox=[1, 2, 3]), "four numbers"),
        (lambda r: r["annotations"][0].pop("bbox"), "no key 'bbox'"),
        (lambda r: r["hoi_annotation"][0].update(subject_id=len(r["annotations"])), "subject_id"),
        (lambda r: r["hoi_annotation"][0].update(object_id=99), "object_id 99"),
        (lambda r: r["hoi_annotation"][0].update(object_id=-1), "object_id -1"),
        (lambda r: r["hoi_annotation"][0].update(category_id=118), "category_id 118"),
        (lambda r: r["hoi_annotation"][0].update(category_id=0), "category_id 0"),
        (
            lambda r: r["hoi_annotation"][0].update(object_id=r["hoi_annotation"][0]["subject_id"]),
            "no HOI",
        ),
    ],
)
def test_qpic_refused(fake, edited, edit, match):
    refused(match, edited(fake / QPIC, lambda d: edit(next(r for r in d if r["hoi_annotation"]))))


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"{", b"[1, 2", b"\xff\xfe", b"[" * 100_000, b"MATLAB", b"\x1f\x8b"]
)
def test_no_annotations_at_all(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    refused("empty|broken|not a layout", path)


@pytest.mark.parametrize("document", [{}, [], 3, None, "x", [3], {"annotations": []}, [[]]])
def test_another_layout(tmp_path, document):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    refused("not a layout|no images|not an object", path)


@pytest.mark.parametrize("layout", [UPT, MAT, QPIC])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_truncated(fake, tmp_path, layout, part):
    whole = (fake / layout).read_bytes()
    for name, content in ((layout, whole), (f"{layout}.gz", gzip.compress(whole))):
        (tmp_path / name).write_bytes(content[: int(part * len(content))])
        refused("broken or truncated", tmp_path / name)


def test_mat_refused(fake, tmp_path):
    refused("no variable bbox_train", fake / MAT, split="train")
    path = tmp_path / "wrong.mat"
    savemat(path, {"bbox_test": np.ones((2, 2))})
    refused("not a struct array", path)
    savemat(
        path,
        {
            "bbox_test": loadmat(fake / MAT)["bbox_test"],
            "list_action": np.zeros((1, 3), dtype=object),
        },
    )
    refused("list_action has 3", path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(600))
    refused("-v7", path)
    for field, value, match in (
        ("id", 601, "HOI id 601"),
        ("connection", np.array([[9.0, 1.0]]), "connection names a box"),
        ("bboxhuman", np.zeros((0, 0)), "connection names a box"),
    ):
        document = loadmat(fake / MAT)
        image = next(i for i in document["bbox_test"].ravel() if not i["hoi"]["invis"][0, 0].any())
        image["hoi"][field][0, 0] = value
        savemat(path, {"bbox_test": document["bbox_test"]})
        refused(match, path)


def test_image_labels_refused(fake, tmp_path):
    path = tmp_path / "anno.mat"
    for labels, names, match in (
        (np.ones((600, 6)), ["x.jpg"] * 6, "does not hold 6"),
        (np.ones((520, 6)), ["x.jpg"] * 6, "520 x 6"),
        (np.ones((600, 5)), ["x.jpg"] * 6, "600 x 5"),
    ):
        listed = np.array(names, dtype=object).reshape(-1, 1)
        savemat(path, {"anno_test": labels, "list_test": listed})
        with pytest.raises(AnnotationError, match=match):
            read_hicodet(fake / UPT, image_labels=path)
    shutil.copy(fake / UPT, path)
    with pytest.raises(AnnotationError, match="not a MATLAB file"):
        read_hicodet(fake / UPT, image_labels=path)
