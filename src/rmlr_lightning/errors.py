"""The error that a user can mend."""


class UserError(Exception):
    """A mistake in what the user gave. The message is one line: the file, key or option, and the way out.

    Console scripts print it without a traceback and exit with status 2.
    """
