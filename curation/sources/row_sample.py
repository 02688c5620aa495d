"""A sample of the rows of all files together, without replacement: the rows with the smallest keyed hashes.

A row's hash depends on the seed, its file's path and its number in the file alone. So the sample does not depend on
partitions, and a larger one keeps the rows of a smaller one. All that has to be known beforehand is how many rows each
file has: the largest hash that stays is found by going through the numbers, not the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.core.draws import hash64

BIN_BITS = 16
_GOLDEN, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class RowSample:
    """The sampled rows of one file: their hash under `key` is at most `last`; -1 selects no row."""

    key: int
    last: int

    def mask(self, first: int, count: int) -> np.ndarray:
        """Return whether each of `count` rows from number `first` on is in the sample: bool."""
        if self.last < 0:
            return np.zeros(count, bool)
        return _stay(np.uint64(self.key), first, count, np.uint64(self.last))


def sample_rows(paths: Sequence[str], counts: Sequence[int], limit: int, seed: int) -> list[RowSample]:
    """Return the sample of each file: `limit` rows of all files together.

    >>> samples = sample_rows(["a", "b"], [3, 5], 4, seed=0)
    >>> sum(int(sample.mask(0, count).sum()) for sample, count in zip(samples, [3, 5]))
    4
    """
    keys = hash64(seed, "sample", pa.array(paths, pa.string()))
    rows = np.asarray(counts, np.int64)
    if limit >= rows.sum():
        return [RowSample(key, (1 << 64) - 1) for key in keys.tolist()]
    bins, smallest = _histogram(keys, rows)
    ends = np.cumsum(bins)
    place = int(np.searchsorted(ends, limit))
    before = int(ends[place - 1]) if place else 0
    hashes, files = _in_bin(keys, rows, place, int(ends[place]) - before)
    order = np.lexsort((files, hashes))
    chosen = order[limit - before - 1]
    last, file = int(hashes[chosen]), int(files[chosen])
    # Where two files have a row with that very hash, the first file's comes first.
    lasts = [last if number <= file else last - 1 for number in range(len(keys))]
    stays = [count > 0 and least <= most for count, least, most in zip(counts, smallest.tolist(), lasts, strict=True)]
    return [RowSample(key, most if any_ else -1) for key, most, any_ in zip(keys.tolist(), lasts, stays, strict=True)]


@numba.njit(cache=True, nogil=True)
def _hash(key: np.uint64, row: np.uint64) -> np.uint64:
    """SplitMix64: for one key no two rows have the same."""
    value = key + row * _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _stay(key: np.uint64, first: int, count: int, last: np.uint64) -> np.ndarray:
    stay = np.empty(count, np.bool_)
    for row in range(count):
        stay[row] = _hash(key, np.uint64(first + row)) <= last
    return stay


@numba.njit(cache=True, nogil=True)
def _histogram(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows by the top bits of their hashes, and the smallest hash of each file."""
    bins, smallest = np.zeros(1 << BIN_BITS, np.int64), np.full(len(keys), ~np.uint64(0))
    for file in range(len(keys)):
        for row in range(np.uint64(counts[file])):
            value = _hash(keys[file], np.uint64(row))
            bins[value >> np.uint64(64 - BIN_BITS)] += 1
            smallest[file] = min(smallest[file], value)
    return bins, smallest


@numba.njit(cache=True, nogil=True)
def _in_bin(keys: np.ndarray, counts: np.ndarray, place: int, total: int) -> tuple[np.ndarray, np.ndarray]:
    """The hashes that have such top bits, and the files of their rows."""
    hashes, files, found = np.empty(total, np.uint64), np.empty(total, np.int64), 0
    for file in range(len(keys)):
        for row in range(np.uint64(counts[file])):
            value = _hash(keys[file], np.uint64(row))
            if value >> np.uint64(64 - BIN_BITS) == np.uint64(place):
                hashes[found], files[found] = value, file
                found += 1
    return hashes, files
