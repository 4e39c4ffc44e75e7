"""Processes of one torchrun draw the data once, and write one cache together."""

import pytest

from tests.page_commands import finished, from_page, installed


@pytest.mark.slow
@pytest.mark.fault
def test_processes_that_start_without_data_make_one_cache(tmp_path):
    program, processes, *words = from_page("torchrun --nproc-per-node=8 -m rmlr_lightning.cli.ext")
    assert processes == "--nproc-per-node=8"
    command = [
        *(installed(program), "--nproc-per-node=2", f"--log-dir={tmp_path / 'logs'}"),
        "--redirects=3",  # both streams of each process go to a file
        *words,
        *(f"paths.data={tmp_path / 'data'}", "features.shard=4", "splits=[val,test]"),
        *("data.prepare.config.train=4", "+data.prepare.config.val=8"),
        *("+data.prepare.config.test=8", "data.prepare.workers=1"),
    ]
    done = finished(command, tmp_path, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    first, second = (
        next(tmp_path.glob(f"logs/*/attempt_0/{rank}/stdout.log")).read_text() for rank in (0, 1)
    )
    assert "val: 8 images" in first and ": 8 images" not in second
    # one of them drew, the other found the images
    assert sorted("is here already" in text for text in (first, second)) == [False, True]
    stores = {path.parent for path in tmp_path.rglob("scenes_*.safetensors")}
    assert [len(list(store.glob("scenes_*.safetensors"))) for store in stores] == [2, 2]
    assert not list(tmp_path.rglob("*.part"))
