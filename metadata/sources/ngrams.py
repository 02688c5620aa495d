"""Counts words and bigrams (see `metadata.sources.words`) in flat arrays."""

from collections.abc import Iterable, Iterator

import numba
import numpy as np
import pyarrow as pa

from curation.core.languages import Language
from metadata.sources.words import BLANK, MARK, PAGE_END, WORD, character_classes, segmenter

COUNTS = pa.schema(
    [
        pa.field("lang", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("first", pa.string(), nullable=False),
        pa.field("second", pa.string()),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
"""Partial counts: `source` is unigram or bigram; `second` is null for a unigram. Several rows may hold one n-gram."""


def count_ngrams(texts: Iterable[str], language: Language, max_bigrams: int = 1 << 21) -> Iterator[pa.RecordBatch]:
    """Yield partial counts (`COUNTS`) of the words and bigrams of texts.

    Memory is bounded: counts are yielded whenever there are `max_bigrams` distinct bigrams. The sums of the counts
    depend on the texts alone; the order of rows is not defined.
    """
    name, segment = segmenter(language)
    counter = NgramCounter(language.code, character_classes(singles=name in ("blanks", "characters")), max_bigrams)
    pending: list[str] = []
    size = 0
    for text in texts:
        pending.append(segment(text) if segment else text)
        size += len(text)
        if size >= 1 << 20:
            yield from counter.add(pending)
            pending, size = [], 0
    yield from counter.add(pending)
    yield from counter.flush()


class NgramCounter:
    """Counts words and bigrams of texts. Words are hashed where they lie in the bytes; no string is made of them."""

    def __init__(self, lang: str, classes: np.ndarray, max_bigrams: int) -> None:
        self._lang, self._classes, self._max_bigrams = lang, classes, max_bigrams
        self._reset()

    def _reset(self) -> None:
        self._letters = np.empty(1 << 16, np.uint8)
        self._ends = np.zeros(1 << 12, np.int64)  # word i is letters[ends[i] : ends[i + 1]]
        self._counts = np.zeros(1 << 12, np.int64)
        self._slots = np.zeros(1 << 13, np.int32)
        self._keys = np.zeros(1 << 13, np.uint64)
        self._pair_counts = np.zeros(1 << 13, np.int64)
        self._sizes = np.zeros(2, np.int64)  # words, bigrams

    def add(self, texts: list[str]) -> Iterator[pa.RecordBatch]:
        """Count texts, each by itself; yields the counts whenever there are `max_bigrams` distinct bigrams."""
        if not texts:
            return
        data = np.frombuffer((PAGE_END.join(texts) + PAGE_END).encode("utf-8", "replace"), np.uint8)
        position, previous = 0, np.int64(-1)
        while position < len(data):
            self._grow()
            position, previous = _count(
                data, position, previous, self._classes, self._letters, self._ends, self._counts, self._slots,
                self._keys, self._pair_counts, self._sizes,
            )  # fmt: skip
            words, pairs = self._sizes.tolist()
            full = pairs >= self._max_bigrams or words >= _MAX_WORDS or self._ends[words] >= _MAX_LETTERS
            if full and previous < 0:
                yield from self.flush()

    def _grow(self) -> None:
        """Keep the tables at most half full, with room for the words that the kernel adds until it returns."""
        words, pairs = self._sizes.tolist()
        if self._ends[words] + _ROOM > len(self._letters):
            self._letters = np.concatenate([self._letters, np.empty_like(self._letters), np.empty(_ROOM, np.uint8)])
        if words + 2 > len(self._counts):
            self._ends = np.concatenate([self._ends, np.zeros_like(self._ends)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        if 2 * (words + 1) > len(self._slots):
            self._slots = _rehash_words(self._letters, self._ends, words, 2 * len(self._slots))
        if 2 * (pairs + 1) > len(self._keys):
            self._keys, self._pair_counts = _rehash_pairs(self._keys, self._pair_counts, 2 * len(self._keys))

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield all counts and forget them."""
        words, pairs = self._sizes.tolist()
        if not words:
            return
        offsets = self._ends[: words + 1].astype(np.int32 if self._ends[words] < 1 << 31 else np.int64)
        kind = pa.string() if offsets.dtype == np.int32 else pa.large_string()
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(self._letters[: self._ends[words]].tobytes())]
        texts = pa.Array.from_buffers(kind, words, buffers).cast(pa.string())
        counts = self._counts[:words]
        seen = np.flatnonzero(counts)
        yield self._batch("unigram", texts.take(pa.array(seen)), None, counts[seen])
        used = np.flatnonzero(self._pair_counts)
        for start in range(0, pairs, 1 << 20):
            part = used[start : start + (1 << 20)]
            first = pa.array((self._keys[part] >> np.uint64(32)).astype(np.int64))
            second = pa.array((self._keys[part] & np.uint64(0xFFFFFFFF)).astype(np.int64))
            yield self._batch("bigram", texts.take(first), texts.take(second), self._pair_counts[part])
        self._reset()

    def _batch(self, source: str, first: pa.Array, second: pa.Array | None, counts: np.ndarray) -> pa.RecordBatch:
        repeated = pa.array(np.zeros(len(first), np.int64))
        lang, name = (pa.array([value], pa.string()).take(repeated) for value in (self._lang, source))
        second = pa.nulls(len(first), pa.string()) if second is None else second
        return pa.RecordBatch.from_arrays([lang, name, first, second, pa.array(counts, pa.int64())], schema=COUNTS)


_MAX_WORDS, _MAX_LETTERS = 1 << 22, 1 << 28
"""Distinct words, and their bytes, at which the counts are yielded: words between punctuation make no bigrams."""
_ROOM = 1 << 16
MAX_WORD_BYTES = _ROOM // 2
"""Longer words (lines without a blank exist) count as punctuation: no word, and no bigram across them."""


@numba.njit(cache=True, nogil=True)
def _hash(data: np.ndarray, start: int, end: int) -> np.uint64:
    """FNV-1a, mixed at the end because the tables use its low bits."""
    value = np.uint64(0xCBF29CE484222325)
    for index in range(start, end):
        value = (value ^ np.uint64(data[index])) * np.uint64(0x100000001B3)
    return _mix(value)


@numba.njit(cache=True, nogil=True)
def _mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return value ^ (value >> np.uint64(29))


@numba.njit(cache=True, nogil=True)
def _same(letters: np.ndarray, at: int, data: np.ndarray, start: int, size: int) -> bool:
    for index in range(size):  # noqa: SIM110 numba compiles no generator
        if letters[at + index] != data[start + index]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _character(data: np.ndarray, position: int) -> tuple[np.int64, int]:
    """Return code point and length in bytes of a character of valid UTF-8."""
    lead = np.int64(data[position])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | (data[position + 1] & 0x3F), 2
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | (data[position + 1] & 0x3F) << 6 | (data[position + 2] & 0x3F), 3
    tail = (data[position + 1] & 0x3F) << 12 | (data[position + 2] & 0x3F) << 6 | (data[position + 3] & 0x3F)
    return (lead & 0x07) << 18 | tail, 4


@numba.njit(cache=True, nogil=True)
def _count(
    data: np.ndarray, position: int, previous: np.int64, classes: np.ndarray, letters: np.ndarray, ends: np.ndarray,
    counts: np.ndarray, slots: np.ndarray, keys: np.ndarray, pair_counts: np.ndarray, sizes: np.ndarray,
) -> tuple[int, np.int64]:  # fmt: skip
    """Count from `position` on until the data ends or a table is full; returns the next position and the last word."""
    size = len(data)
    word_mask, pair_mask = np.uint64(len(slots) - 1), np.uint64(len(keys) - 1)
    while position < size:
        words, pairs = sizes[0], sizes[1]
        full = 2 * (words + 1) > len(slots) or 2 * (pairs + 1) > len(keys) or words + 2 > len(counts)
        if full or ends[words] + MAX_WORD_BYTES > len(letters):
            return position, previous
        point, width = _character(data, position)
        kind = classes[point]
        if kind == BLANK:
            position += width
            continue
        if kind == MARK:
            previous = np.int64(-1)
            position += width
            if point == 0 and 2 * pairs > len(keys) // 2:
                # At the end of a page the counts can be yielded without cutting a bigram in two.
                return position, previous
            continue
        start = position
        position += width
        if kind == WORD:
            while position < size:
                point, width = _character(data, position)
                if classes[point] != WORD:
                    break
                position += width
        length = position - start
        if length > MAX_WORD_BYTES:
            previous = np.int64(-1)
            continue
        slot = _hash(data, start, position) & word_mask
        while True:
            word = np.int64(slots[slot]) - 1
            if word < 0:
                word = words
                at = ends[words]
                for index in range(length):
                    letters[at + index] = data[start + index]
                ends[words + 1] = at + length
                slots[slot] = word + 1
                sizes[0] += 1
                break
            if ends[word + 1] - ends[word] == length and _same(letters, ends[word], data, start, length):
                break
            slot = (slot + np.uint64(1)) & word_mask
        counts[word] += 1
        if previous >= 0:
            key = np.uint64(previous) << np.uint64(32) | np.uint64(word)
            slot = _mix(key) & pair_mask
            while pair_counts[slot] and keys[slot] != key:
                slot = (slot + np.uint64(1)) & pair_mask
            if not pair_counts[slot]:
                keys[slot] = key
                sizes[1] += 1
            pair_counts[slot] += 1
        previous = word
    return position, previous


@numba.njit(cache=True, nogil=True)
def _rehash_words(letters: np.ndarray, ends: np.ndarray, words: int, size: int) -> np.ndarray:
    slots = np.zeros(size, np.int32)
    mask = np.uint64(size - 1)
    for word in range(words):
        slot = _hash(letters, ends[word], ends[word + 1]) & mask
        while slots[slot]:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word + 1
    return slots


@numba.njit(cache=True, nogil=True)
def _rehash_pairs(keys: np.ndarray, pair_counts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    new_keys, new_counts = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    mask = np.uint64(size - 1)
    for index in range(len(keys)):
        if pair_counts[index]:
            slot = _mix(keys[index]) & mask
            while new_counts[slot]:
                slot = (slot + np.uint64(1)) & mask
            new_keys[slot], new_counts[slot] = keys[index], pair_counts[index]
    return new_keys, new_counts
