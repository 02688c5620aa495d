"""Parquet files that lie: bytes of footers and page headers are changed in files that pyarrow wrote."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    """Return a Parquet file of columns."""
    out = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), out, **options)
    return out.getvalue()


def varint(value: int) -> bytes:
    """Return a number as Thrift's compact protocol writes i32 and i64: zigzag, seven bits a byte."""
    value, out = (value << 1) ^ (value >> 63), bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def with_footer(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a file with other bytes in its footer."""
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8]
    assert old in footer
    footer = footer.replace(old, new)
    return data[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
