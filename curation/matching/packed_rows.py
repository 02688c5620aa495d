"""Matched rows as bytes that compress well.

Of strings and lists there are lengths in place of offsets, in the fewest bytes that hold them: offsets only grow, and a
compressor finds little in them. With many buckets a block has a few dozen rows, so the head is short and has no schema.
"""

import struct

import numpy as np
import pyarrow as pa

from curation.core.string_buffers import buffers_of
from curation.matching.match import MATCHED

_HEAD = f"<{1 + 2 * len(MATCHED)}q"
"""The number of rows; for each column the bytes that a length takes, and the bytes of all its values."""
_ALIGN = 8


class PackedRows:
    """Rows of a batch (MATCHED), taken apart once; `pack` gives any of them as bytes."""

    def __init__(self, matched: pa.RecordBatch) -> None:
        self._columns = [_taken_apart(column) for column in matched.columns]

    def pack(self, start: int, end: int) -> bytes:
        """Return the rows [start, end) as bytes."""
        head, pieces = [end - start], list[bytes]()
        for borders, sizes, values in self._columns:
            own, content = sizes[start:end].tobytes(), values[borders[start] : borders[end]].tobytes()
            head += [sizes.itemsize, len(content)]
            pieces += [own, bytes(-len(own) % _ALIGN), content, bytes(-len(content) % _ALIGN)]
        return b"".join((struct.pack(_HEAD, *head), *pieces))


def unpack_rows(packed: pa.Buffer) -> pa.RecordBatch:
    """Return the rows of `PackedRows.pack`; they lie in the buffer."""
    rows, *places = struct.unpack_from(_HEAD, packed)
    at, columns = struct.calcsize(_HEAD), []
    for field, width, size in zip(MATCHED, places[::2], places[1::2], strict=True):
        sizes = np.frombuffer(packed, f"u{width}", rows, at)
        at += sizes.nbytes + -sizes.nbytes % _ALIGN
        columns.append(_put_together(field.type, sizes, packed.slice(at, size)))
        at += size + -size % _ALIGN
    return pa.record_batch(columns, schema=MATCHED)


def _taken_apart(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the values of each row begin and end, how many they are, and all values: bytes, ids or numbers.

    A number has the size 1, null has the size 0 and one value that is not read.
    """
    if pa.types.is_string(column.type):
        borders, values = buffers_of(column)
    elif pa.types.is_list(column.type):
        borders, values = column.offsets.to_numpy(), column.values.to_numpy()
    else:
        valid = column.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)
        return np.arange(len(column) + 1), valid, column.fill_null(0).to_numpy()
    sizes = np.diff(borders)
    return borders, sizes.astype(np.min_scalar_type(int(sizes.max(initial=0)))), values


def _put_together(kind: pa.DataType, sizes: np.ndarray, values: pa.Buffer) -> pa.Array:
    if not pa.types.is_string(kind) and not pa.types.is_list(kind):
        numbers = pa.Array.from_buffers(kind, len(sizes), [None, values])
        return numbers if sizes.all() else pa.array(numbers.to_numpy(), kind, mask=sizes == 0)
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, dtype=np.int32, out=offsets[1:])
    if pa.types.is_string(kind):
        return pa.Array.from_buffers(kind, len(sizes), [None, pa.py_buffer(offsets), values])
    ids = pa.Array.from_buffers(kind.value_type, int(offsets[-1]), [None, values])
    return pa.Array.from_buffers(kind, len(sizes), [None, pa.py_buffer(offsets)], children=[ids])
