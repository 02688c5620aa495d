# A package of headtail (headtail/names.py).
"""From archives to shards: one package per stage. Only `curation.spark` imports Spark."""

import os
import tempfile
from pathlib import Path


def _can_write(folder: Path) -> bool:
    """Return whether a folder is writable, or can be created; not one of a home that is unknown (`~/.cache`)."""
    if not folder.is_absolute():
        return False
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _find_kernel_cache() -> None:
    """Set NUMBA_CACHE_DIR to a temporary folder if numba cannot write to its usual cache folders.

    numba refuses to import a cached kernel when it has no folder to write to, for example in a container whose
    packages and home are read-only. The temporary folder belongs to one process, which then compiles for seconds; set
    NUMBA_CACHE_DIR to a shared folder to avoid that.
    """
    usual = (Path(__file__).absolute().parent / "__pycache__", Path(os.path.expanduser("~/.cache")))
    if "NUMBA_CACHE_DIR" not in os.environ and not any(_can_write(folder) for folder in usual):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="headtail-kernels-")


_find_kernel_cache()
