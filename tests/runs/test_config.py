import pytest
from hydra import compose, initialize_config_dir

from rmlr_lightning.runs.config import conf_dir, short_name


def test_a_run_of_many_overrides_has_a_folder_name_that_file_systems_take():
    short = "experiment=upt,seed=1"
    long = "alignment.sentence.weight=0.1," * 20
    assert short_name(short) == short
    assert len(short_name(long).encode()) <= 250
    assert short_name(long).startswith("alignment.sentence.weight=0.1,")
    assert short_name(long) != short_name(long + "seed=1")


@pytest.mark.fault
def test_a_run_of_a_sweep_is_one_folder_of_the_sweep():
    """Not folders in folders, which a value with slashes would make."""
    name = short_name("model/remine=none,model.detector.path=/data/detr.pth")
    assert name == "model_remine=none,model.detector.path=_data_detr.pth"


@pytest.mark.fault
def test_a_run_of_a_sweep_is_named_by_what_changes_its_result():
    """A sweep that is started again with resume=auto finds the folders of its first start."""
    words = ["seed=1", "optim.lr=0.1"]
    more = ["resume=auto", "logger=tensorboard", "paths.data=/far", "data.num_workers=0", "name=a"]
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        names = [
            compose("train", typed, return_hydra_config=True).hydra.job.override_dirname
            for typed in (words, [*words, *more])
        ]
    assert names == ["optim.lr=0.1,seed=1"] * 2


def test_a_slurm_job_tells_its_number_of_machines(monkeypatch):
    monkeypatch.setenv("SLURM_NNODES", "3")
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["trainer=slurm"])
    assert cfg.trainer.num_nodes == 3 and cfg.trainer.devices == "auto"
    assert cfg.trainer.strategy.gradient_as_bucket_view
