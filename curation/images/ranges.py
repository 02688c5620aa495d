"""Ranges of the final order of samples."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core.draws import hash64

MAX_GROUPS = 1024
"""Maximum number of groups: with more, a slice of an exchange would hold a few rows only."""


@dataclass(frozen=True)
class Ranges:
    """The cut of the final order into `count` ranges, a power of two; `seed` is the seed of the order."""

    count: int
    seed: int

    @property
    def groups(self) -> int:
        """The number of groups of neighbouring ranges. A group is the unit of tasks that handle several ranges."""
        return min(self.count, MAX_GROUPS)

    def order(self, uids: pa.Array) -> np.ndarray:
        """Return the place of images in the final order, uint64."""
        return hash64(self.seed, "order", uids)

    def of(self, order: np.ndarray) -> np.ndarray:
        """Return the number of the range of each place, int64."""
        return top_bits(order, self.count)

    def in_group(self, group: int) -> range:
        """Return the numbers of the ranges of a group."""
        each = self.count // self.groups
        return range(group * each, (group + 1) * each)


def top_bits(hashes: np.ndarray, count: int) -> np.ndarray:
    """Spread uint64 hashes over `count` numbers, a power of two, by their top bits; int64.

    >>> top_bits(np.array([0, 1 << 63], np.uint64), 4).tolist()
    [0, 2]
    """
    if count == 1:
        return np.zeros(len(hashes), np.int64)
    return (hashes >> np.uint64(64 - (count.bit_length() - 1))).astype(np.int64)


def count_ranges(images: int, images_per_list: int) -> int:
    """Return the smallest power of two of ranges that hold at most `images_per_list` images on average.

    >>> count_ranges(40_001, 10_000)
    8
    """
    needed = -(-images // images_per_list)
    return 1 << max(0, needed - 1).bit_length()


def list_name(number: int) -> str:
    """Return the file name of the download list of a range; other files of a range have the same name."""
    return f"range-{number:06d}.parquet"
