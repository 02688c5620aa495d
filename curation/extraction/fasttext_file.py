"""The file of a fastText model (.bin, or quantised .ftz): arguments, dictionary, pruned n-grams, matrices.

The format is version 12 of https://github.com/facebookresearch/fastText; all numbers are little-endian.
"""

import mmap
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.core.errors import HeadtailError

MAGIC, VERSION = 793712314, 12
HIERARCHICAL_SOFTMAX, SOFTMAX = 1, 3
"""Numbers of losses."""
SUPERVISED = 3
_WORD = 0
_CENTROIDS = 256


@dataclass(frozen=True)
class Arguments:
    """The arguments of training that decide how a text is read: `minn` to `maxn` code points are an n-gram."""

    word_ngrams: int
    loss: int
    kind: int
    bucket: int
    minn: int
    maxn: int


@dataclass(frozen=True)
class Matrix:
    """A matrix, decoded to float32. A quantised one may have a norm for each row, which its rows do not hold yet."""

    rows: np.ndarray
    norms: np.ndarray | None = None

    def is_below(self, limit: float) -> bool:
        """Return whether all values are numbers, with magnitudes below a limit."""
        values = [self.rows] if self.norms is None else [self.rows, self.norms]
        return all(bool((np.abs(part) < limit).all()) for part in values)


@dataclass(frozen=True)
class FastTextFile:
    """What the file of a model holds.

    `words` and `labels` are UTF-8 in the order of their ids. `kept` leads from each n-gram bucket that pruning has
    left to its row of `input` behind those of the words; it is None where nothing was pruned.
    """

    arguments: Arguments
    words: list[bytes]
    labels: list[bytes]
    label_counts: list[int]
    kept: dict[int, int] | None
    input: Matrix
    output: Matrix


class _Reader:
    """Reads numbers in turn; raises ValueError at the end of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> int:
        """Step over some bytes; return where they begin."""
        start = self.at
        if not 0 <= size <= len(self.data) - start:
            raise ValueError("it ends early, or a size in it is wrong")
        self.at += size
        return start

    def numbers(self, layout: str) -> tuple[Any, ...]:
        layout = f"<{layout}"
        return struct.unpack_from(layout, self.data, self.take(struct.calcsize(layout)))

    def array(self, dtype: str, count: int) -> np.ndarray:
        start = self.take(count * np.dtype(dtype).itemsize)
        # A copy: the numbers of the file are not aligned.
        return np.frombuffer(self.data, dtype, count, start).astype(np.dtype(dtype).newbyteorder("="))

    def name(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        start = self.take((end if end >= 0 else len(self.data)) + 1 - self.at)
        return self.data[start:end]


def read_fasttext(path: str) -> FastTextFile:
    """Read a model file. Raises HeadtailError if it is none."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(_Reader(data))
    except ValueError as error:
        raise HeadtailError(f"{path} is not a fastText model: {error}") from None


def _read(reader: _Reader) -> FastTextFile:
    magic, version = reader.numbers("ii")
    if magic != MAGIC or version > VERSION:
        raise ValueError(f"expected the number {MAGIC} and a version up to {VERSION}, got {magic} and {version}")
    *_, word_ngrams, loss, kind, bucket, minn, maxn, _, _ = reader.numbers("12id")
    if version == 11 and kind == SUPERVISED:
        maxn = 0  # models of that version know no n-grams of characters
    size, word_count, label_count, _, pruned = reader.numbers("iiiqq")
    if min(word_count, label_count) < 0 or size != word_count + label_count or not label_count:
        raise ValueError(f"{size} entries cannot be {word_count} words and {label_count} labels")
    names, counts = [], []
    for place in range(size):
        names.append(reader.name())
        count, entry_type = reader.numbers("qb")
        counts.append(count)
        if (entry_type == _WORD) != (place < word_count):
            raise ValueError(f"entry {place} is a {'word' if entry_type == _WORD else 'label'}")
    pairs = reader.array("<i4", 2 * max(pruned, 0)).reshape(-1, 2)
    kept = dict(pairs.tolist()) if pruned >= 0 else None
    (quantised,) = reader.numbers("?")
    if kept is not None and not quantised:
        raise ValueError("its n-grams are pruned, but its matrix is not quantised")
    input_matrix = _quantised(reader) if quantised else _dense(reader)
    (output_too,) = reader.numbers("?")
    output_matrix = _quantised(reader) if quantised and output_too else _dense(reader)
    file = FastTextFile(
        Arguments(word_ngrams, loss, kind, bucket, minn, maxn),
        names[:word_count],
        names[word_count:],
        counts[word_count:],
        kept,
        input_matrix,
        output_matrix,
    )
    _check_sizes(file)
    return file


def _check_sizes(file: FastTextFile) -> None:
    """Raise ValueError if a row that a text can lead to is not in the matrices."""
    arguments, (rows, width) = file.arguments, file.input.rows.shape
    behind = arguments.bucket if arguments.maxn > 0 else 0
    if file.kept is not None:
        behind = max(file.kept.values(), default=-1) + 1
        if min(file.kept.values(), default=0) < 0:
            raise ValueError("the row of an n-gram is negative")
    if arguments.maxn > 0 and arguments.bucket <= 0:
        raise ValueError(f"it has n-grams, but {arguments.bucket} buckets for them")
    if rows < len(file.words) + behind:
        raise ValueError(f"expected {len(file.words) + behind} rows, got {rows}")
    if file.output.rows.shape != (len(file.labels), width):
        raise ValueError(f"expected {len(file.labels)} rows of {width} for the labels, got {file.output.rows.shape}")


def _dense(reader: _Reader) -> Matrix:
    rows, width = reader.numbers("qq")
    if min(rows, width) < 0:
        raise ValueError(f"a matrix has {rows} rows of {width}")
    return Matrix(reader.array("<f4", rows * width).reshape(rows, width))


def _quantised(reader: _Reader) -> Matrix:
    """Read a product-quantised matrix: of each row, a code for each few columns names a vector of a codebook."""
    with_norms, rows, width, size = reader.numbers("?qqi")
    codes = reader.array("u1", size)
    centroids, parts, part_width, last_width = _codebook(reader)
    if min(rows, width) < 0 or size != rows * parts or (parts - 1) * part_width + last_width != width:
        raise ValueError(f"{size} codes are no matrix of {rows} rows of {width}")
    codes = codes.reshape(rows, parts)
    decoded = np.empty((rows, width), np.float32)
    for part in range(parts):
        start = part * _CENTROIDS * part_width
        columns = last_width if part == parts - 1 else part_width
        vectors = centroids[start : start + _CENTROIDS * columns].reshape(_CENTROIDS, columns)
        decoded[:, part * part_width : part * part_width + columns] = vectors[codes[:, part]]
    if not with_norms:
        return Matrix(decoded)
    norm_codes = reader.array("u1", rows)
    return Matrix(decoded, _codebook(reader)[0][norm_codes])


def _codebook(reader: _Reader) -> tuple[np.ndarray, int, int, int]:
    width, parts, part_width, last_width = reader.numbers("4i")
    if min(width, parts - 1, part_width, last_width) < 0 or width > 1 << 20:
        raise ValueError(f"a codebook has {parts} parts of {part_width} columns")
    return reader.array("<f4", width * _CENTROIDS), parts, part_width, last_width
