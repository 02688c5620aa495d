"""Vectors of whole numbers in files: how they are made of lists of numbers, stored as bytes, and read."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import HeadtailError
from curation.core.table_reader import read_rows
from curation.core.whole_vectors import STORED, several_widths, whole_vectors

VECTORS_SCHEMA = pa.schema([pa.field("vector", pa.binary())])
"""A row for each candidate of a range: its vector (curation/core/whole_vectors.py); null: it has none."""


def as_bytes(vectors: np.ndarray) -> list[bytes]:
    """Return each vector as bytes."""
    return [row.tobytes() for row in np.ascontiguousarray(vectors, STORED)]


def from_bytes(stored: list[bytes]) -> np.ndarray:
    """Return vectors that were stored as bytes: int16[n, width]. Raises HeadtailError for several widths."""
    widths = {len(each) for each in stored}
    if len(widths) > 1:
        raise HeadtailError(several_widths(size // STORED.itemsize for size in widths))
    width = next(iter(widths), STORED.itemsize) // STORED.itemsize
    return np.frombuffer(b"".join(stored), STORED).reshape(-1, width)


def to_vectors(lists: pa.Array) -> pa.Array:
    """Return the vectors of lists of numbers, as they are stored; null for one that is null or has no direction.

    Raises HeadtailError for lists of several lengths.
    """
    there = np.asarray(pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False))
    mine = lists.filter(pa.array(there))
    if not len(mine):
        return pa.nulls(len(lists), pa.binary())
    values = mine.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    width = len(values) // len(mine)
    if len(widths := {*pc.list_value_length(mine).to_pylist()}) > 1:
        raise HeadtailError(several_widths(widths))
    whole, known = whole_vectors(values.reshape(-1, width))
    found: list[bytes | None] = [None] * len(lists)
    for place, vector, is_known in zip(np.flatnonzero(there).tolist(), as_bytes(whole), known.tolist(), strict=True):
        found[place] = vector if is_known else None
    return pa.array(found, pa.binary())


def read_vectors(path: str, places: pa.ChunkedArray) -> pa.Array:
    """Return the vectors of candidates at places of a range's file."""
    return read_rows(path, VECTORS_SCHEMA)["vector"].take(places).combine_chunks()
