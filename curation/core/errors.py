"""Errors that a user can mend."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

FAULTS = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EIO,
        errno.ESTALE,
        errno.ENOENT,
        errno.ENOTDIR,
    )
)
"""What files meet with on machines: full, forbidden or broken disks, and paths that another machine does not have."""


class HeadtailError(Exception):
    """A user's mistake or a fault of the input, told in one line: what, expected, found, what to do.

    The command line prints it without a stack trace and exits with code 1.
    """


@contextmanager
def faults_as_lines() -> Iterator[None]:
    """Tell a fault of a machine's files as HeadtailError: the machine, the path, what is wrong."""
    try:
        yield
    except OSError as error:
        if error.errno not in FAULTS:
            raise
        raise HeadtailError(f"{host_name()}: {error.filename or 'a file'}: {error.strerror or error}") from error


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
