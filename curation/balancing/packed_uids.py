"""Uids as numbers: 24 hex digits are 96 bits, the first 64 of them `high` (uint64), the others `low` (uint32)."""

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.core.draws import word_at
from curation.core.string_buffers import buffers_of

_ONES = np.uint64(0x0101010101010101)


@dataclass(frozen=True)
class PackedUids:
    """n uids: `high` is uint64[n], `low` is uint32[n]."""

    high: np.ndarray
    low: np.ndarray

    def __len__(self) -> int:
        return len(self.high)

    def __getitem__(self, rows: slice) -> "PackedUids":
        return PackedUids(self.high[rows], self.low[rows])

    @property
    def rising(self) -> bool:
        """Whether each uid is larger than the one before."""
        return bool(
            (
                (self.high[1:] > self.high[:-1]) | ((self.high[1:] == self.high[:-1]) & (self.low[1:] > self.low[:-1]))
            ).all()
        )

    def text(self, row: int) -> str:
        """Return a uid as its 24 hex digits."""
        return f"{int(self.high[row]):016x}{int(self.low[row]):08x}"


def pack_uids(uids: pa.StringArray) -> PackedUids:
    """Return uids as numbers; raises ValueError for one that is not 24 lower-case hex digits.

    >>> pack_uids(pa.array(["0123456789abcdef00000007"])).text(0)
    '0123456789abcdef00000007'
    """
    if not len(uids):
        return PackedUids(np.zeros(0, np.uint64), np.zeros(0, np.uint32))
    high, low = np.empty(len(uids), np.uint64), np.empty(len(uids), np.uint32)
    wrong = _pack(*buffers_of(uids), high, low)
    if wrong >= 0:
        raise ValueError(f"{str(uids[wrong])[:100]!r} is no uid, which has 24 digits of 0-9 and a-f")
    return PackedUids(high, low)


@numba.njit(cache=True, nogil=True)
def _pack(offsets: np.ndarray, data: np.ndarray, high: np.ndarray, low: np.ndarray) -> int:
    """Pack each uid; return the row of the first one of another form, or -1."""
    for row in range(len(high)):
        start = np.uint64(offsets[row])
        if np.uint64(offsets[row + 1]) - start != np.uint64(24):
            return row
        first, wrong = _eight_digits(data, start)
        second, also = _eight_digits(data, start + np.uint64(8))
        third, last = _eight_digits(data, start + np.uint64(16))
        if wrong | also | last:
            return row
        high[row], low[row] = first << np.uint64(32) | second, third
    return -1


@numba.njit(cache=True, nogil=True)
def _eight_digits(data: np.ndarray, at: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the number of eight hex digits, all at once, and a number that is not 0 if they are none.

    It takes less than half of the time that looking up one digit after the other takes.
    """
    digits = word_at(data, at)
    letters = (digits >> np.uint64(6)) & _ONES  # a to f are 0x61 to 0x66, 0 to 9 are 0x30 to 0x39
    values = (digits & _ONES * np.uint64(0x0F)) + letters * np.uint64(9)
    wrong = digits ^ (values + _ONES * np.uint64(0x30) + letters * np.uint64(0x27))
    wrong |= ((values + _ONES * np.uint64(6)) >> np.uint64(4) & _ONES) ^ letters  # letters are 10 and more
    wrong |= values & _ONES * np.uint64(0x10)
    pairs = (values << np.uint64(4) | values >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs << np.uint64(8) | pairs >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    return (fours << np.uint64(16) | fours >> np.uint64(32)) & np.uint64(0xFFFFFFFF), wrong


def merged(parts: list[PackedUids]) -> PackedUids:
    """Return the uids of several sorted parts, sorted, each once."""
    if len(parts) == 1:
        return parts[0]
    high, low = (np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "low"))
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    fresh = np.ones(len(high), bool)
    fresh[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return PackedUids(high[fresh], low[fresh])


def find_rows(images: PackedUids, rows: PackedUids) -> tuple[np.ndarray, int]:
    """Return the row of each image, int64, -1 where it has none; and a row whose image has another row, or -1.

    `images` are sorted, and uids are hashes: the place of an image is about its share of the numbers.
    """
    owners = np.full(len(images), -1, np.int64)
    if not len(images) or not len(rows):
        return owners, -1
    width = int(images.high[-1]) - int(images.high[0])
    shift = max(0, width.bit_length() - max(1, (2 * len(images)).bit_length()))
    cells = np.zeros((width >> shift) + 2, np.int32)
    twice = _find(images.high, images.low, rows.high, rows.low, np.uint64(shift), cells, owners)
    return owners, int(twice)


@numba.njit(cache=True, nogil=True)
def _find(
    image_high: np.ndarray,
    image_low: np.ndarray,
    row_high: np.ndarray,
    row_low: np.ndarray,
    shift: np.uint64,
    cells: np.ndarray,
    owners: np.ndarray,
) -> int:
    base, top = image_high[0], image_high[-1]
    for image in range(len(image_high)):
        cells[((image_high[image] - base) >> shift) + np.uint64(1)] += 1
    for cell in range(1, len(cells)):
        cells[cell] += cells[cell - 1]
    for row in range(len(row_high)):
        if row_high[row] < base or row_high[row] > top:
            continue
        cell = (row_high[row] - base) >> shift
        # A cell has an image or two, unless the uids are no hashes: then it is searched by halves.
        first, end = cells[cell], cells[cell + np.uint64(1)]
        while first < end:
            middle = (first + end) // 2
            if image_high[middle] < row_high[row] or (
                image_high[middle] == row_high[row] and image_low[middle] < row_low[row]
            ):
                first = middle + 1
            else:
                end = middle
        if first < len(owners) and image_high[first] == row_high[row] and image_low[first] == row_low[row]:
            if owners[first] >= 0:
                return row
            owners[first] = row
    return -1
