"""Partial counts as the tasks of an English dump leave them, drawn from laws instead of counted from 25 GB.

Distinct n-grams grow with a power of the text (Heaps): V(n) = v0 * (n / n0) ** exponent. v0 and n0 are counted in the
106 real articles of `enwiki-206-pages.xml.bz2`: 478,709 words, 41,395 of them distinct; 390,097 bigrams, 199,653 of
them distinct.

- Bigrams: exponent 0.776, the share of the distinct bigrams of those articles that stand once; under a power law that
  share is the exponent. The line also leads through 3,775 million distinct bigrams of 126 billion tokens (Heafield et
  al., Scalable Modified Kneser-Ney Language Model Estimation, ACL 2013). At 3.26 billion bigrams: 221 million.
- Words: exponent 0.685. The line leads from those articles to the 2,988,260 words that stand in three articles or more
  among 2,445,526,919 tokens (adno/wikipedia-word-frequency-clean, English of October 2022): by a power law 14 million
  words stand at least once there. At 4 billion words: 20 million.

A bigram is a number drawn from the law of Zipf and Mandelbrot, whose distinct numbers grow by Heaps' law. A hash of it
gives its two words: one from the head of the words, one from all of them. So a few words have very many neighbours: the
first of them begins 1.6% of the distinct bigrams of a range ("the": 3.7% in the articles). Joins by word suffer from
that. The words of a range are those of its bigrams, twice as many as Heaps' law gives. Some numbers share their two
words: a range has 7% fewer distinct bigrams than the law says, four ranges 12% fewer.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.core.parquet_sink import ParquetSink
from metadata.sources.ngrams import COUNTS

WORDS = 4_000_000_000
DUMP_BYTES = 25_000_000_000
RANGE_BYTES = 64 << 20
BIGRAMS_PER_WORD = 390_097 / 478_709
RANGES = round(DUMP_BYTES / RANGE_BYTES)
"""Tasks of the whole dump, a file of partial counts each."""

_PAIRS = 0.776
_TOKENS = 0.685
_PAIR_SHIFT = 2600.0
_HEAD_SHIFT, _ALL_SHIFT = 12.0, 10_000.0
_MAX_PAIR = 4e18
_LETTERS = np.frombuffer(b"etaoinsrhldcumfpgwybvkxjqz", np.uint8)
_TAIL = b"ations"


def expected(n: float, n0: float, v0: float, exponent: float) -> float:
    """Distinct n-grams among n by Heaps' law.

    >>> round(expected(WORDS * BIGRAMS_PER_WORD, 390_097, 199_653, 0.776) / 1e6)
    221
    """
    return v0 * (n / n0) ** exponent


def write_range(path: Path, number: int) -> int:
    """Write the partial counts of a range of the dump, drawn with its number as the seed; returns their rows."""
    rng = np.random.default_rng(number)
    first, second, counts = _bigrams(rng, round(WORDS / RANGES * BIGRAMS_PER_WORD))
    words, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    texts = words_of(words)
    first, second = places[: len(first)], places[len(first) :]
    totals = np.bincount(first, counts, len(words)).astype(np.int64)
    totals = np.maximum(totals, np.bincount(second, counts, len(words)).astype(np.int64))
    with ParquetSink(str(path), COUNTS) as sink:
        order = rng.permutation(len(words))
        sink.write(_batch("unigram", texts.take(pa.array(order)), None, totals[order]))
        for start in range(0, len(counts), 1 << 20):
            rows = slice(start, start + (1 << 20))
            sink.write(
                _batch("bigram", texts.take(pa.array(first[rows])), texts.take(pa.array(second[rows])), counts[rows])
            )
    return sink.rows


def _bigrams(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw bigrams: the numbers of their words, and their counts, in no order."""
    drawn = _zipf(rng.random(size), _PAIR_SHIFT, _PAIRS)
    numbers, counts = np.unique(drawn, return_counts=True)
    mixed = _mix(numbers.astype(np.uint64))
    head = _zipf(_uniform(_mix(mixed ^ np.uint64(1))), _HEAD_SHIFT, _TOKENS)
    other = _zipf(_uniform(_mix(mixed ^ np.uint64(2))), _ALL_SHIFT, _TOKENS)
    head, other = np.minimum(head, _MAX_WORD), np.minimum(other, _MAX_WORD)
    swap = (mixed & np.uint64(1)).astype(bool)
    keys = np.where(swap, other, head) << 32 | np.where(swap, head, other)
    keys, places = np.unique(keys, return_inverse=True)
    counts = np.bincount(places, counts, len(keys)).astype(np.int64)
    order = rng.permutation(len(keys))
    keys, counts = keys[order], counts[order]
    return keys >> 32, keys & 0xFFFFFFFF, counts


def _zipf(uniform: np.ndarray, shift: float, exponent: float) -> np.ndarray:
    """Ranks of Zipf and Mandelbrot's law, from 0, for numbers in [0, 1)."""
    ranks = shift * ((1 - uniform) ** (-exponent / (1 - exponent)) - 1)
    return np.minimum(ranks, _MAX_PAIR).astype(np.int64)


def _mix(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _uniform(mixed: np.ndarray) -> np.ndarray:
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


_CODE = 6
_MAX_WORD = 26**_CODE - 1


def words_of(ranks: np.ndarray) -> pa.Array:
    """Words of letters, each rank its own: three letters for the first 17,576, six to ten (8.0 on average) for others.

    >>> words_of(np.array([0, 1, 20_000])).to_pylist()
    ['eee', 'pyc', 'sobfrv']
    """
    short = ranks < 26**3
    scattered = np.where(short, ranks * 7_919 % 26**3, ranks * 104_729 % 26**_CODE)
    letters = np.empty((len(ranks), _CODE + 4), np.uint8)
    for place in range(_CODE):
        letters[:, place] = _LETTERS[scattered % 26]
        scattered = scattered // 26
    letters[:, _CODE:] = np.frombuffer(_TAIL[:4], np.uint8)
    lengths = np.where(short, 3, _CODE + ranks % 5)
    kept = np.arange(_CODE + 4) < lengths[:, None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(letters[kept].tobytes())]
    return pa.Array.from_buffers(pa.string(), len(ranks), buffers)


def _batch(source: str, first: pa.Array, second: pa.Array | None, counts: np.ndarray) -> pa.RecordBatch:
    size = len(first)
    columns = [pa.repeat("en", size), pa.repeat(source, size), first]
    columns += [pa.nulls(size, pa.string()) if second is None else second, pa.array(counts, pa.int64())]
    return pa.RecordBatch.from_arrays(columns, schema=COUNTS)
