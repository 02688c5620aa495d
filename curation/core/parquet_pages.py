"""The pages of a column chunk of a Parquet file, by their headers alone: what they claim is known before it is decoded.

A page is data, a dictionary, or an index. Its header is a struct in Thrift's compact protocol (Apache Parquet,
`parquet.thrift`, PageHeader).
"""

from collections.abc import Iterator
from dataclasses import dataclass

DATA, INDEX, DICTIONARY, DATA_V2 = 0, 1, 2, 3
"""Types of pages."""
PLAIN_DICTIONARY, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, RLE_DICTIONARY = 2, 5, 6, 7, 8
"""Encodings of pages."""
MAX_PAGES = 1 << 20
"""A chunk with more pages is refused: writers make pages of 20,000 rows or a megabyte."""
_MAX_DEPTH = 8
_INT32, _BINARY, _LIST, _SET, _MAP, _STRUCT = 5, 8, 9, 10, 11, 12
_WIDTHS = {1: 0, 2: 0, 3: 1, 7: 8}
_PLACES = {DATA: 5, DICTIONARY: 7, DATA_V2: 8}
"""Type of a page -> the field that holds its number of values (1) and its encoding (2; 4 in DATA_V2)."""

Fields = dict[int, "int | Fields"]


@dataclass(frozen=True)
class Page:
    """A page as its header describes it: `size` bytes when decompressed, `packed` bytes at `at` of the chunk."""

    kind: int
    values: int
    encoding: int
    size: int
    at: int
    packed: int


def read_pages(chunk: bytes, values: int) -> Iterator[Page]:
    """Yield the pages of a column chunk that holds `values` values; raises ValueError for a header that is none."""
    at, seen, pages = 0, 0, 0
    while seen < values and at < len(chunk):
        header, at = _read_struct(chunk, at, 0)
        kind, size, packed = (_number(header, field) for field in (1, 2, 3))
        fields = header.get(_PLACES.get(kind, 0), {})
        if min(size, packed) < 0 or at + packed > len(chunk) or not isinstance(fields, dict):
            raise ValueError("a page that does not lie in its column chunk")
        count = _number(fields, 1) if fields else 0
        pages += 1
        if count < 0 or pages > MAX_PAGES:
            raise ValueError(f"a page of {count} values" if count < 0 else f"more than {MAX_PAGES:,} pages")
        yield Page(kind, count, _number(fields, 4 if kind == DATA_V2 else 2), size, at, packed)
        seen += count if kind in (DATA, DATA_V2) else 0
        at += packed


def _number(fields: Fields, field: int) -> int:
    found = fields.get(field, -1)
    return found if isinstance(found, int) else -1


def _read_struct(data: bytes, at: int, depth: int) -> tuple[Fields, int]:
    """Return the fields of types i32 and struct by their ids, and the place behind the struct."""
    if depth > _MAX_DEPTH:
        raise ValueError("a page header that nests too deep")
    fields: Fields = {}
    field = 0
    while True:
        head, at = _byte(data, at)
        if not head:
            return fields, at
        kind, step = head & 15, head >> 4
        if step:
            field += step
        else:
            raw, at = _varint(data, at)
            field = _signed(raw)
        if kind == _INT32:
            raw, at = _varint(data, at)
            fields[field] = _signed(raw)
        elif kind == _STRUCT:
            fields[field], at = _read_struct(data, at, depth + 1)
        else:
            at = _skip(data, at, kind, depth)


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """Return the place behind a value of a type."""
    if kind in _WIDTHS:
        return at + _WIDTHS[kind]
    if kind in (4, _INT32, 6):
        return _varint(data, at)[1]
    if kind == _BINARY:
        size, at = _varint(data, at)
        return at + size
    if kind == _STRUCT:
        return _read_struct(data, at, depth + 1)[1]
    if kind in (_LIST, _SET):
        head, at = _byte(data, at)
        count, kinds = head >> 4, [head & 15]
        if count == 15:
            count, at = _varint(data, at)
    elif kind == _MAP:
        count, at = _varint(data, at)
        head, at = _byte(data, at) if count else (0, at)
        kinds = [head >> 4, head & 15]
    else:
        raise ValueError("a page header that cannot be read")
    if count * len(kinds) > len(data) - at or depth >= _MAX_DEPTH:
        raise ValueError("a page header that cannot be read")
    for _ in range(count):
        for element in kinds:  # a boolean takes a byte in a list
            at = at + 1 if element in (1, 2) else _skip(data, at, element, depth + 1)
    return at


def _byte(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise ValueError("a page header that is cut off")
    return data[at], at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte, at = _byte(data, at)
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a page header that cannot be read")


def _signed(raw: int) -> int:
    raw &= 0xFFFFFFFF
    return (raw >> 1) ^ -(raw & 1)
