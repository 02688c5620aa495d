"""Vectors of arrays that lie beside Parquet files, a row for each of their rows, as DataComp lays out its metadata."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from curation.core import storage
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.shards.attachments import BATCH_ROWS, NPY, Attached, npy_head
from curation.shards.row_keys import key_of
from curation.shards.score_layouts import divide, other_key
from curation.shards.vector_rows import open_vectors

KEYS = ("uid", "sha256", "url")


@dataclass(frozen=True)
class ArrayFile:
    """An `.npz` file, and the Parquet file that tells whose its rows are."""

    path: str
    table: str


def array_files(files: Sequence[FileInfo], array: str) -> list[ArrayFile]:
    """Return the files with the array `array`, one beside each Parquet file.

    Raises HeadtailError for a Parquet file without one, and for an `.npz` file that cannot be read.
    """
    tables, vectors = divide(files, "data")
    found = []
    for table in tables:
        beside = vectors.get(table.path, ())
        mine = next((each for each in beside if each.member == array), None)
        if mine is None:
            there = ", ".join(each.column for each in beside)[:300]
            told = f"its .npz file has {there or 'no array'}" if beside else "no .npz file of its name is beside it"
            raise HeadtailError(f"data: {table.path} has no array {array}: {told}")
        found.append(ArrayFile(mine.path, table.path))
    return found


def read_array(file: ArrayFile, array: str, facts: Counter[str]) -> Iterator[Attached]:
    """Yield the vectors of an array, in the order of its rows, each as a file `.npy` of the array's type.

    Counts `rows` and `faulty_rows` in `facts`. Raises HeadtailError for files that cannot be read, or that do not
    fit together.
    """
    try:
        with storage.open_input(file.table) as opened:
            bounded = BoundedParquet(opened)
            key = _key_of(file.table, bounded.schema)
            with open_vectors(file.path, array, sum(bounded.group_rows)) as vectors:
                step = min(BATCH_ROWS, vectors.at_once)
                for group in range(len(bounded.group_rows)):
                    for batch in bounded.read_group(group, [key], step):
                        facts["rows"] += batch.num_rows
                        for given, vector in zip(batch[key].to_pylist(), vectors.take(batch.num_rows), strict=True):
                            if place := key_of(key, given):
                                yield Attached(place, NPY, npy_head(len(vector), vector.dtype.str) + vector.tobytes())
                            else:
                                facts["faulty_rows"] += 1
    except (*ERRORS, TypeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise HeadtailError(f"data: {file.path} cannot be attached: {error}") from error


def _key_of(path: str, schema: pa.Schema) -> str:
    names = schema.names
    key = other_key(path, names, "data") or next((name for name in KEYS if name in names), "")
    if key not in KEYS or names.count(key) != 1:
        raise ValueError(f"the columns of {path} are {', '.join(names)[:300]}, expected one of {', '.join(KEYS)}")
    return key
