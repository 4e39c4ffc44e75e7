"""A typo gets the nearest name, and options of the Trainer need no plus sign."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException

from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.hydra_program import check_groups
from rmlr_lightning.runs.typed_keys import (
    known_keys,
    nearest,
    unknown_name,
    with_trainer_options,
)


def error_of(*arguments: str) -> HydraException:
    """What Hydra raises for these arguments."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        with pytest.raises(HydraException) as caught:
            compose("train", list(arguments))
    return caught.value


@pytest.fixture(scope="module")
def keys() -> set[str]:
    return known_keys("train", ["experiment=upt", "optim.lrr=1"])


@pytest.mark.fault
@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("optim.lrr", "optim.lr"),
        ("task.optim.lr", "optim.lr"),
        ("lr", "optim.lr"),
        ("mdel/ire", "model/ire"),
        ("losss", "loss"),
        ("zzz", None),
    ],
)
def test_the_nearest_key_is_found(keys, typed, key):
    assert nearest(typed, keys) == key


@pytest.mark.fault
def test_an_unknown_key_is_one_line_with_the_nearest_one():
    arguments = ["optim.lrr=1e-3", "experiment=upt"]
    message = str(unknown_name(error_of(*arguments), "train", arguments))
    expected = "optim.lrr: no such key; did you mean optim.lr? (+optim.lrr=... adds a new key)"
    assert message == expected


@pytest.mark.fault
def test_a_group_that_has_no_place_of_its_own_is_added_with_a_plus_sign():
    message = str(unknown_name(error_of("sweep=short"), "train", ["sweep=short"]))
    assert message == "sweep=short: this group is added with a plus sign: +sweep=short"


@pytest.mark.fault
def test_a_key_of_a_choice_that_was_not_made_names_the_choice():
    message = str(unknown_name(error_of("callbacks.ema.decay=0.9"), "train", []))
    expected = "is a key of callbacks=ema, which is not chosen; add callbacks=ema"
    assert message == f"callbacks.ema.decay: {expected}"
    message = str(unknown_name(error_of("callbacks.ema.dekay=0.9"), "train", []))
    assert "no such key" in message


@pytest.mark.fault
@pytest.mark.parametrize("typed", ["experiment=visual,rmlr", "seed=0,1", "seed=range(3)"])
def test_several_values_without_a_sweep_need_an_option(typed):
    message = str(unknown_name(error_of("name=a", typed), "train", []))
    assert message.startswith(f"{typed}: several values are a sweep; add -m for it")


@pytest.mark.fault
def test_a_choice_that_needs_an_extra_names_it():
    # as Hydra raises it where the plugin is not installed
    error = MissingConfigException("", "hydra/sweeper/optuna", options=["basic"])
    message = str(unknown_name(error, "train", []))
    assert message == "hydra/sweeper=optuna needs an extra: pip install 'rmlr-lightning[optuna]'"


@pytest.mark.fault
def test_an_unknown_option_of_the_trainer_gets_the_nearest_one():
    arguments = ["trainer.limit_train_batch=10"]
    message = str(unknown_name(error_of(*arguments), "train", arguments))
    assert "did you mean trainer.limit_train_batches?" in message


@pytest.mark.fault
def test_an_unknown_choice_of_a_group_gets_the_nearest_file():
    message = str(unknown_name(error_of("model/ire=transfromer"), "train", []))
    expected = "no such file in conf/model/ire; did you mean transformer?"
    assert message == f"model/ire=transfromer: {expected}"
    message = str(unknown_name(error_of("optim=zzz"), "train", []))
    assert message.endswith("conf/optim; choose from adamw")


def test_other_errors_of_hydra_stay_as_they_are():
    assert unknown_name(error_of("~optim.zzz"), "train", []) is None


@pytest.mark.fault
def test_a_group_with_dots_gets_slashes():
    with pytest.raises(UserError, match=r"^model\.irm=linear: .* did you mean model/irm=linear\?$"):
        check_groups(["model.irm=linear"])
    check_groups(["model.power=2.0", "data.augment=null", "model/irm=linear"])


@pytest.mark.parametrize("words", [["upt"], ["-m", "seed=1", "upt"]])
def test_a_word_without_a_value_is_named(words):
    with pytest.raises(UserError, match=r"^upt: an option is KEY=VALUE, such as experiment=upt"):
        check_groups(words)


def test_words_that_belong_to_an_option_need_no_value():
    check_groups(["--from-run", "outputs/rmlr", "--cfg", "job", "~logger", "-m", "seed=1,2"])


def test_options_of_the_trainer_need_no_plus_sign():
    typed = ["trainer.limit_train_batches=10", "trainer.max_epochs=3", "+trainer.min_epochs=1"]
    assert with_trainer_options(typed) == [f"++{typed[0]}", *typed[1:]]
    # what the Trainer does not take stays a mistake
    assert with_trainer_options(["trainer.zzz=1", "seed=1"]) == ["trainer.zzz=1", "seed=1"]
