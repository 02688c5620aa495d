"""Keyed draws: everything random in the data path is a hash of what it is about.

u(seed, purpose, keys) is the same number on every machine, in every partition, retry and order. Each use has a
purpose of its own: one u for two uses would make the second depend on the first and bias both.

| purpose | keys | decides |
|---|---|---|
| `keep` | uid, text (unit=pair); uid (unit=image) | whether a text, or an image, survives balancing |
| `choose_text` | uid, text | which text stands for the image: the one with the smallest hash |
| `order` | uid | the final order of samples |
| `sample` | uid | what a report shows |

u = top 53 bits of XXH64(bytes, seed=XXH64("seed:purpose")) / 2^53, where the bytes are the UTF-8 of the keys, joined
by 0x1f. Published programs (`xxhash`, `xxhsum`) give the same number.
"""

import numba
import numpy as np
import pyarrow as pa

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_SEPARATOR = 0x1F


def draw(seed: int, purpose: str, *keys: pa.Array) -> np.ndarray:
    """One number in [0, 1) per row, a function of nothing but the seed, the purpose and the row's keys.

    `keys` are string arrays of one length without nulls, slices among them. Returns float64 of that length; every
    value is a multiple of 2^-53. Raises ValueError on nulls, other types, or keys of unequal length.

    >>> draw(0, "keep", pa.array(["a", "b"]), pa.array(["x", "x"])).round(4).tolist()
    [0.9913, 0.622]
    """
    return (hash64(seed, purpose, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hash64(seed: int, purpose: str, *keys: pa.Array) -> np.ndarray:
    """The 64-bit hash behind `draw`, for ordering: uint64, same arguments, same errors."""
    if not keys:
        raise ValueError("a draw needs at least one key")
    offsets, data = _string_buffers(keys[0])
    for key in keys[1:]:
        if len(key) != len(keys[0]):
            raise ValueError(f"keys of a draw differ in length: {len(keys[0])} and {len(key)}")
        offsets, data = _join(offsets, data, *_string_buffers(key))
    return _hash_rows(offsets, data, np.uint64(hash_seed(seed, purpose)))


def hash_seed(seed: int, purpose: str) -> int:
    """What seeds the hash of one purpose: XXH64 of "seed:purpose"."""
    name = np.frombuffer(f"{seed}:{purpose}".encode(), dtype=np.uint8)
    return int(_xxh64(name, 0, len(name), np.uint64(0)))


def _string_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The offsets (int32 or int64, one more than rows) and bytes of a string array, without a copy."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise ValueError(f"a key of a draw is a string array, got {array.type}")
    if array.null_count:
        raise ValueError(f"a key of a draw holds {array.null_count} nulls")
    if len(array) == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    _, offsets, data = array.buffers()
    kind = np.int32 if pa.types.is_string(array.type) else np.int64
    rows = np.frombuffer(offsets, dtype=kind)[array.offset : array.offset + len(array) + 1]
    return rows, np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, np.uint8)


@numba.njit(cache=True, nogil=True)
def _join(
    offsets: np.ndarray, data: np.ndarray, more_offsets: np.ndarray, more_data: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each row of one array, the separator, the same row of the other."""
    rows = len(offsets) - 1
    total = np.int64(offsets[rows] - offsets[0]) + np.int64(more_offsets[rows] - more_offsets[0]) + rows
    joined = np.empty(total, np.uint8)
    starts = np.empty(rows + 1, np.int64)
    at = np.uint64(0)  # unsigned: a signed index is tested for being negative, which triples the time
    for row in range(rows):
        starts[row] = at
        at = _copy(joined, at, data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]))
        joined[at] = _SEPARATOR
        at += np.uint64(1)
        at = _copy(joined, at, more_data, np.uint64(more_offsets[row]), np.uint64(more_offsets[row + 1]))
    starts[rows] = at
    return starts, joined


@numba.njit(cache=True, nogil=True)
def _copy(joined: np.ndarray, at: np.uint64, data: np.ndarray, start: np.uint64, end: np.uint64) -> np.uint64:
    size = end - start
    for index in range(size):
        joined[at + index] = data[start + index]
    return at + size


@numba.njit(cache=True, nogil=True)
def _hash_rows(offsets: np.ndarray, data: np.ndarray, seed: np.uint64) -> np.ndarray:
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(hashes)):
        hashes[row] = _xxh64(data, offsets[row], offsets[row + 1], seed)
    return hashes


@numba.njit(cache=True, nogil=True)
def _rotate(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@numba.njit(cache=True, nogil=True)
def _word(data: np.ndarray, at: int, width: int) -> np.uint64:
    """Little-endian, byte by byte: rows start at any address; the compiler makes one load of it."""
    value = np.uint64(0)
    for index in range(width):
        value |= np.uint64(data[np.uint64(at + index)]) << np.uint64(8 * index)
    return value


@numba.njit(cache=True, nogil=True)
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotate(lane + word * _P2, 31) * _P1


@numba.njit(cache=True, nogil=True)
def _xxh64(data: np.ndarray, start: int, end: int, seed: np.uint64) -> np.uint64:
    """XXH64 of data[start:end], after its specification (doc/xxhash_spec.md of Cyan4973/xxHash)."""
    at = np.int64(start)
    stop = np.int64(end)
    if stop - at >= 32:
        a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
        while stop - at >= 32:
            a = _round(a, _word(data, at, 8))
            b = _round(b, _word(data, at + 8, 8))
            c = _round(c, _word(data, at + 16, 8))
            d = _round(d, _word(data, at + 24, 8))
            at += 32
        value = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
        for lane in (a, b, c, d):
            value = (value ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        value = seed + _P5
    value += np.uint64(stop - np.int64(start))
    while stop - at >= 8:
        value = _rotate(value ^ _round(np.uint64(0), _word(data, at, 8)), 27) * _P1 + _P4
        at += 8
    if stop - at >= 4:
        value = _rotate(value ^ (_word(data, at, 4) * _P1), 23) * _P2 + _P3
        at += 4
    while at < stop:
        value = _rotate(value ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += 1
    value = (value ^ (value >> np.uint64(33))) * _P2
    value = (value ^ (value >> np.uint64(29))) * _P3
    return value ^ (value >> np.uint64(32))
