"""Errors that the user can correct."""


class UserError(Exception):
    """A mistake in the user's input. The message is one line: file, key or option, and the way out.

    Console scripts print it without a traceback and exit with status 2.
    """


class SharedError(UserError):
    """A mistake that all processes of a run find at the same moment; one of them prints it."""
