import gzip
import json

import pytest
import torch

from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.vcoco import read_vcoco
from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.vocabulary import COCO_INDEX, vcoco, vcoco_action_roles, vcoco_actions

OFFICIAL, INSTANCES, SINGLE, IDS = (
    "vcoco_test.json",
    "instances_vcoco_all_2014.json",
    "vcoco_gt.json.gz",
    "vcoco_test.ids",
)
UPT, QPIC = "instances_vcoco_test.json", "test_vcoco.json"
COLUMNS = ("boxes_h", "boxes_o", "objects", "verbs", "hois")


def rows_of(target, with_empty=True):
    """Rows as sortable tuples; NaN boxes become None, so that they compare equal."""
    boxes_o = [
        None if obj < 0 else box
        for obj, box in zip(target.objects.tolist(), target.boxes_o.tolist(), strict=True)
    ]
    columns = (
        target.boxes_h.tolist(),
        boxes_o,
        target.objects.tolist(),
        target.verbs.tolist(),
        target.hois.tolist(),
    )
    rows = [row for row in zip(*columns, strict=True) if with_empty or row[2] >= 0]
    return sorted(rows, key=repr)


@pytest.fixture(scope="module")
def official(fake):
    return read_vcoco(fake / OFFICIAL, instances=fake / INSTANCES, ids=fake / IDS)


def test_all_layouts_give_equal_targets(fake, official):
    single = read_vcoco(fake / SINGLE)
    upt, qpic = (read_vcoco(fake / layout, instances=fake / INSTANCES) for layout in (UPT, QPIC))
    assert official.vocabulary == upt.vocabulary == qpic.vocabulary == single.vocabulary
    assert len(official.targets) == 6
    for a, b, c, d in zip(official.targets, single.targets, qpic.targets, upt.targets, strict=True):
        assert a[:2] == b[:2] == c[:2] == d[:2]
        assert (
            a.size.tolist() == b.size.tolist() == c.size.tolist() == d.size.tolist() == [480, 640]
        )
        for column in COLUMNS:
            assert torch.equal(getattr(a, column).nan_to_num(-9), getattr(b, column).nan_to_num(-9))
        assert rows_of(a) == rows_of(c)  # QPIC goes person by person
        assert rows_of(a, with_empty=False) == rows_of(d)  # UPT leaves empty roles out


def test_order_of_rows_is_upts(fake, official):
    for a, b in zip(official.targets, read_vcoco(fake / UPT).targets, strict=True):
        there = a.objects >= 0
        assert all(torch.equal(getattr(a, column)[there], getattr(b, column)) for column in COLUMNS)


def test_targets_equal_the_official_file(fake, official):
    actions = json.loads((fake / OFFICIAL).read_text())
    entities = {e["id"]: e for e in json.loads((fake / INSTANCES).read_text())["annotations"]}
    found = 0
    for target in official.targets:
        for row in range(len(target.verbs)):
            action, role = vcoco_action_roles()[target.verbs[row]]
            columns = actions[action]
            persons = len(columns["ann_id"])
            matches = []
            for i in range(persons):
                if columns["label"][i] and columns["image_id"][i] == target.image_id:
                    x, y, w, h = entities[columns["ann_id"][i]]["bbox"]
                    if target.boxes_h[row].tolist() == [x, y, x + w, y + h]:
                        matches.append(columns["role_object_id"][role * persons + i])
            (linked,) = matches
            if linked == 0:
                assert (
                    target.objects[row] == target.hois[row] == -1
                    and target.boxes_o[row].isnan().all()
                )
            else:
                x, y, w, h = entities[linked]["bbox"]
                assert target.boxes_o[row].tolist() == [x, y, x + w, y + h]
                verb, obj = official.vocabulary.hois[target.hois[row]]
                assert (verb, obj) == (target.verbs[row], target.objects[row])
            found += 1
    labels = {
        (a, r): sum(actions[a]["label"])
        for a, action in enumerate(vcoco_actions())
        for r in range(1, len(action.roles))
    }
    assert found == sum(labels[pair] for pair in vcoco_action_roles()) > 0


