"""Values of `trainer` that would fail late, or with an unclear message."""

from types import NoneType
from typing import get_args, get_type_hints

from omegaconf import DictConfig
from pytorch_lightning import Trainer

from rmlr_lightning.errors import UserError

NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
}


def check_length(trainer: DictConfig) -> None:
    """At least one step.

    Raises:
        UserError: no number, 0, or less than -1.
    """
    for key in ("max_epochs", "max_steps"):
        value = trainer.get(key)
        if value is not None and (not isinstance(value, int) or value == 0 or value < -1):
            raise UserError(f"trainer.{key}={value}: expected 1, 2, ... or -1 for no limit")


def check_validation(trainer: DictConfig) -> None:
    """Without a validation no checkpoint is selected, and a sweep never counts the run as done."""
    every, epochs = trainer.get("check_val_every_n_epoch"), trainer.get("max_epochs")
    if isinstance(every, int) and 0 < (epochs or 0) < every and not trainer.get("fast_dev_run"):
        raise UserError(
            f"trainer.max_epochs={epochs}: validation is in every epoch number "
            f"{every}, so no checkpoint would be selected; set "
            "trainer.check_val_every_n_epoch=1"
        )


def check_types(trainer: DictConfig) -> None:
    """Check the types that Trainer annotates, where these are plain values.

    Lightning compares numbers with a text before it finds out that it is one.

    Raises:
        UserError: a value of another type.
    """
    hints = get_type_hints(Trainer.__init__)
    for key, value in trainer.items():
        hint = hints.get(key, object)
        # parts of a union; a single type has none
        types = get_args(hint) or (hint,)
        if all(kind in NAMES for kind in types) and not isinstance(value, types):
            *first, last = [NAMES[kind] for kind in types]
            expected = f"{', '.join(first)} or {last}" if first else last
            raise UserError(f"trainer.{key}={value}: expected {expected}")
