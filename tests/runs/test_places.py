"""The usual folder layouts of the data sets are found without links made by hand."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from rmlr_lightning.runs.config import conf_dir

COCO_LAYOUTS = ["mscoco2014", "vcoco/mscoco2014", "v-coco/images", "coco", "coco/images"]


def data_config(name: str, folder: Path, *overrides: str):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        # quoted: a folder may have a comma in its name
        overrides = [f"data={name}", f"paths.data='{folder}'", "paths.output=out", *overrides]
        return compose("train", overrides=overrides).data


def touched(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


@pytest.mark.parametrize("coco", COCO_LAYOUTS)
def test_coco_images_are_found(coco, tmp_path):
    (tmp_path / "coco" / "annotations").mkdir(parents=True)  # no images: not taken for it
    (tmp_path / coco / "train2014").mkdir(parents=True)
    assert data_config("vcoco", tmp_path).test.images == str(tmp_path / coco / "val2014")


def test_a_clone_of_the_official_repository(tmp_path):
    data = tmp_path / "a b, c" / "v-coco" / "data"
    test = touched(data / "vcoco" / "vcoco_test.json")
    trainval = touched(data / "vcoco" / "vcoco_trainval.json")
    ids = touched(data / "splits" / "vcoco_trainval.ids")
    instances = touched(data / "instances_vcoco_all_2014.json")
    found = data_config("vcoco", tmp_path / "a b, c")
    assert (found.train.annotations, found.test.annotations) == (trainval, test)
    assert found.train.ids == ids and found.test.ids is None
    assert {found[split].instances for split in ("train", "val", "test")} == {instances}


def test_upts_folder_of_vcoco(tmp_path):
    trainval = touched(tmp_path / "vcoco" / "instances_vcoco_trainval.json")
    (tmp_path / "vcoco" / "mscoco2014" / "train2014").mkdir(parents=True)
    found = data_config("vcoco", tmp_path).val
    assert found.annotations == trainval and found.instances is found.ids is None
    assert found.images == str(tmp_path / "vcoco" / "mscoco2014" / "train2014")


@pytest.mark.parametrize("home", ["hico_20160224_det", "hicodet/hico_20160224_det"])
def test_hico_det_is_found(home, tmp_path):
    (tmp_path / home / "images").mkdir(parents=True)
    found = data_config("hicodet", tmp_path).train
    assert found.annotations == str(tmp_path / home / "anno_bbox.mat")


def test_the_place_in_the_documentation_is_named_where_nothing_is_found(tmp_path):
    found = data_config("vcoco", tmp_path).train
    clone = tmp_path / "v-coco" / "data"  # the path within the official repository
    assert found.annotations == str(clone / "vcoco" / "vcoco_trainval.json")
    assert found.images == str(tmp_path / "mscoco2014" / "train2014")
