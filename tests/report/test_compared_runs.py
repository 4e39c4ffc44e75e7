"""Which runs are compared with each other, and by which size of their training set."""

import json

import pytest
import yaml

from rmlr_lightning.cli.report import main
from rmlr_lightning.report.run_folders import run_folders
from tests.report.made_up import make_run


def test_runs_of_two_data_sets_are_refused_before_a_table(tmp_path, capsys):
    make_run(tmp_path / "hicodet", "a")
    values = json.loads((make_run(tmp_path / "vcoco", "b") / "metrics.json").read_text())
    values |= {"test/role_ap_s1": 0.2, "test/role_ap_s2": 0.3}
    (tmp_path / "vcoco" / "metrics.json").write_text(json.dumps(values))
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path)])
    printed = capsys.readouterr()
    assert caught.value.code == 2 and printed.out == ""
    assert f"{tmp_path / 'vcoco'} is a run of V-COCO, {tmp_path / 'hicodet'} is not" in printed.err


@pytest.mark.parametrize(
    ("limit", "train", "overrides"),
    [(None, 500, ()), (1.0, 500, ()), (2, None, ("data.prepare.config.train=500",))],
)
def test_the_size_of_a_training_set_is_known_if_all_of_it_is_used(
    limit, train, overrides, tmp_path
):
    folder = make_run(tmp_path / "a")
    config = {"name": "a", "seed": 0, "data": {"prepare": {"config": {"train": 500}}}}
    config["trainer"] = {"limit_train_batches": limit}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text("- data.prepare.config.train=500\n")
    (found,) = run_folders(tmp_path)
    assert (found.train, found.overrides) == (train, overrides)
