"""Errors that a user can mend."""


class HeadtailError(Exception):
    """A user's mistake or a fault of the input, told in one line: what, expected, found, what to do.

    The command line prints it without a stack trace and exits with code 1.
    """
