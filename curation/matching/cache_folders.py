"""Folders of compiled entry lists: beside the lists, or in the user's cache where these cannot be used."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.ownership import is_own_folder, own_cache_or_temporary


@lru_cache(maxsize=4096)
def file_digest(path: str, _size: int, _mtime_ns: int) -> str:
    """Return the SHA-256 in hex of a local file; size and time are in the key of the cache, so a change is seen."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def compiled_folder(folder: str) -> Path:
    """Return the folder of compiled forms of the lists in a local folder.

    `.compiled` beside the lists is used only if it belongs to this user and others cannot write it.
    """
    beside = Path(folder) / ".compiled"
    try:
        beside.mkdir(exist_ok=True, mode=0o755)
    except OSError:
        return user_cache()
    return beside if is_own_folder(beside) and os.access(beside, os.W_OK) else user_cache()


@lru_cache(maxsize=1)
def user_cache() -> Path:
    """Return a folder that only this user can write to, so others cannot plant a file that is then mapped."""
    return own_cache_or_temporary()


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file against other processes of this machine; raises HeadtailError if it is a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Never truncated, never through a link: a planted link would empty a file of this user.
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise HeadtailError(f"{path} is a symbolic link, expected a lock file: delete it") from error
    with os.fdopen(number, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