def test_images_without_interactions_are_kept(official):
    assert [len(t.verbs) > 0 for t in official.targets] == [True, True, False, True, True, False]


def test_objects_that_upt_does_not_list_follow_its_hois(fake, edited):
    book = COCO_INDEX["book"]

    def forbid(document):  # nobody may hold a book
        document["action_to_object"][0] = [
            i for i in document["action_to_object"][0] if i != book + 1
        ]

    expected = read_vcoco(fake / UPT)
    found = read_vcoco(edited(fake / UPT, forbid))
    held = any(((t.verbs == 0) & (t.objects == book)).any() for t in expected.targets)
    assert held and (0, book) in found.vocabulary.hois[len(vcoco().hois) - 1 :]
    assert set(found.vocabulary.hois) == set(expected.vocabulary.hois)


def test_upts_background_is_an_empty_role(fake, edited):
    def blank(document):
        record = next(r for r in document["annotations"] if r["objects"])
        record["objects"][0], record["boxes_o"][0] = 0, [0, 0, 0, 0]

    target = next(t for t in read_vcoco(edited(fake / UPT, blank)).targets if len(t.verbs))
    assert target.objects[0] == target.hois[0] == -1 and target.boxes_o[0].isnan().all()


@pytest.mark.parametrize("layout", [UPT, QPIC, OFFICIAL, SINGLE])
def test_ids_select_and_order(fake, layout):
    instances = None if layout == SINGLE else fake / INSTANCES
    whole = {t.image_id: t for t in read_vcoco(fake / layout, instances=instances).targets}
    selected = read_vcoco(fake / layout, instances=instances, ids=[407, 107, 207]).targets
    assert [t.image_id for t in selected] == [407, 107, 207]
    for target in selected:
        assert rows_of(target) == rows_of(whole[target.image_id])
        assert target.size.tolist() == [480, 640]


def test_sizes_are_zero_where_no_file_holds_them(fake):
    assert all(
        t.size.tolist() == [0, 0]
        for layout in (UPT, QPIC)
        for t in read_vcoco(fake / layout).targets
    )


def test_gzip(fake, tmp_path):
    for name in (OFFICIAL, INSTANCES, IDS, UPT):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((fake / name).read_bytes()))
    paths = [tmp_path / f"{name}.gz" for name in (OFFICIAL, INSTANCES, IDS)]
    assert read_vcoco_official(*paths) == read_vcoco_official(
        fake / OFFICIAL, fake / INSTANCES, fake / IDS
    )
    assert len(read_vcoco(tmp_path / f"{UPT}.gz").targets) == 6


def test_official_files_come_as_they_are(fake):
    official = read_vcoco_official(fake / OFFICIAL, fake / INSTANCES, fake / IDS)
    assert official.coco == json.loads((fake / INSTANCES).read_text())
    assert official.actions == json.loads((fake / OFFICIAL).read_text())
    assert official.ids == [7, 107, 207, 307, 407, 507]
    assert read_vcoco_official(fake / SINGLE) == official
    assert read_vcoco_official(fake / SINGLE, ids=[107]).ids == [107]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (UPT, "UPT's layout of V-COCO, which lacks the interactions without an object"),
        (QPIC, "not a layout of official V-COCO annotations: a list of 6"),
        (INSTANCES, "not a layout of official V-COCO annotations: a dict of 3 with keys"),
    ],
)
def test_scores_name_another_layout_and_the_official_file(fake, name, cause):
    for instances in (None, fake / INSTANCES):
        with pytest.raises(AnnotationError, match=rf"{name}: {cause}.*; expected V-COCO's vcoco_"):
            read_vcoco_official(fake / name, instances)


