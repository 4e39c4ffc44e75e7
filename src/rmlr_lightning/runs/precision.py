"""The option `trainer.precision`."""

from rmlr_lightning.errors import UserError

PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16", "64-true", "64")
HALF = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")


def check_precision(value: object, key: str = "trainer.precision") -> None:
    """Refuse what gives wrong boxes.

    Args:
        key: the option, for the message.

    Raises:
        UserError: whole networks in 16 bits, or no precision of Lightning's.
    """
    if str(value) in HALF:
        raise UserError(
            f"{key}={value}: would round boxes to three digits (a pixel or more) and the frozen "
            "detector to other detections; use bf16-mixed, 16-mixed or 32-true"
        )
    if str(value) not in PRECISIONS:
        raise UserError(f"{key}={value}: choose one of {', '.join(PRECISIONS)}")
