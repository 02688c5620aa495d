"""The values of a dictionary page of Parquet: a module of its own, so that readers of our own tables need no numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def longest_value(data: np.ndarray) -> int:
    """Return the length in bytes of the longest value of a plain dictionary of byte arrays, uint8.

    A length that leads out of the data counts as all of the rest.
    """
    at, longest, size = 0, 0, len(data)
    while at + 4 <= size:
        length = data[at] | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
        at += 4
        longest = max(longest, min(length, size - at))
        at += length
    return longest
