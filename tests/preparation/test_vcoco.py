"""instances_vcoco_all_2014.json is made from COCO's files, once."""

import json
import shutil

import pytest

from rmlr_lightning.annotations.coco_instances import read_instances
from rmlr_lightning.errors import UserError
from rmlr_lightning.preparation.vcoco import INSTANCES, make_instances
from tests.annotations.make_vcoco import make_vcoco


@pytest.fixture
def data(tmp_path):
    """COCO's instances of six images in two files, of which V-COCO has four."""
    make_vcoco(tmp_path, images=6)
    coco = json.loads((tmp_path / INSTANCES).read_text())
    (tmp_path / INSTANCES).unlink()
    folder = tmp_path / "mscoco2014" / "annotations"
    folder.mkdir(parents=True)
    for name, images in (("train", coco["images"][3:]), ("val", coco["images"][:3])):
        ids = {image["id"] for image in images}
        rows = [row for row in coco["annotations"] if row["image_id"] in ids]
        content = {"info": {}, "categories": coco["categories"]}
        content |= {"images": images, "annotations": rows}
        (folder / f"instances_{name}2014.json").write_text(json.dumps(content))
    splits = tmp_path / "vcoco" / "splits"
    splits.mkdir(parents=True)
    (splits / "vcoco_all.ids").write_text("7\n307\n207\n507\n")
    return tmp_path


def made(data):
    return make_instances(data / "vcoco", data / "mscoco2014", data)


def test_train_comes_first_and_other_images_are_left_out(data):
    path = made(data)
    assert path == data / "vcoco" / INSTANCES
    coco = read_instances(path)
    assert [image["id"] for image in coco["images"]] == [307, 507, 7, 207]
    assert {row["image_id"] for row in coco["annotations"]} == {7, 207, 307, 507}
    assert len(coco["annotations"]) == 4 * 32
    assert len(coco["categories"]) == 80


def test_an_existing_file_is_kept(data):
    path = made(data)
    path.write_text("mine")
    assert made(data) is None and path.read_text() == "mine"


def test_annotations_beside_the_folder_of_images(data):
    shutil.move(data / "mscoco2014" / "annotations", data / "annotations")
    assert made(data).is_file()


def test_without_splits_nothing_is_made(data):
    shutil.rmtree(data / "vcoco" / "splits")
    assert made(data) is None


@pytest.mark.fault
def test_splits_without_the_list_of_all_images_are_refused(data):
    """The message of training names rmlr-prepare, so that must say what it lacks."""
    (data / "vcoco" / "splits" / "vcoco_all.ids").unlink()
    with pytest.raises(UserError, match=r"vcoco_all\.ids: no such file; .*s-gupta/v-coco"):
        made(data)


def test_missing_images_and_files_are_named(data):
    (data / "vcoco" / "splits" / "vcoco_all.ids").write_text("7\n8\n")
    with pytest.raises(UserError, match=r"lacks 1 of V-COCO's images, 8 first"):
        made(data)
    (data / "mscoco2014" / "annotations" / "instances_val2014.json").unlink()
    with pytest.raises(UserError, match=r"instances_val2014.json: no such file.*trainval2014.zip"):
        made(data)
    assert not (data / "vcoco" / INSTANCES).exists()
