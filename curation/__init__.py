"""The pair side of the pipeline: pure functions on Arrow batches; the engine code is in curation.spark."""

import os
import tempfile
from pathlib import Path


def _can_write(folder: Path) -> bool:
    """Whether a folder can be written, or made where it would be."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _find_kernel_cache() -> None:
    """Give numba a folder for compiled kernels where it would find none.

    Without one, in a container whose packages and home are read-only, it refuses to import any of them. A folder of
    this process's own costs seconds of compiling; NUMBA_CACHE_DIR names one that workers share.
    """
    usual = (Path(__file__).parent / "__pycache__", Path(os.path.expanduser("~/.cache")))
    if "NUMBA_CACHE_DIR" not in os.environ and not any(_can_write(folder) for folder in usual):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="headtail-kernels-")


_find_kernel_cache()
