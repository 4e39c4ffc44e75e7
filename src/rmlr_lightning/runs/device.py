"""The device that a user names."""

import torch

from rmlr_lightning.errors import UserError


def device_of(name: str, option: str) -> torch.device:
    """The torch device of that name, after a tensor was made on it.

    Args:
        option: where the name was given, for the message.

    Raises:
        UserError: there is no such device, or this machine lacks it.
    """
    # torch accepts the name of a device that is not there: only its use fails.
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        known = "cpu or cuda" if torch.cuda.is_available() else "cpu"
        raise UserError(
            f"{option} {name}: not a device of this machine ({reason}); try {known}"
        ) from None
    return device