@pytest.mark.parametrize(
    ("split", "images", "rows"), [("train", 2533, 6400), ("val", 2867, 7417), ("test", 4946, 12402)]
)
def test_the_real_upt_files(shared, split, images, rows):
    annotations = read_vcoco(shared / "data" / "vcoco" / f"instances_vcoco_{split}.json")
    assert annotations.vocabulary == vcoco()
    assert len(annotations.targets) == images
    assert sum(len(t.hois) for t in annotations.targets) == rows
    ids = (shared / "data" / "vcoco" / "splits" / f"vcoco_{split}.ids").read_text().split()
    assert [t.image_id for t in annotations.targets] == [int(i) for i in ids]


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_real_official_files_against_upts(shared, tmp_path, split):
    """Without COCO's instances: every entity gets a box of its own, and the verbs are compared."""
    folder = shared / "data" / "vcoco"
    actions = json.loads((folder / f"vcoco_{split}.json").read_text())
    image_of = {}
    for action in actions:
        persons = len(action["ann_id"])
        for i, entity in enumerate([*action["ann_id"], *action["role_object_id"]]):
            image_of[entity] = action["image_id"][i % persons]
    image_of.pop(0)
    blank = {"width": 4096, "height": 4096}
    coco = {
        "images": [
            {"id": i, "file_name": f"{i}.jpg"} | blank for i in sorted(set(image_of.values()))
        ],
        "annotations": [
            {
                "id": entity,
                "image_id": image,
                "category_id": 1,
                "bbox": [entity % 640, entity // 640, 1, 1],
            }
            for entity, image in image_of.items()
        ],
        "categories": [],
    }
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    official = read_vcoco(folder / f"vcoco_{split}.json", instances=tmp_path / "instances.json")
    upt = read_vcoco(folder / f"instances_vcoco_{split}.json")
    for a, b in zip(official.targets, upt.targets, strict=True):
        assert a.image_id == b.image_id
        assert a.verbs[a.objects >= 0].tolist() == b.verbs.tolist()


def test_the_evaluation_case_is_part_of_the_real_val_file(shared):
    case = read_vcoco(shared / "cases" / "vcoco_gt_A.json.gz")
    ids = [t.image_id for t in case.targets]
    upt = read_vcoco(shared / "data" / "vcoco" / "instances_vcoco_val.json", ids=ids)
    assert len(ids) == 500 and case.vocabulary == upt.vocabulary
    for a, b in zip(case.targets, upt.targets, strict=True):
        there = a.objects >= 0
        assert a.file_name == b.file_name
        assert all(torch.equal(getattr(a, column)[there], getattr(b, column)) for column in COLUMNS)


def test_the_real_facts_agree_with_the_vocabulary(shared):
    facts = json.loads((shared / "facts" / "vcoco_actions26.json").read_text())["actions"]
    stated = [
        (f["name"], tuple(f["roles"]), tuple(map(tuple, f["role_object_include"]))) for f in facts
    ]
    assert stated == list(vcoco_actions())


# Every error is an AnnotationError with one line that names the file.


def refused(match, path, read=read_vcoco, **options):
    with pytest.raises(AnnotationError, match=match) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message and "expected" in message
    return message


def test_the_errors_of_missing_files_name_their_sources(fake, tmp_path):
    message = refused("no such file", tmp_path / "vcoco_test.json")
    assert "https://" in message and "rmlr-prepare synthetic" in message
    refused(
        "none.json: no such file.*cocodataset", fake / OFFICIAL, instances=tmp_path / "none.json"
    )
    refused("none.ids: no such file", fake / UPT, ids=tmp_path / "none.ids")
    refused("instances json is needed too", fake / OFFICIAL)
    refused("instances json is needed too", fake / OFFICIAL, read_vcoco_official)


def _first(document, key, value):
    next(record for record in document["annotations"] if record["objects"])[key][0] = value


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop("annotations"), "no key 'annotations'"),
        (lambda d: d["images"].pop(), "6 different ids"),
        (lambda d: d["images"].__setitem__(0, d["images"][1]), "6 different ids"),
        (lambda d: d["objects"].__setitem__(1, "unicorn"), "unicorn"),
        (lambda d: d["action_to_object"].pop(), "24 lists"),
        (lambda d: d["action_to_object"][0].append(81), "action_to_object 81"),
        (lambda d: d["annotations"][0].pop("file_name"), "file_name"),
        (lambda d: _first(d, "actions", 24), "action 24"),
        (lambda d: _first(d, "objects", 81), "object 81"),
        (lambda d: _first(d, "boxes_h", [1, 2]), "four numbers"),
        (lambda d: _first(d, "boxes_o", [None] * 4), "four numbers"),
        (lambda d: _first(d, "boxes_o", [float("nan")] * 4), "NaN or infinite"),
        (lambda d: next(r for r in d["annotations"] if r["objects"])["objects"].pop(), "'objects'"),
    ],
)
def test_upt_refused(fake, edited, edit, match):
    refused(match, edited(fake / UPT, edit))


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda t: t.update(category_id=29), "category_id 29"),
        (lambda t: t.update(subject_id=-1), "subject_id -1"),
        (lambda t: t.update(object_id=-2), "object_id -2"),
        (lambda t: t.update(object_id=99), "object_id 99"),
        (lambda t: t.pop("object_id"), "object_id"),
    ],
)
def test_qpic_refused(fake, edited, edit, match):
    refused(match, edited(fake / QPIC, lambda d: edit(d[0]["hoi_annotation"][0])))


