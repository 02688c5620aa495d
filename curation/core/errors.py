"""Errors that a user can fix."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

STORAGE_ERRORS = frozenset(
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
"""errno values that a machine's storage causes: full, read-only or broken disks, and paths that other machines lack."""


class HeadtailError(Exception):
    """A user's mistake or a fault of the input. The message is one line: the thing, expected, found, what to do.

    The command line prints the message without a stack trace and exits with code 1.
    """


@contextmanager
def faults_as_lines() -> Iterator[None]:
    """Turn an OSError of a machine's storage into a HeadtailError that names the machine, the path and the fault."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        raise HeadtailError(f"{host_name()}: {error.filename or 'a file'}: {error.strerror or error}") from error


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
