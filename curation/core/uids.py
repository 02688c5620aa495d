"""The uid of an image: the first 24 hex digits (96 bits) of SHA-224 of its URL in UTF-8."""

import hashlib

import numba
import numpy as np
import pyarrow as pa

from curation.core.string_buffers import buffers_of, string_array

UID_CHARS = 24

# FIPS 180-4, section 4.2.2: first 32 bits of the fractional parts of the cube roots of the first 64 primes. Section
# 5.3.2: second 32 bits of the fractional parts of the square roots of the 9th to 16th primes.
_ROUND = np.array(
    [
        0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
        0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
        0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
        0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
        0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
        0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
        0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
        0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
    ],
    np.uint32,
)  # fmt: skip
_START = np.array(
    [0xC1059ED8, 0x367CD507, 0x3070DD17, 0xF70E5939, 0xFFC00B31, 0x68581511, 0x64F98FA7, 0xBEFA4FA4], np.uint32
)


def uids_of(urls: pa.Array) -> pa.Array:
    """Return the uid of each URL.

    >>> uids_of(pa.array(["https://example.org/a.jpg"])).to_pylist() == [uid_of("https://example.org/a.jpg")]
    True
    """
    rows = len(urls)
    digits = _hash_rows(*buffers_of(urls))
    return string_array(np.arange(0, UID_CHARS * rows + 1, UID_CHARS, dtype=np.int32), digits)


def uid_of(url: str) -> str:
    """Return the uid of one URL.

    >>> uid_of("https://example.org/a.jpg")
    '1d63379d7e8c160931a17eb0'
    """
    return hashlib.sha224(url.encode()).hexdigest()[:UID_CHARS]


@numba.njit(cache=True, nogil=True)
def _hash_rows(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    rows = len(offsets) - 1
    digits = np.empty(rows * 24, np.uint8)
    words = np.empty(64, np.uint32)
    state = np.empty(8, np.uint32)
    for row in range(rows):
        _sha224(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), words, state)
        place = np.uint64(row * 24)
        for word in range(3):
            for nibble in range(8):
                value = (state[word] >> np.uint32(28 - 4 * nibble)) & np.uint32(15)
                digits[place] = value + (48 if value < 10 else 87)
                place += np.uint64(1)
    return digits


@numba.njit(cache=True, nogil=True)
def _sha224(data: np.ndarray, at: np.uint64, end: np.uint64, words: np.ndarray, state: np.ndarray) -> None:
    """Write the SHA-224 of data[at:end] to `state`: FIPS 180-4, section 6.2 with the initial values of 6.3."""
    for index in range(8):
        state[index] = _START[index]
    bits = (end - at) * np.uint64(8)
    padded = False
    while True:
        left = end - at
        if left >= np.uint64(64):
            for index in range(16):
                place = at + np.uint64(4 * index)
                words[index] = (
                    np.uint32(data[place]) << np.uint32(24)
                    | np.uint32(data[place + np.uint64(1)]) << np.uint32(16)
                    | np.uint32(data[place + np.uint64(2)]) << np.uint32(8)
                    | np.uint32(data[place + np.uint64(3)])
                )
            at += np.uint64(64)
            _compress(words, state)
            continue
        for index in range(16):
            words[index] = 0
        for index in range(left):
            words[index >> np.uint64(2)] |= np.uint32(data[at + index]) << np.uint32(24 - 8 * (index & np.uint64(3)))
        if not padded:
            words[left >> np.uint64(2)] |= np.uint32(0x80) << np.uint32(24 - 8 * (left & np.uint64(3)))
        padded = True
        at = end
        if left < np.uint64(56):
            words[14] = np.uint32(bits >> np.uint64(32))
            words[15] = np.uint32(bits & np.uint64(0xFFFFFFFF))
            _compress(words, state)
            return
        _compress(words, state)


@numba.njit(cache=True, nogil=True)
def _compress(words: np.ndarray, state: np.ndarray) -> None:
    for index in range(16, 64):
        early, late = words[index - 15], words[index - 2]
        mixed_early = _turn(early, 7) ^ _turn(early, 18) ^ (early >> np.uint32(3))
        mixed_late = _turn(late, 17) ^ _turn(late, 19) ^ (late >> np.uint32(10))
        words[index] = np.uint32(np.uint32(words[index - 16] + mixed_early) + np.uint32(words[index - 7] + mixed_late))
    a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
    for index in range(64):
        first = np.uint32(h + (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)))
        first = np.uint32(first + (g ^ (e & (f ^ g))))
        first = np.uint32(first + np.uint32(_ROUND[index] + words[index]))
        second = np.uint32((_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) + ((a & b) | (c & (a | b))))
        h, g, f, e, d, c, b, a = g, f, e, np.uint32(d + first), c, b, a, np.uint32(first + second)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h


@numba.njit(cache=True, nogil=True)
def _turn(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32((value >> np.uint32(bits)) | (value << np.uint32(32 - bits)))
