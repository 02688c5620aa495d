"""Arrow arrays of lists, structs and maps, as files hold them: their items, and the bytes of each row when decoded."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_VIEWS = (pa.types.is_list_view, pa.types.is_large_list_view)
_BYTES = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)  # fmt: skip
_TEXT_VIEWS = (pa.types.is_string_view, pa.types.is_binary_view)
NUMBER_BYTES = 32
"""A number or a time as text."""


def is_list(kind: pa.DataType) -> bool:
    """Return whether the values of a type are lists, of any kind."""
    return any(test(kind) for test in (*_LISTS, *_VIEWS))


def is_nested(kind: pa.DataType) -> bool:
    """Return whether the values of a type hold others: lists, structs, maps."""
    return pa.types.is_nested(kind) or is_list(kind)


def storage_of(values: pa.Array) -> pa.Array:
    """Return values of an extension type as the type that stores them."""
    return values.storage if isinstance(values.type, pa.BaseExtensionType) else values


def list_items(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the items of lists, and their offsets (int64, n + 1); a list that is null has no item."""
    if any(test(values.type) for test in _VIEWS):
        values = values.cast(pa.large_list(values.type.value_type))
    counts = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return values.flatten(), np.concatenate([[0], np.cumsum(counts)])


def items_of(values: pa.Array, plain: Callable[[pa.Array], list[Any]]) -> list[Any]:
    """Return lists as lists, structs and maps as dicts of the values that `plain` gives; null as None."""
    there = values.is_valid().to_pylist()
    found: list[Any]
    if is_list(values.type):
        members, ends = list_items(values)
        plain_members = plain(members)
        found = [plain_members[start:end] for start, end in pairwise(ends.tolist())]
    elif pa.types.is_map(values.type):
        offsets = values.offsets.to_numpy()
        first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
        keys, items = (plain(part.slice(first, count)) for part in (values.keys, values.items))
        pairs = [(str(key), item) for key, item in zip(keys, items, strict=True)]
        found = [dict(pairs[start:end]) for start, end in pairwise((offsets - first).tolist())]
    elif pa.types.is_struct(values.type):
        names = [values.type.field(index).name for index in range(values.type.num_fields)]
        columns = [plain(values.field(index)) for index in range(len(names))]
        found = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    else:
        raise ValueError(f"values of the type {values.type} cannot be written as text")
    return [each if is_there else None for each, is_there in zip(found, there, strict=True)]


def row_bytes(values: pa.Array) -> np.ndarray:
    """Return about how many bytes each value takes as text (int64), dictionaries decoded."""
    values = storage_of(values)
    kind = values.type
    if pa.types.is_dictionary(kind):
        sizes = row_bytes(values.dictionary)
        places = pc.fill_null(values.indices, 0).to_numpy(zero_copy_only=False)
        return sizes[places] if len(sizes) else np.zeros(len(values), np.int64)
    if any(test(kind) for test in _TEXT_VIEWS):
        values = values.cast(pa.large_binary())
    if any(test(values.type) for test in _BYTES):
        return pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if is_list(kind):
        items, offsets = list_items(values)
        return _sums(row_bytes(items), offsets)
    if pa.types.is_map(kind):
        offsets = values.offsets.to_numpy().astype(np.int64)
        sizes = row_bytes(values.keys) + row_bytes(values.items)
        return _sums(sizes, offsets)
    if pa.types.is_struct(kind):
        names = sum(len(kind.field(index).name) + 4 for index in range(kind.num_fields))
        columns = [row_bytes(values.field(index)) for index in range(kind.num_fields)]
        return names + sum(columns, np.zeros(len(values), np.int64))
    return np.full(len(values), NUMBER_BYTES, np.int64)


def _sums(sizes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the sum of the sizes between neighbouring offsets, and 4 bytes for each."""
    ends = np.concatenate([[0], np.cumsum(sizes + 4)])
    return ends[offsets[1:]] - ends[offsets[:-1]]
