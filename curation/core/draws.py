"""Keyed draws: every random number of the data path is a hash of a seed, a purpose and keys.

u(seed, purpose, keys) is the same number on every machine and in every partition, retry and order. Each use has its own
purpose: with one u for two uses, the second would depend on the first, and both would be biased.

| purpose | keys | decides |
|---|---|---|
| `keep` | uid, text (unit=pair); uid (unit=image) | whether balancing keeps a text, or an image |
| `keep by NAME` | uid | whether a namespace of concepts keeps an image (combined_draw.py) |
| `keep in epoch 3` | as for `keep` | whether a stream that is drawn anew in each epoch keeps a sample in epoch 3 |
| `choose_text` | uid, text | the text of an image with several: the one with the smallest hash |
| `order` | uid | the final order of samples |
| `sample` | path of a source file; uid | files, or a key of their rows, for `source.limit`; samples of a report |
| `domain_cap` | uid | the images of a domain that stay: the `max_per_domain` with the smallest hashes |
| `examples` | uid; uid, text; others | what a report shows as examples: dropped images and pairs, kept texts, entries |
| `max_texts` | uid, text | the texts of an image that stay: the `max_texts` with the smallest hashes (seed: a salt) |
| `clusters` | uid; start, fine centre | the vectors in which centres are looked for; the first coarse centres |
| `days` | day | the days of page views that are fetched |
| `pivots 0.1` | uid | the images that cells of similar ones are built around, in plan 0, draw 1 |

Some purposes compare keys by their hashes, and draw nothing:

| purpose | keys | seed | finds |
|---|---|---|---|
| `distinct` | uid; text | random, of one file | pairs that repeat within a source file |
| `distinct` | uid; text | 0 | the local file in which a pair waits that the table has no room for |
| `duplicates` | sha256 or perceptual hash of an image | of the run | the task that compares images with the same hash |
| `domain_cap` | domain | of the run | the task that compares the images of a domain |
| `spread` | text, sha256 or domain | 0 | the task of a report that counts equal ones |
| `projection` | lang, entry id, part | 0 | the direction of an entry in vectors of entries |
| `export` | text | random, of one job | the pair of a curated image, to export the DataComp uid of the pair |

u = top 53 bits of the hash / 2^53. A key is hashed with wyhash (final version 4.2; published implementations give the
same number) over its UTF-8, with a 64-bit seed: for the first key that of the purpose (`hash_seed`), for each further
key the hash of the previous key, so ("ab", "c") and ("a", "bc") differ.

wyhash passes the statistical test suites, and hashes 16 bytes per multiplication where other hashes need several
multiplications. It is no message authentication code, and has no proof against an attacker:

- Whoever knows the seed computes all draws, and makes as many texts as he likes with one hash. The state of the hash is
  a factor of its next step, so eight bytes that equal the state make the product 0, and erase what came before them.
- Without the seed these texts are out of reach: a guess is right with a chance of 2^-64. But 64 bits are few for a key,
  and draws with their results (the order of published samples, texts that were kept) allow a search through all 2^64.
- So seeds of runs are drawn and kept secret (curation/core/seeds.py), a new one for each run. BLAKE2b, which is a keyed
  hash in the strict sense, derives each purpose's seed from a drawn seed: one purpose that is found out, such as the
  order of samples, tells nothing of the others.

Eight bytes that equal one of the constants below would do the same under every seed; none of the constants is valid
UTF-8, so a text cannot contain them.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numba
import numpy as np
import pyarrow as pa
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SECRET0 = np.uint64(0x2D358DCCAA6C78A5)
_SECRET1 = np.uint64(0x8BB84B93962EACC9)
_SECRET2 = np.uint64(0x4B33A62ED433D4A3)
_SECRET3 = np.uint64(0x4D5A2DA51DE1AA47)


def draw(seed: int, purpose: str, *keys: pa.Array, at: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Return one number in [0, 1) per row, which depends only on the seed, the purpose and the row's keys.

    `keys` are string arrays without nulls; slices are allowed. Row i has the keys keys[0][i], keys[1][i], ...; with
    `at`, row i has the keys keys[0][at[0][i]], keys[1][at[1][i]], ..., read without a copy. Returns float64 values, all
    multiples of 2^-53. Raises ValueError for nulls, other types, no key, or keys of unequal length.

    >>> draw(0, "keep", pa.array(["a", "b"]), pa.array(["x", "x"])).round(4).tolist()
    [0.409, 0.9334]
    """
    return (hash64(seed, purpose, *keys, at=at) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keep(
    probabilities: np.ndarray, seed: int, purpose: str, first: pa.Array, second: pa.Array, starts: np.ndarray
) -> np.ndarray:
    """Return, for each row k of `second`, whether its draw is below probabilities[k]: bool.

    The draw of the rows k from starts[i] to starts[i + 1] has the keys (first[i], second[k]). A row with probability 1
    is not hashed.
    """
    return _below(*_string_buffers(second), hash64(seed, purpose, first), starts, probabilities)


def hash64(seed: int, purpose: str, *keys: pa.Array, at: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Return the 64-bit hashes of which `draw` takes the top bits: uint64, same arguments, same errors."""
    if not keys:
        raise ValueError("a draw needs at least one key")
    buffers = [_string_buffers(key) for key in keys]
    rows = [np.arange(len(key), dtype=np.int32) for key in keys] if at is None else at
    if len({len(places) for places in rows}) > 1:
        raise ValueError(f"keys of a draw differ in length: {' and '.join(str(len(places)) for places in rows)}")
    hashes = np.full(len(rows[0]), hash_seed(seed, purpose), np.uint64)
    for (offsets, data), places in zip(buffers, rows, strict=True):
        _hash_rows(offsets, data, places, hashes)
    return hashes


def hash_seed(seed: int, purpose: str) -> int:
    """Return the seed of a purpose's first key: the hash of "seed:purpose", 64 bits.

    The hash is wyhash with seed 0, and for a negative seed, which is a secret, BLAKE2b.
    """
    text = f"{seed}:{purpose}".encode()
    if seed < 0:
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
    name = np.frombuffer(text, dtype=np.uint8)
    return int(_wyhash(name, np.uint64(0), np.uint64(len(name)), np.uint64(0)))


def _string_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets (int32 or int64, rows + 1) and the bytes of a string array, without a copy."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise ValueError(f"a key of a draw must be a string array, got {array.type}")
    if array.null_count:
        raise ValueError(f"a key of a draw holds {array.null_count} nulls")
    if len(array) == 0:
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    _, offsets, data = array.buffers()
    kind = np.int32 if pa.types.is_string(array.type) else np.int64
    rows = np.frombuffer(offsets, dtype=kind)[array.offset : array.offset + len(array) + 1]
    return rows, np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, np.uint8)


def _product(context: Any, left: Any, right: Any) -> tuple[Any, Callable]:  # noqa: ARG001 numba's interface
    """Return the (low, high) 64 bits of the product of two 64-bit words.

    Python and NumPy cannot use the CPU's instruction for it.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, words: Sequence[ir.Value]) -> ir.Value:
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(value, wide) for value in words))
        low, high = (builder.trunc(builder.lshr(product, wide(bits)), word) for bits in (0, 64))
        return context.make_tuple(builder, signature.return_type, (low, high))

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


