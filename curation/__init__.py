"""From archives to shards: one package per stage. Only `curation.spark` imports Spark."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def _can_write(folder: Path) -> bool:
    """Return whether a folder is writable, or can be created; not one of a home that is unknown (`~/.cache`)."""
    if not folder.is_absolute():
        return False
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _own_temporary_folder() -> str:
    """Return the folder of this user's kernels among the temporary files; another one if others could write to it."""
    folder = Path(tempfile.gettempdir(), f"headtail-kernels-{os.getuid()}")
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return str(folder)
    return tempfile.mkdtemp(prefix="headtail-kernels-")


def _find_kernel_cache() -> None:
    """Set NUMBA_CACHE_DIR to a temporary folder if numba cannot write to its usual cache folders.

    numba refuses to import a cached kernel when it has no folder to write to, for example in a container whose
    packages and home are read-only. The processes of a user share the temporary folder: each kernel is compiled once.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    usual = (Path(__file__).absolute().parent / "__pycache__", caches)
    if "NUMBA_CACHE_DIR" not in os.environ and not any(_can_write(folder) for folder in usual):
        os.environ["NUMBA_CACHE_DIR"] = _own_temporary_folder()


_find_kernel_cache()
