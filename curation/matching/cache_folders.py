"""Folders of compiled entry lists: beside the lists, or in the user's cache where these cannot be written."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=4096)
def file_digest(path: str, _size: int, _mtime_ns: int) -> str:
    """Return the SHA-256 in hex of a local file; size and time are in the key of the cache, so a change is seen."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def compiled_folder(folder: str) -> Path:
    """Return the folder of compiled forms of the lists in a local folder."""
    beside = Path(folder) / ".compiled"
    try:
        beside.mkdir(exist_ok=True)
        return beside if os.access(beside, os.W_OK) else user_cache()
    except OSError:
        return user_cache()


@lru_cache(maxsize=1)
def user_cache() -> Path:
    """Return a folder that only this user can write to, so others cannot plant a file that is then mapped."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "headtail"
    try:
        if not folder.is_absolute():  # a user without a name and without HOME
            return Path(tempfile.mkdtemp(prefix="headtail-"))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="headtail-"))


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file against other processes of this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
