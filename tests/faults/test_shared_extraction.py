"""Processes of one torchrun draw the data once, and write one cache together."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.fault
def test_processes_that_start_without_data_make_one_cache(tmp_path):
    command = [
        *(sys.executable, "-W", "ignore", "-m", "rmlr_lightning.cli.extract"),
        *(f"paths.data={tmp_path}", "features.shard=4", "splits=[val,test]"),
        *("data.prepare.config.train=4", "+data.prepare.config.val=8"),
        *("+data.prepare.config.test=8", "data.prepare.workers=1"),
    ]
    started = [
        subprocess.Popen(
            command,
            env=os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    ended = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    (first, _), (second, _) = ended
    assert "val: 8 images" in first and ": 8 images" not in second
    # one of them drew, the other found the images
    assert sorted("is here already" in text for text in (first, second)) == [False, True]
    stores = {path.parent for path in tmp_path.rglob("scenes_*.safetensors")}
    assert [len(list(store.glob("scenes_*.safetensors"))) for store in stores] == [2, 2]
    assert not list(tmp_path.rglob("*.part"))
