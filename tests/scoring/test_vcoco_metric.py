"""Role AP of a run: from official files only, and on the images of the split."""

import pytest

from rmlr_lightning.annotations.held_out import is_held_out
from rmlr_lightning.annotations.vcoco_official import read_vcoco_official
from rmlr_lightning.scoring.vcoco_metric import role_ap_of_files
from rmlr_lightning.vocabulary import vcoco
from tests.annotations.make_vcoco import make_vcoco


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vcoco")
    make_vcoco(folder, images=40)
    return folder


def official(folder, **others):
    names = {
        "annotations": "vcoco_test.json",
        "instances": "instances_vcoco_all_2014.json",
        "ids": "vcoco_test.ids",
    }
    return {key: str(folder / name) for key, name in names.items()} | others


def role_ap(**splits):
    return role_ap_of_files(splits, vcoco(), frozenset(), "val")


def test_a_split_without_files_has_no_role_ap(folder):
    assert role_ap(test=official(folder)) is None


def test_all_images_are_scored_unless_some_are_held_out(folder):
    whole = read_vcoco_official(*official(folder).values())
    assert role_ap(val=official(folder)).truth.image_ids.tolist() == whole.ids

    name_of = {image["id"]: image["file_name"] for image in whole.coco["images"]}
    for held_out in (True, False):
        found = role_ap(val=official(folder, held_out=held_out, share=0.4)).truth.image_ids
        expected = [i for i in whole.ids if is_held_out(name_of[i], 0.4) == held_out]
        assert found.tolist() == expected and 0 < len(expected) < len(whole.ids)


@pytest.mark.parametrize("layout", ["instances_vcoco_test.json", "test_vcoco.json"])
def test_files_of_another_layout_have_no_role_ap(folder, layout, capsys):
    files = {"annotations": str(folder / layout), "instances": None, "ids": None}
    assert role_ap(val=files) is None
    assert "is not an official file" in capsys.readouterr().err
