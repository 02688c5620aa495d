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

from collections.abc import Sequence

import numba
import numpy as np
import pyarrow as pa

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_SEPARATOR = 0x1F


def draw(seed: int, purpose: str, *keys: pa.Array, at: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """One number in [0, 1) per row, a function of nothing but the seed, the purpose and the row's keys.

    `keys` are one or two string arrays without nulls, slices among them. With `at`, the rows are those of
    keys[0][at[0]] and keys[1][at[1]], read where they are, without a copy; else the keys' own. Returns float64; every
    value is a multiple of 2^-53. Raises ValueError on nulls, other types, or keys of unequal length.

    >>> draw(0, "keep", pa.array(["a", "b"]), pa.array(["x", "x"])).round(4).tolist()
    [0.9913, 0.622]
    """
    return (hash64(seed, purpose, *keys, at=at) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keep(probabilities: np.ndarray, seed: int, purpose: str, *keys: pa.Array, at: Sequence[np.ndarray]) -> np.ndarray:
    """Return whether each row's draw is below its probability, bool: `draw(...) < probabilities`, in one step.

    Where a probability is 1 nothing has to be hashed.
    """
    return _below(*_arguments(keys, at), np.uint64(hash_seed(seed, purpose)), probabilities)


def hash64(seed: int, purpose: str, *keys: pa.Array, at: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """The 64-bit hash behind `draw`, for ordering: uint64, same arguments, same errors."""
    return _hash_rows(*_arguments(keys, at), np.uint64(hash_seed(seed, purpose)))


def _arguments(keys: Sequence[pa.Array], at: Sequence[np.ndarray] | None) -> tuple:
    """What the kernels take: offsets, bytes and rows of the first and the last key, and whether there are two."""
    if len(keys) not in (1, 2):
        raise ValueError(f"a draw has one or two keys, got {len(keys)}")
    buffers = [_string_buffers(key) for key in keys]
    rows = [np.arange(len(key), dtype=np.int32) for key in keys] if at is None else at
    if len({len(places) for places in rows}) > 1:
        raise ValueError(f"keys of a draw differ in length: {' and '.join(str(len(places)) for places in rows)}")
    return *buffers[0], rows[0], *buffers[-1], rows[-1], len(keys) == 2


def hash_seed(seed: int, purpose: str) -> int:
    """What seeds the hash of one purpose: XXH64 of "seed:purpose"."""
    name = np.frombuffer(f"{seed}:{purpose}".encode(), dtype=np.uint8)
    return int(_xxh64(np.zeros(0, np.uint64), 0, name, 0, len(name), np.uint64(0)))


def _string_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The offsets (int32 or int64, one more than rows) and bytes of a string array, without a copy."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise ValueError(f"a key of a draw is a string array, got {array.type}")
    if array.null_count:
        raise ValueError(f"a key of a draw holds {array.null_count} nulls")
    if len(array) == 0:
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    _, offsets, data = array.buffers()
    kind = np.int32 if pa.types.is_string(array.type) else np.int64
    rows = np.frombuffer(offsets, dtype=kind)[array.offset : array.offset + len(array) + 1]
    return rows, np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, np.uint8)


@numba.njit(cache=True, nogil=True)
def _hash_rows(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    second_offsets: np.ndarray,
    second_data: np.ndarray,
    second_rows: np.ndarray,
    both: bool,
    seed: np.uint64,
) -> np.ndarray:
    hashes = np.empty(len(rows), np.uint64)
    words = _scratch(offsets)
    for k in range(len(rows)):
        row, second = rows[k], second_rows[k]
        hashes[k] = _hash(words, offsets, data, row, second_offsets, second_data, second, both, seed)
    return hashes


@numba.njit(cache=True, nogil=True)
def _below(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    second_offsets: np.ndarray,
    second_data: np.ndarray,
    second_rows: np.ndarray,
    both: bool,
    seed: np.uint64,
    probabilities: np.ndarray,
) -> np.ndarray:
    kept = np.ones(len(rows), np.bool_)
    words = _scratch(offsets)
    for k in range(len(rows)):
        if probabilities[k] < 1.0:
            row, second = rows[k], second_rows[k]
            found = _hash(words, offsets, data, row, second_offsets, second_data, second, both, seed)
            kept[k] = np.float64(found >> np.uint64(11)) * 2.0**-53 < probabilities[k]
    return kept


@numba.njit(cache=True, nogil=True)
def _scratch(offsets: np.ndarray) -> np.ndarray:
    """Room for the longest first key, the separator and the filling of a stripe."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return np.zeros(longest // 8 + 8, np.uint64)


@numba.njit(cache=True, nogil=True)
def _hash(
    words: np.ndarray,
    offsets: np.ndarray,
    data: np.ndarray,
    row: int,
    second_offsets: np.ndarray,
    second_data: np.ndarray,
    second_row: int,
    both: bool,
    seed: np.uint64,
) -> np.uint64:
    start, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
    if not both:
        return _xxh64(words, 0, data, start, end, seed)
    # The first key, the separator and so much of the second that stripes of 32 bytes are full are put together; the
    # rest of the second is hashed where it is.
    size = end - start + 1
    more, more_end = np.int64(second_offsets[second_row]), np.int64(second_offsets[second_row + 1])
    taken = min(-size % 32, more_end - more)
    _append(words, 0, data, start, end)
    words[(size - 1) // 8] |= np.uint64(_SEPARATOR) << np.uint64((size - 1) % 8 * 8)
    _append(words, size, second_data, more, more + taken)
    size += taken
    if size % 32 == 0:
        return _xxh64(words, size // 32, second_data, more + taken, more_end, seed)
    return _xxh64(words, size // 32, words.view(np.uint8), size // 32 * 32, size, seed)


@numba.njit(cache=True, nogil=True)
def _append(words: np.ndarray, size: int, data: np.ndarray, start: int, end: int) -> None:
    """Put data[start:end] behind the `size` bytes in `words`; the bytes behind the last one are zero.

    By words, not by bytes: keys are short, and copying is what draws cost.
    """
    place = np.uint64(size // 8)
    shift = np.uint64(size % 8 * 8)
    back = np.uint64(64) - shift
    carry = words[place] if shift else np.uint64(0)
    at = np.uint64(start)
    stop = np.uint64(end)
    eight = np.uint64(8)
    while stop - at >= eight:
        word = _load(data, at)
        words[place] = carry | word << shift
        carry = word >> back if shift else np.uint64(0)
        place += np.uint64(1)
        at += eight
    last = _last(data, at, stop)
    words[place] = carry | last << shift
    words[place + np.uint64(1)] = last >> back if shift else np.uint64(0)


@numba.njit(cache=True, nogil=True)
def _load(data: np.ndarray, at: np.uint64) -> np.uint64:
    """Eight bytes at any address, little-endian; written out, for the compiler to make one load of it."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
    )


@numba.njit(cache=True, nogil=True)
def _last(data: np.ndarray, at: np.uint64, stop: np.uint64) -> np.uint64:
    """The bytes data[at:stop], fewer than eight, as a little-endian word; 0 if there are none."""
    rest, last = stop - at, np.uint64(0)
    if rest and stop >= np.uint64(8):
        # The eight bytes that end here, some of them before the key, cost less than a loop.
        return _load(data, stop - np.uint64(8)) >> (np.uint64(64) - rest * np.uint64(8))
    for index in range(rest):
        last |= np.uint64(data[at + np.uint64(index)]) << np.uint64(8 * index)
    return last


@numba.njit(cache=True, nogil=True)
def _rotate(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@numba.njit(cache=True, nogil=True)
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotate(lane + word * _P2, 31) * _P1


@numba.njit(cache=True, nogil=True)
def _xxh64(words: np.ndarray, stripes: int, data: np.ndarray, start: int, end: int, seed: np.uint64) -> np.uint64:
    """XXH64 of that many stripes of four little-endian words, followed by data[start:end].

    After the specification, doc/xxhash_spec.md of Cyan4973/xxHash.
    """
    size = stripes * 32 + end - start
    at, stop, eight = np.uint64(start), np.uint64(end), np.uint64(8)
    if size >= 32:
        a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
        for stripe in range(stripes):
            a = _round(a, words[np.uint64(4 * stripe)])
            b = _round(b, words[np.uint64(4 * stripe + 1)])
            c = _round(c, words[np.uint64(4 * stripe + 2)])
            d = _round(d, words[np.uint64(4 * stripe + 3)])
        while stop - at >= np.uint64(32):
            a = _round(a, _load(data, at))
            b = _round(b, _load(data, at + eight))
            c = _round(c, _load(data, at + np.uint64(16)))
            d = _round(d, _load(data, at + np.uint64(24)))
            at += np.uint64(32)
        value = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
        for lane in (a, b, c, d):
            value = (value ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        value = seed + _P5
    value += np.uint64(size)
    while stop - at >= eight:
        value = _rotate(value ^ _round(np.uint64(0), _load(data, at)), 27) * _P1 + _P4
        at += eight
    rest = stop - at
    word = _last(data, at, stop)
    if rest >= np.uint64(4):
        value = _rotate(value ^ ((word & np.uint64(0xFFFFFFFF)) * _P1), 23) * _P2 + _P3
        word >>= np.uint64(32)
        rest -= np.uint64(4)
    for _ in range(rest):
        value = _rotate(value ^ ((word & np.uint64(0xFF)) * _P5), 11) * _P1
        word >>= eight
    value = (value ^ (value >> np.uint64(33))) * _P2
    value = (value ^ (value >> np.uint64(29))) * _P3
    return value ^ (value >> np.uint64(32))
