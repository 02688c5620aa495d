# A package of headtail (headtail/names.py).
"""From archives to shards: one package per stage. Only `curation.spark` imports Spark."""

import os
from pathlib import Path


def _can_write(folder: Path) -> bool:
    """Return whether a folder is writable, or can be created; not one of a home that is unknown (`~/.cache`)."""
    if not folder.is_absolute():
        return False
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _find_kernel_cache() -> None:
    """Set NUMBA_CACHE_DIR to a cache folder of headtail's if numba cannot write to its usual cache folders.

    numba refuses to import a cached kernel when it has no folder to write to, for example in a container whose
    packages and home are read-only. All processes of this user on this machine share the folder, so the next one finds
    the kernels compiled. Where no folder is safe from others, the process has one of its own and deletes it at its end.
    """
    usual = (Path(__file__).absolute().parent / "__pycache__", Path(os.path.expanduser("~/.cache")))
    if "NUMBA_CACHE_DIR" not in os.environ and not any(_can_write(folder) for folder in usual):
        from curation.core.ownership import own_cache_or_temporary

        os.environ["NUMBA_CACHE_DIR"] = str(own_cache_or_temporary() / "kernels")


_find_kernel_cache()