@pytest.mark.parametrize("read", [read_vcoco, read_vcoco_official])
@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop(), "a list of 25"),
        (lambda d: d.reverse(), "action 0 is 'snowboard'"),
        (lambda d: d[6].update(role_name=["agent", "obj", "instr"]), "not hit"),
        (lambda d: d[0]["label"].pop(), "lengths"),
        (lambda d: d[0].update(role_object_id=d[0]["role_object_id"][:-1]), "lengths"),
        (lambda d: d[0]["label"].__setitem__(0, 2), "label 2"),
        (
            lambda d: d[0]["label"].__setitem__(0, True),
            "not always an integer|not a list of integers",
        ),
        (lambda d: d[0]["ann_id"].__setitem__(0, 5), "annotation 5"),
        (lambda d: d[0]["ann_id"].__setitem__(0, 0), "annotation 0"),
        (lambda d: d[0]["role_object_id"].__setitem__(-1, 31), "annotation 31"),
        (lambda d: d[0].pop("ann_id"), "no key 'ann_id'"),
    ],
)
def test_official_refused(fake, edited, read, edit, match):
    refused(match, edited(fake / OFFICIAL, edit), read, instances=fake / INSTANCES)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda d: d.pop("images"), "no key 'images'"),
        (lambda d: d["images"][0].update(id=107), "images holds an id twice"),
        (lambda d: d["images"][0].update(width="640"), "width"),
        (lambda d: d["images"].pop(), "lack|not listed"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3]), "four numbers"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3, float("inf")]), "NaN or infinite"),
        (lambda d: d["annotations"][0].update(category_id=12), "category_id 12"),
        (lambda d: d["annotations"][0].update(image_id=8), "not listed"),
        (
            lambda d: d["annotations"][1].update(id=d["annotations"][0]["id"]),
            "annotations holds an id twice",
        ),
    ],
)
def test_instances_refused(fake, edited, edit, match):
    refused(match, fake / OFFICIAL, read_vcoco_official, instances=edited(fake / INSTANCES, edit))


@pytest.mark.parametrize(
    ("ids", "match"),
    [([], "no images"), ([7, 7], "twice"), ([8], "lack 1|not hold 1"), (["a"], "id")],
)
def test_ids_refused(fake, tmp_path, ids, match):
    path = tmp_path / "some.ids"
    path.write_text("\n".join(map(str, ids)))
    match = f"{match}|empty|integers"
    for list_or_file in (ids, path):
        refused(match, fake / UPT, ids=list_or_file)
        refused(match, fake / OFFICIAL, instances=fake / INSTANCES, ids=list_or_file)


@pytest.mark.parametrize(
    "document", [{}, [], 3, "x", [3], [[]], {"annotation": []}, {"vcoco": []}, [{}]]
)
def test_another_layout(tmp_path, document):
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    refused("not a layout|no key|not a list", path)
    refused("not a layout|needed too|no key", path, read_vcoco_official)
