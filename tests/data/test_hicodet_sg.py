"""HICO-DET-SG: the real test file, through the configuration, with images from both folders."""

import json
import os
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from PIL import Image

from rmlr_lightning.ops.zero_shot import fixed_split
from rmlr_lightning.runs.config import conf_dir, register_resolvers
from rmlr_lightning.vocabulary import hicodet

SHARED = Path(os.environ.get("RMLR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
FILES = SHARED / "data" / "hico_det_sg"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="no folder of shared annotation files")


def test_the_real_test_file_of_split_3(tmp_path):
    """6,229 images of both folders, 8,994 pairs, and 60 HOIs: those that training lacks."""
    splits = tmp_path / "hoi_sg" / "SGsplits" / "HICO-DET-SG" / "test"
    splits.mkdir(parents=True)
    (splits / "test_hico_sg3.json").symlink_to(FILES / "test_hico_sg3.json")
    register_resolvers()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose(
            "train", overrides=["data=hicodet_sg", "sg_split=3", f"paths.data={tmp_path}"]
        )
    data = instantiate(cfg.data).uncached_dataset("test")

    assert len(data) == 6229 and sum(len(target.hois) for target in data.targets) == 8994
    hidden = instantiate(cfg.task.module.unseen)(data.vocabulary)
    assert {hoi for target in data.targets for hoi in target.hois.tolist()} == hidden
    assert len(hidden) == 60

    # an image is found in the folder that has it
    home = tmp_path / "hico_20160224_det" / "images"
    for folder in ("train2015", "test2015"):
        (home / folder).mkdir(parents=True)
        name = next(t.file_name for t in data.targets if folder in t.file_name)
        Image.new("RGB", (40, 30)).save(home / folder / name)
        assert data.image(name).size == (40, 30)
    in_train = sum("train2015" in target.file_name for target in data.targets)
    assert (in_train, len(data) - in_train) == (4777, 1452)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_lists_of_test_hois(split):
    """1-based ids; in the file of split 3, two HOIs never have one (key missing, -1)."""
    ids = json.loads((FILES / f"test_hico_sg{split}_hois.json").read_text())
    listed = {number - 1 for number in ids if number > 0}
    hois = fixed_split(hicodet(), f"sg{split}")
    assert listed <= hois and len(hois - listed) == {1: 0, 2: 0, 3: 2}[split]
