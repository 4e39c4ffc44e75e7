import pytest
from hydra import compose, initialize_config_dir

from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.folder_names import folder_name, short_name
from rmlr_lightning.runs.hydra_program import OutputFolder


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
def test_folders_are_named_by_what_changes_a_result():
    """A sweep that is started again finds its folder and those of its first start."""
    words = ["seed=1", "++trainer.limit_train_batches=10", "optim.lr=0.1"]
    more = [
        *("resume=auto", "logger=wandb", "paths.data=/far", "data.num_workers=0", "name=a"),
        *("+sweep=seeds", "callbacks.wandb.checkpoint=true", "~callbacks.panel", "~logger"),
    ]
    assert folder_name(words) == "optim.lr=0.1,seed=1,trainer.limit_train_batches=10"
    assert folder_name([*more, *reversed(words)]) == folder_name(words)
    assert folder_name(["callbacks=ema"]) == "callbacks=ema"
    assert folder_name(more) == "default"


@pytest.mark.fault
@pytest.mark.parametrize("typed", ["experiment=visual,rmlr", "optim.lr=interval(0.1,0.2)"])
def test_all_runs_of_a_sweep_have_its_folder(typed, tmp_path, monkeypatch):
    """Also where an interpolation of its name has another value in every run."""
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["seed=0", "optim.lr=1"], return_hydra_config=True)
        cfg.hydra.overrides.task = [typed]
        OutputFolder().on_multirun_start(cfg)
        of_run = compose("train", [*cfg.hydra.overrides.hydra, "seed=1"], return_hydra_config=True)
    assert of_run.hydra.sweep.dir == f"multirun/{typed}"
    assert of_run.hydra.sweep.subdir == "seed=1"
    assert (tmp_path / "multirun" / typed).is_dir()


def test_a_slurm_job_tells_its_number_of_machines(monkeypatch):
    monkeypatch.setenv("SLURM_NNODES", "3")
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["trainer=slurm"])
    assert cfg.trainer.num_nodes == 3 and cfg.trainer.devices == "auto"
    assert cfg.trainer.strategy.gradient_as_bucket_view
