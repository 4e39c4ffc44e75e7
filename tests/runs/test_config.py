from rmlr_lightning.runs.config import short_name


def test_a_run_of_many_overrides_has_a_folder_name_that_file_systems_take():
    short = "experiment=upt,seed=1"
    long = "alignment.sentence.weight=0.1," * 20
    assert short_name(short) == short
    assert len(short_name(long).encode()) <= 250
    assert short_name(long).startswith("alignment.sentence.weight=0.1,")
    assert short_name(long) != short_name(long + "seed=1")