_multiply: Any = intrinsic(_product)  # Any: kernels call it as (left, right), without numba's context


@numba.njit(cache=True, nogil=True)
def _mix(left: np.uint64, right: np.uint64) -> np.uint64:
    low, high = _multiply(left, right)
    return low ^ high


@numba.njit(cache=True, nogil=True)
def _hash_rows(offsets: np.ndarray, data: np.ndarray, rows: np.ndarray, hashes: np.ndarray) -> None:
    """Replace each hash by the hash of a row's bytes, seeded with the old one."""
    for k in range(len(rows)):
        row = rows[k]
        hashes[k] = _wyhash(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), hashes[k])


@numba.njit(cache=True, nogil=True)
def _below(
    offsets: np.ndarray, data: np.ndarray, seeds: np.ndarray, starts: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    kept = np.ones(len(probabilities), np.bool_)
    for parent in range(len(seeds)):
        for row in range(starts[parent], starts[parent + 1]):
            if probabilities[row] < 1.0:
                found = _wyhash(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), seeds[parent])
                kept[row] = np.float64(found >> np.uint64(11)) * 2.0**-53 < probabilities[row]
    return kept


@numba.njit(cache=True, nogil=True)
def _wyhash(data: np.ndarray, at: np.uint64, end: np.uint64, seed: np.uint64) -> np.uint64:
    """Return the wyhash of data[at:end], designed by Wang Yi.

    Three chains take 48 bytes per step, then one chain takes 16 bytes per step; the last 16 bytes are always hashed.
    """
    size = end - at
    seed ^= _mix(seed ^ _SECRET0, _SECRET1)
    if size <= np.uint64(16):
        first, last = _short(data, at, end)
    else:
        if size >= np.uint64(48):
            second, third = seed, seed
            while end - at >= np.uint64(48):
                seed = _mix(word_at(data, at) ^ _SECRET1, word_at(data, at + np.uint64(8)) ^ seed)
                second = _mix(word_at(data, at + np.uint64(16)) ^ _SECRET2, word_at(data, at + np.uint64(24)) ^ second)
                third = _mix(word_at(data, at + np.uint64(32)) ^ _SECRET3, word_at(data, at + np.uint64(40)) ^ third)
                at += np.uint64(48)
            seed ^= second ^ third
        while end - at > np.uint64(16):
            seed = _mix(word_at(data, at) ^ _SECRET1, word_at(data, at + np.uint64(8)) ^ seed)
            at += np.uint64(16)
        first, last = word_at(data, end - np.uint64(16)), word_at(data, end - np.uint64(8))
    low, high = _multiply(first ^ _SECRET1, last ^ seed)
    return _mix(low ^ _SECRET0 ^ size, high ^ _SECRET1)


@numba.njit(cache=True, nogil=True)
def _short(data: np.ndarray, at: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return up to 16 bytes as two words: four overlapping groups of 4 bytes, or, for 1 to 3 bytes, three bytes."""
    size = end - at
    if size >= np.uint64(4):
        inner = size // np.uint64(8) * np.uint64(4)
        first = _four(data, at) << np.uint64(32) | _four(data, at + inner)
        return first, _four(data, end - np.uint64(4)) << np.uint64(32) | _four(data, end - np.uint64(4) - inner)
    if size:
        middle, last = np.uint64(data[at + size // np.uint64(2)]), np.uint64(data[end - np.uint64(1)])
        return np.uint64(data[at]) << np.uint64(16) | middle << np.uint64(8) | last, np.uint64(0)
    return np.uint64(0), np.uint64(0)


@numba.njit(cache=True, nogil=True)
def word_at(data: np.ndarray, at: np.uint64) -> np.uint64:
    """Return eight bytes at any address as a little-endian word."""
    return _four(data, at) | _four(data, at + np.uint64(4)) << np.uint64(32)


@numba.njit(cache=True, nogil=True)
def _four(data: np.ndarray, at: np.uint64) -> np.uint64:
    """Return four bytes at any address as a little-endian word; the compiler turns this expression into one load."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
    )
