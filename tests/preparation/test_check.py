"""Statistics, published counts, hashes and the fingerprint."""

import json
import shutil

import pytest
import torch

from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.errors import UserError
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.check import Split, check_splits, fingerprint
from rmlr_lightning.preparation.report import Report
from rmlr_lightning.preparation.statistics import statistics_of


@pytest.fixture
def split(world, tmp_path):
    home = tmp_path / "copy"
    shutil.copytree(world / "hico_20160224_det" / "images" / "val2015", home / "val2015")
    shutil.copy(world / "hico_20160224_det" / "instances_val2015.json", home)
    path = home / "instances_val2015.json"
    return Split("val", (path,), read_hicodet(path).targets, ImageFolders(home / "val2015"))


def run(split):
    report = Report()
    check_splits(report, [split], False, lambda results, count: results)
    return report


def printed_fingerprint(capsys) -> str:
    return capsys.readouterr().out.splitlines()[-1].removeprefix("fingerprint ")


def test_counts_of_the_annotations(split):
    document = json.loads(split.files[0].read_text())
    found = statistics_of(split.targets)
    hois = [record["hoi"] for record in document["annotation"]]
    assert found.images == len(hois)
    assert found.with_pairs == sum(len(of_image) > 0 for of_image in hois)
    assert found.pairs == sum(map(len, hois))
    assert found.hois == len({hoi for of_image in hois for hoi in of_image})
    assert found.empty_roles == 0 and not found.flat


def test_wrong_boxes_are_counted(split):
    target = next(target for target in split.targets if len(target.hois))
    width = float(target.size[1])
    boxes = target.boxes_h.clone()
    boxes[0] = torch.tensor([width - 5, 3, width + 9, 8])
    outside = statistics_of([target._replace(boxes_h=boxes)])
    assert outside.outside == [target.file_name] and not outside.flat
    boxes[0, 2] = boxes[0, 0]
    assert statistics_of([target._replace(boxes_h=boxes)]).flat == [target.file_name]

    twice = {
        name: torch.cat([getattr(target, name)[:1]] * 3)
        for name in ("boxes_h", "boxes_o", "objects", "verbs", "hois")
    }
    assert statistics_of([target._replace(**twice)]).repeated == 2


def test_a_complete_split_has_no_problem_and_a_fingerprint(split, capsys):
    assert run(split).problems == []
    known = printed_fingerprint(capsys)
    assert len(known) == 64

    name = split.targets[0].file_name
    with open(split.images / name, "ab") as file:
        file.write(b"0")
    run(split)
    assert printed_fingerprint(capsys) != known


def test_fingerprints_do_not_depend_on_order():
    assert fingerprint({"a": "1", "b": "2"}, {"c": 3, "d": 4}) == fingerprint(
        {"b": "2", "a": "1"}, {"d": 4, "c": 3}
    )


def test_published_counts_and_missing_images_are_problems(split, capsys):
    (split.images / split.targets[0].file_name).unlink()
    report = run(split._replace(published={"images": (38_118, 37_633)}))
    assert report.problems == [
        f"val: {len(split.targets)} images, published: 38,118 or 37,633",
        "1 image missing",
    ]
    assert f"1 image missing: {split.targets[0].file_name}" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^HICO: val: .* \(and 1 more, see above\)$"):
        report.finish("HICO")
