"""Vectors that other programs keep beside a Parquet table, a row for each of its rows: `.npy` and `.npz` files."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.errors import refuse_outage

VECTOR_BYTES = 1 << 20
"""Bytes of one vector at most."""
AT_ONCE_BYTES = 64 << 20
"""Bytes of the vectors that are read at once, as float32, if there are several."""
VECTOR = pa.list_(pa.field("element", pa.float32()))


def is_vector(kind: pa.DataType) -> bool:
    """Return whether a column's values are lists of floating-point numbers."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and pa.types.is_floating(kind.value_type)


class VectorRows:
    """The rows of an array of shape (rows, numbers) in an open file, read forwards: memory holds those of one batch.

    Raises ValueError for an array of another form, and for a file that is cut off. No pickle is opened.
    """

    def __init__(self, file: IO[bytes], rows: int) -> None:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"format {version} of npy, expected (1, 0)")
        shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
        if len(shape) != 2 or by_columns or kind.kind != "f" or shape[0] != rows:
            raise ValueError(
                f"an array of shape {shape} and type {kind}, expected {rows:,} rows of floating-point numbers"
            )
        self._file, self._width, self._kind = file, shape[1], kind
        if not 0 < self._width * kind.itemsize <= VECTOR_BYTES:
            raise ValueError(f"vectors of {self._width:,} numbers, expected up to {VECTOR_BYTES // kind.itemsize:,}")

    @property
    def at_once(self) -> int:
        """How many vectors may be read at once."""
        return max(1, AT_ONCE_BYTES // (self._width * max(4, self._kind.itemsize)))

    def take(self, count: int) -> np.ndarray:
        """Return the next vectors as they are, of shape (count, numbers)."""
        data = self._file.read(count * self._width * self._kind.itemsize)
        values = np.frombuffer(data, self._kind) if len(data) % self._kind.itemsize == 0 else np.zeros(0)
        if len(values) != count * self._width:
            raise ValueError("its array is cut off")
        return values.reshape(count, self._width)

    def read(self, count: int) -> pa.Array:
        """Return the next vectors as lists of float32."""
        values = self.take(count).ravel()
        offsets = np.arange(0, len(values) + 1, self._width, dtype=np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array(values.astype(np.float32)), type=VECTOR)


def npz_members(path: str) -> list[str]:
    """Return the names of the arrays in an `.npz` file. Raises ValueError for a file that is none."""
    with storage.open_input(path) as file, _archive(file) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


@contextmanager
def open_vectors(path: str, member: str, rows: int) -> Iterator[VectorRows]:
    """Open the array `member` of an `.npz` file, or an `.npy` file where it is empty, which has so many rows."""
    with storage.open_input(path) as file:
        if not member:
            yield VectorRows(file, rows)
            return
        with _archive(file) as archive, _member(archive, f"{member}.npy") as array:
            yield VectorRows(io.BufferedReader(_Raw(array)), rows)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:  # encrypted, or packed in another way
        raise ValueError(f"a member that cannot be read: {error}") from error


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"no npz file: {error}") from error


class _Raw(io.RawIOBase):
    """A member of an archive as a raw stream, whose damage is a ValueError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            refuse_outage(error)
            raise ValueError(f"a damaged member: {error}") from error
        buffer[: len(data)] = data
        return len(data)
