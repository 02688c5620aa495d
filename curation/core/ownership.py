"""Ownership: whether a folder or file can have been written by this user only.

Compiled lists are mapped into memory and the Java launcher is run, so another user of the machine must not be able to
plant or change them. A file counts as ours if it is a regular file that belongs to this user and that neither its
group nor others may write; the same holds for a folder. Symbolic links are never followed.
"""

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CACHE = "headtail"
"""Name of the folder of headtail in the user's cache."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_own_file(path: str | Path) -> BinaryIO | None:
    """Open a file of ours for reading; None if it does not exist or is not ours.

    The open file is checked, not its name, so another user cannot exchange it after the check.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(number)
    if stat.S_ISREG(status.st_mode) and _is_ours(status):
        return os.fdopen(number, "rb")
    os.close(number)
    return None


def is_own_file(path: str | Path) -> bool:
    """Return whether a regular file exists and is ours."""
    if file := open_own_file(path):
        file.close()
    return file is not None


def is_own_folder(path: str | Path) -> bool:
    """Return whether a folder exists and is ours."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and _is_ours(status)


def make_own_folder(path: str | Path) -> bool:
    """Create a folder unless it exists; return whether it is ours and cannot be exchanged by others.

    A folder of this user that others may write loses their permission: older versions created it with the umask. Others
    could exchange it if they may write the folder above it, unless that one is sticky like /tmp.
    """
    folder = Path(path)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        above = os.stat(folder.parent).st_mode
        if above & OTHERS_WRITE and not above & stat.S_ISVTX:
            return False
        folder.mkdir(exist_ok=True, mode=0o700)
        status = os.lstat(folder)
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and status.st_mode & OTHERS_WRITE:
            os.chmod(folder, stat.S_IMODE(status.st_mode) & ~OTHERS_WRITE)
    except OSError:
        return False
    return is_own_folder(folder)


def cache_roots() -> list[Path]:
    """Return the folders that a cache may lie in: the user's, and one of this user in the temporary folder.

    A user whom the system has no name for has no home without HOME: the path stays relative, and is left out.
    """
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return [root for root in (user, Path(tempfile.gettempdir()) / str(os.geteuid())) if root.is_absolute()]


def own_caches() -> Iterator[Path]:
    """Yield the cache folders that only this user can write to; they are created where they do not exist."""
    *users, temporary = cache_roots()
    for user in users:
        if make_own_folder(user / CACHE):
            yield user / CACHE
    if make_own_folder(temporary) and make_own_folder(temporary / CACHE):
        yield temporary / CACHE


def own_cache_or_temporary() -> Path:
    """Return the first of `own_caches`, else a new temporary folder that is deleted when this process ends."""
    return next(own_caches(), None) or _temporary_folder()


def _temporary_folder() -> Path:
    folder, maker = tempfile.mkdtemp(prefix="headtail-"), os.getpid()

    def delete() -> None:
        if os.getpid() == maker:  # a fork of it must not take the folder away
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(delete)
    return Path(folder)


def without_others(mode: int) -> int:
    """Return the permissions of a file without those of others to write it."""
    return stat.S_IMODE(mode) & ~OTHERS_WRITE


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & OTHERS_WRITE
