"""Checks of the folders that a job is going to write: permission and free space, asked before the work."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from curation.core import storage
from curation.core.amounts import byte_size
from curation.core.errors import HeadtailError
from curation.core.progress import say

PROBE = ".headtail-can-write"
FULL_BYTES = 4096
"""Not even a manifest fits into less."""


def check_writable(paths: Iterable[str]) -> None:
    """Raise HeadtailError if one of the folders cannot be written, and a local disk is full; creates nothing.

    Of a local folder the permissions are asked, those of the nearest folder above where it does not exist yet. An
    object store has no such question: a hidden file is written there and deleted.
    """
    for path in _outermost(paths):
        if storage.is_local(path):
            _check_local(path)
            continue
        probe = storage.join(path, PROBE)
        try:
            storage.write_bytes(probe, b"")
            storage.remove(probe)
        except Exception as error:  # clients of stores raise errors of many types
            raise HeadtailError(f"{path} cannot be written: {type(error).__name__}: {error}") from error


def warn_of_space(stage: str, path: str, expected_bytes: float, content: str) -> None:
    """Print a line if fewer bytes are free on the local disk of a folder than its content is expected to take."""
    if not storage.is_local(path):
        return
    free = free_bytes(path)
    if expected_bytes > free:
        say(
            stage,
            f"{content} may take {byte_size(expected_bytes)}, and {path} has {byte_size(free)} free: "
            "make room, or set another path",
        )


def free_bytes(path: str) -> int:
    """Return the free bytes on the disk of a local folder, which need not exist yet."""
    return shutil.disk_usage(_existing(path)).free


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the folders that lie in none of the others.

    >>> _outermost(["/run/pairs", "/run", "/runs"])
    ['/run', '/runs']
    """
    found: list[str] = []
    for path in sorted({path.rstrip("/") for path in paths}):
        if not any(path.startswith(f"{outer}/") for outer in found):
            found.append(path)
    return found


def refuse_file(path: str) -> None:
    """Raise HeadtailError if a local path that is to be a folder is a file, or lies below one."""
    if storage.is_local(path) and not (existing := _existing(path)).is_dir():
        raise HeadtailError(f"{path} cannot be a folder: {existing} is a file; set another path")


def _check_local(path: str) -> None:
    refuse_file(path)
    existing = _existing(path)
    if not os.access(existing, os.W_OK | os.X_OK):
        read_only = os.statvfs(existing).f_flag & os.ST_RDONLY
        fault = "Read-only file system" if read_only else "Permission denied"
        raise HeadtailError(f"{path} cannot be written: {existing}: {fault}")
    if shutil.disk_usage(existing).free < FULL_BYTES:
        raise HeadtailError(f"{path} cannot be written: {existing}: No space left on device")


def _existing(path: str) -> Path:
    """Return the nearest file or folder that exists, from a path upwards."""
    local = Path(storage.filesystem(path)[1]).absolute()
    return next(each for each in (local, *local.parents) if os.path.lexists(each))
