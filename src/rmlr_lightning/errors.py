"""Errors that the user can correct."""

import errno

# Of the machine, whatever is read: `runs.user_errors` tells the way out
LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE)


class UserError(Exception):
    """A mistake in the user's input. The message is one line: file, key or option, and the way out.

    Console scripts print it without a traceback and exit with status 2.
    """

    def __str__(self) -> str:
        # messages quote file names and contents, which may be anybody's
        return printable(super().__str__())


class SharedError(UserError):
    """A mistake that all processes of a run find at the same moment; one of them prints it."""


def raise_limits(error: Exception) -> None:
    """Raise an error again that is of the machine, not of the file.

    For readers that take any other error for damage of the file.
    """
    if isinstance(error, OSError) and error.errno in LIMITS:
        raise error


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 image", "2,000 images", "0 boxes".

    Args:
        number: 0 or more.
        noun: in the singular.
        plural: where it is not the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """Text on one line, with escapes in place of what would control a terminal.

    Line breaks, escape sequences, characters that reverse the direction of writing, and halves of
    surrogate pairs (which cannot be printed at all) become "\\n", "\\x1b", "\\u202e", "\\ud800".
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
