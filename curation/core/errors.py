"""Errors that a user can fix."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from curation.core.store_faults import store_line

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

PROJECT = "https://github.com/headtail/headtail"
DEBUG = "HEADTAIL_DEBUG"
"""The environment variable that `--debug` sets, so that child processes know it, too."""


class HeadtailError(Exception):
    """A user's mistake or a fault of the input. The message is one line: the thing, expected, found, what to do.

    The command line prints the message without a stack trace and exits with code 1.
    """


def refuse_outage(error: Exception) -> None:
    """Raise HeadtailError if a store does not answer, or refuses credentials: then the file it holds is not damaged."""
    if line := store_line(error):
        raise HeadtailError(line) from error


@contextmanager
def faults_as_lines(elsewhere: bool = False) -> Iterator[None]:
    """Turn an OSError of a machine's storage into a HeadtailError that names the path and the fault.

    Missing or expired credentials of an object store, and a store that does not answer, become one, too. With
    `elsewhere`, this may be another machine than the user's, and the line begins with its name.
    """
    try:
        yield
    except HeadtailError:
        raise
    except Exception as error:
        refuse_outage(error)
        if not isinstance(error, OSError) or error.errno not in STORAGE_ERRORS:
            raise
        machine = f"{host_name()}: " if elsewhere else ""
        raise HeadtailError(f"{machine}{error.filename or 'a file'}: {error.strerror or error}") from error


def shows_stacks() -> bool:
    """Return whether the user wants to see stack traces (`--debug`)."""
    return os.environ.get(DEBUG) == "1"


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
