"""A network is made of a configuration before its weights are read: a damaged or hostile one could
ask for more memory than there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as hooks

from rmlr_lightning.errors import UserError, raise_limits

# Tables of positions and the detector that ships with the package are not in every file.
SPARE_NUMBERS, MAX_MODULES = 2**27, 100_000


@contextmanager
def bounded_construction(source: str, numbers: int) -> Iterator[None]:
    """Modules made inside have about as many parameters as the file that will fill them.

    Any error of the modules' own code, whose options the file determines, becomes a `UserError`.

    Args:
        source: the configuration, for the message.
        numbers: in all its tensors.

    Raises:
        UserError: more parameters, more than 100,000 modules, or options that are not valid.
    """
    left = {"numbers": 2 * numbers + SPARE_NUMBERS, "modules": MAX_MODULES}

    def take(kind: str, count: int) -> None:
        left[kind] -= count
        if left[kind] < 0:
            raise UserError(f"{source} makes a larger network than there are weights")

    def on_tensor(owner: nn.Module, name: str, value: Tensor | None) -> None:
        take("numbers", 0 if value is None else value.numel())

    def on_module(owner: nn.Module, name: str, value: nn.Module | None) -> None:
        take("modules", 1)

    # called before values are drawn, which would touch the memory
    handles = [
        hooks.register_module_parameter_registration_hook(on_tensor),
        hooks.register_module_buffer_registration_hook(on_tensor),
        hooks.register_module_module_registration_hook(on_module),
    ]
    try:
        yield
    except UserError:
        raise
    # the options are the file's, and constructors of any module check theirs in any way
    except Exception as error:
        raise_limits(error)
        raise _user_error(error, source) from error
    finally:
        for handle in handles:
            handle.remove()


def _user_error(error: Exception, source: str) -> UserError:
    # Hydra wraps errors of the objects it makes
    cause: Any = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        cause = cause.__cause__
    reason = str(error.__cause__ or error)
    with suppress(IndexError):
        reason = reason.strip().splitlines()[0]
    return UserError(f"{source} is damaged ({type(error).__name__}: {reason[:200]})")
