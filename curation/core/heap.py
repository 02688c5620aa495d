"""How the heap of the C library treats large blocks that are freed: it gives them back, or keeps them."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of glibc (mallopt(3))."""
SETTING = "MALLOC_MMAP_THRESHOLD_"
TRIM_BYTES = 128 << 10
"""glibc's default: the free end of the heap from which on it is given back."""
KEPT_BYTES = 20 << 20
"""Larger blocks are given back all the same. Pillow's have up to 16 MiB."""


@contextlib.contextmanager
def large_blocks_kept() -> Iterator[None]:
    """Keep freed blocks of up to KEPT_BYTES for the next image, until the `with` block ends.

    Spark's workers give blocks of 256 KiB or more back to the system at once (`SETTING`, curation/spark/session.py).
    The buffers of an image are such blocks: the system then clears their pages anew for each image, which takes a third
    of the CPU time of a download. Nothing changes where the variable is not set, or the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    before = os.environ.get(SETTING, "")
    if mallopt is None or not before.isdecimal():
        yield
        return
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BYTES)
    try:
        yield
    finally:
        mallopt(M_MMAP_THRESHOLD, int(before))
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        ctypes.CDLL(None).malloc_trim(0)
