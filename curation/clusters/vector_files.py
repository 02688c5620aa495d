"""Vectors that users have: Parquet tables, a table of ours such as `image_signals`, and folders of clip-retrieval.

A row is named by `uid`, or by `url` or `image_path`, which stand for a uid. The vectors are a column of lists of
numbers, or an array beside the table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.amounts import join_or
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.core.receipts import Receipt
from curation.core.table_reader import foreign_schema
from curation.core.whole_vectors import MAX_WIDTH, whole_units
from curation.shards.score_layouts import Vectors, divide, other_key, score_key
from curation.shards.scores import LOOKED_AT, score_files
from curation.shards.vector_rows import is_vector, open_vectors

SETTING = "embeddings"
KEYS = ("uid", "url")
BATCH_ROWS = 4096
_NO_UID = "sha256"


@dataclass(frozen=True)
class VectorFile:
    """A Parquet file, the column of its keys and that of its vectors, and the array that holds them, if one does."""

    path: str
    key: str
    column: str
    array: Vectors | None = None


@dataclass(frozen=True)
class VectorBatch:
    """Rows with a uid and a direction: uids, and vectors in whole numbers (int16)."""

    uids: pa.Array
    units: np.ndarray


def list_vectors(paths: Sequence[str]) -> list[FileInfo]:
    """Return the files that paths name, arrays too; raises HeadtailError for a path without a file."""
    return score_files(paths, SETTING)


def open_vector_files(files: Sequence[FileInfo], column: str) -> list[VectorFile]:
    """Return the files of vectors, after a look at some of them; `column` is that of the vectors, "": the only one.

    Raises HeadtailError where rows have no key that stands for a uid, and where there is no such column, or several.
    """
    tables, arrays = divide(files, SETTING)
    found, key, name = [], "", column
    for number, file in enumerate(tables):
        beside = {each.column: each for each in arrays.get(file.path, ())}
        if number < LOOKED_AT:
            schema = foreign_schema(file.path)
            key = _key_of(file.path, schema)
            name = _column_of(file.path, schema, list(beside), column)
        found.append(VectorFile(file.path, key, name, beside.get(name)))
    return found


def _key_of(path: str, schema: pa.Schema) -> str:
    key = other_key(path, schema.names, SETTING) or next((name for name in KEYS if name in schema.names), "")
    if not key or key == _NO_UID:
        raise HeadtailError(
            f"{SETTING}: {path} has no column {join_or(KEYS)} that names images among {', '.join(schema.names)[:500]}"
        )
    return key


def _column_of(path: str, schema: pa.Schema, arrays: Sequence[str], wanted: str) -> str:
    names = [*arrays, *(field.name for field in schema if is_vector(field.type) and field.name not in arrays)]
    if wanted in names:
        return wanted
    if wanted:
        raise HeadtailError(f"vectors={wanted}: {path} has no such column of lists of numbers, but {names[:20]}")
    if len(names) != 1:
        raise HeadtailError(
            f"{SETTING}: {path} has {len(names)} columns of lists of numbers, expected one: "
            f"{', '.join(names[:20]) or ', '.join(schema.names)[:500]}; vectors=<column> names it"
        )
    return names[0]


def count_rows(path: str) -> int:
    """Return the rows of a Parquet file, by its footer."""
    with _Reading(path), storage.open_input(path) as file:
        return sum(BoundedParquet(file).group_rows)


def read_vectors(source: VectorFile, receipt: Receipt) -> Iterator[VectorBatch]:
    """Yield the rows of a file that have a uid and a direction; the receipt counts rows in, and drops.

    Reasons: no_uid, no_vector (none, or zeros, or not finite). Raises HeadtailError for a damaged file, and for vectors
    of several lengths.
    """
    array, width = source.array, 0
    columns = [source.key] if array else [source.key, source.column]
    with _Reading(source.path), storage.open_input(source.path) as file:
        bounded = BoundedParquet(file)
        if missing := [name for name in columns if bounded.schema.names.count(name) != 1]:
            raise ValueError(f"it has no column {missing[0]}, or several")
        if array is None:
            for group in range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, columns, BATCH_ROWS):
                    width = width or _width(batch[source.column])
                    yield _usable(batch[source.key], rows_of(batch[source.column], width), source.key, receipt)
            return
        with open_vectors(array.path, array.member, sum(bounded.group_rows)) as vectors:
            step = min(BATCH_ROWS, vectors.at_once)
            for group in range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, columns, step):
                    lists = vectors.read(batch.num_rows)
                    width = width or _width(lists)
                    yield _usable(batch[source.key], rows_of(lists, width), source.key, receipt)


class _Reading:
    """A block whose faults of the file become a line that names it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (*ERRORS, TypeError)) and not isinstance(error, (HeadtailError, FileNotFoundError)):
            raise HeadtailError(f"{SETTING}: {self._path} cannot be read: {error}") from error


def _width(lists: pa.Array) -> int:
    """Return the numbers of the first vector that is there and has some; 0: none has."""
    widths = lists.drop_null().value_lengths().to_numpy(zero_copy_only=False)
    return int(next(iter(widths[widths > 0]), 0))


def rows_of(lists: pa.Array, width: int) -> np.ndarray:
    """Return vectors as float64 of shape (rows, width); a null, and a vector that is empty or holds one, is not finite.

    Raises ValueError for vectors of another width, and of too many numbers.
    """
    if not 0 <= width <= MAX_WIDTH:
        raise ValueError(f"vectors of {width:,} numbers, expected 1 to {MAX_WIDTH:,}")
    found = np.full((len(lists), width), np.nan)
    there = pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False)
    mine = lists.filter(there)
    widths = mine.value_lengths().to_numpy(zero_copy_only=False)
    if (widths != width).any():
        raise ValueError(f"a vector of {widths[widths != width][0]:,} numbers, and others of {width:,}")
    values = mine.flatten().cast(pa.float64()).fill_null(np.nan).to_numpy()
    found[np.flatnonzero(there)] = values.reshape(len(mine), width)
    return found


def _usable(keys: pa.Array, rows: np.ndarray, kind: str, receipt: Receipt) -> VectorBatch:
    uids = [uid_of_key(kind, value) for value in keys.to_pylist()]
    named = np.array([uid is not None for uid in uids], bool)
    units, good = whole_units(rows)
    receipt.rows_in += len(uids)
    kept = named & good
    for reason, dropped in (("no_uid", ~named), ("no_vector", named & ~good)):
        if count := int(dropped.sum()):
            receipt.drops[reason] += count
    receipt.rows_out += int(kept.sum())
    return VectorBatch(pa.array(uids, pa.string()).filter(pa.array(kept)), units[kept])


def uid_of_key(kind: str, value: object) -> str | None:
    """Return the uid that a key stands for; None if it stands for none."""
    key = score_key(kind, value)
    return key[1:] if key and key[0] == "u" else None
