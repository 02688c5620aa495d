"""The values of captions' columns: texts, lists of texts, and columns of every type that are carried along as text.

| type of a carried column | text |
|---|---|
| text, binary | the text in UTF-8, U+FFFD for bytes that are none |
| binary of a fixed size | hexadecimal digits (by the rules of version 1 as other binary) |
| integers, decimals | digits: `7`, `1.50` |
| floats | the shortest digits that give the double again: `0.1`, `1e+22`, `nan`, `inf` |
| booleans | `true`, `false` |
| dates | `2024-01-01` |
| times | `2024-01-01 00:00:00.000000` in the column's unit, with `Z` (UTC) where it has a zone |
| dates and times beyond the calendar | their number in the column's unit |
| lists, structs, maps, objects of JSON | JSON: `[0.1,0.2]`, `{"en":"a"}`, with the texts above for other values |
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.sources.json_text import plain_text
from curation.sources.nested_values import is_list, is_nested, items_of, list_items, storage_of

_STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARIES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating)
_OUT_OF_RANGE = r"<value out of range: (-?\d+)>"
_INFINITE = (float("inf"), float("-inf"))


@dataclass(frozen=True)
class Texts:
    """The texts of n rows: `values` (string); row r has those from `offsets[r]` to `offsets[r + 1]` (int64, n + 1).

    Without offsets each row has one value, null where it has no text; with offsets no value is null.
    """

    values: pa.Array
    offsets: np.ndarray | None = None


def is_text(kind: pa.DataType) -> bool:
    """Return whether the values of a type are texts; those of the null type are.

    >>> is_text(pa.dictionary(pa.int32(), pa.string())), is_text(pa.bool_())
    (True, False)
    """
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return any(test(kind) for test in (*_STRINGS, *_BINARIES, pa.types.is_null))


def is_list_of_texts(kind: pa.DataType) -> bool:
    """Return whether the values of a type are lists of texts.

    >>> is_list_of_texts(pa.list_(pa.string())), is_list_of_texts(pa.list_(pa.int8()))
    (True, False)
    """
    return is_list(kind) and is_text(kind.value_type)


def holds_texts(kind: pa.DataType) -> bool:
    """Return whether `texts_of` finds something else than nulls in values of a type."""
    if pa.types.is_dictionary(kind):
        return holds_texts(kind.value_type)
    others = (*_NUMBERS, pa.types.is_fixed_size_binary)
    return is_text(kind) or is_list_of_texts(kind) or any(test(kind) for test in others)


def texts_of(values: pa.Array | list) -> Texts:
    """Return the texts in values, and numbers in digits; what is neither, nor a list of those, is null."""
    if isinstance(values, list):
        if not any(isinstance(value, list) for value in values):
            return Texts(pa.array([_text(value) for value in values], pa.string()))
        lists = [value if isinstance(value, list) else [value] for value in values]
        counts, items = [len(value) for value in lists], [_text(item) for value in lists for item in value]
        return _without_nulls(pa.array(items, pa.string()), np.cumsum([0, *counts]))
    if not holds_texts(values.type):
        return Texts(pa.nulls(len(values), pa.string()))
    if is_list_of_texts(values.type):
        items, offsets = list_items(values)
        return _without_nulls(strings_of(items), offsets)
    if pa.types.is_floating(values.type):
        return Texts(pa.array([_text(value) for value in values.to_pylist()], pa.string()))
    return Texts(strings_of(values, hexadecimal=False))


def strings_of(values: pa.Array | list, hexadecimal: bool = True) -> pa.Array:
    """Return values of every type as valid strings; `hexadecimal` holds for binary values of a fixed size."""
    if isinstance(values, list):
        return pa.array([carried_text(value) for value in values], pa.string())
    values = storage_of(values)
    kind = values.type
    if pa.types.is_dictionary(kind):
        return strings_of(values.dictionary_decode(), hexadecimal)
    if any(test(kind) for test in _STRINGS):
        return _valid(values.cast(pa.string()))
    if pa.types.is_temporal(kind):
        return _times(values)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return values.cast(pa.string())
    if is_nested(kind):
        return pa.array([carried_text(value) for value in plain_values(values)], pa.string())
    found = values.to_pylist()
    if pa.types.is_decimal(kind):
        found = [None if value is None else format(value, "f") for value in found]
    elif pa.types.is_fixed_size_binary(kind) and hexadecimal:
        found = [None if value is None else value.hex() for value in found]
    return pa.array([carried_text(value) for value in found], pa.string())


def carried_text(value: Any) -> str | None:
    """Return a value of JSON as a text, and bytes as UTF-8.

    >>> [carried_text(value) for value in ("a", True, 0.1, ["a", None], None)]
    ['a', 'true', '0.1', '["a",null]', None]
    """
    if isinstance(value, bool | list | dict):
        return plain_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return str(value) if isinstance(value, float) else _text(value)


def text_or_list(value: Any) -> Any:
    """Return a value of JSON if it may hold texts, else None: other values take much memory."""
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value if isinstance(value, str | bytes | int | float) else None


def plain_values(values: pa.Array) -> list[Any]:
    """Return values as JSON has them: numbers, booleans, null, lists and dicts; other values as texts."""
    values = storage_of(values)
    kind = values.type
    if is_nested(kind):
        return items_of(values, plain_values)
    if pa.types.is_boolean(kind) or any(test(kind) for test in _NUMBERS):
        return [str(value) if value != value or value in _INFINITE else value for value in values.to_pylist()]
    return strings_of(values).to_pylist()


def _without_nulls(values: pa.Array, offsets: np.ndarray) -> Texts:
    if not values.null_count:
        return Texts(values, offsets)
    kept = np.concatenate([[0], np.cumsum(values.is_valid().to_numpy(zero_copy_only=False))])
    return Texts(values.drop_null(), kept[offsets])


def _valid(values: pa.Array) -> pa.Array:
    """Return strings with U+FFFD for bytes that are no UTF-8, which Arrow reads from Parquet as they are."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_text(value) for value in values.cast(pa.binary()).to_pylist()], pa.string())
    return values


def _times(values: pa.Array) -> pa.Array:
    kind = values.type
    zone = pa.types.is_timestamp(kind) and kind.tz is not None
    if zone:  # the zone's names differ from machine to machine
        values = values.view(pa.int64()).view(pa.timestamp(kind.unit))
    try:
        texts = values.cast(pa.string())
    except pa.ArrowNotImplementedError:
        texts = pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    if zone:
        texts = pc.replace_substring_regex(texts, r"^([^<].*)$", r"\1Z")
    return pc.replace_substring_regex(texts, _OUT_OF_RANGE, r"\1")


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return plain_text(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None
