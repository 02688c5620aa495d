"""The values of captions' columns as strings, whatever types they have in the file."""

from typing import Any

import pyarrow as pa

from curation.sources.json_text import plain_text

_STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARIES = (
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view,
)  # fmt: skip
_NUMBERS = (pa.types.is_integer, pa.types.is_floating)


def holds_strings(kind: pa.DataType) -> bool:
    """Whether `strings_of` finds something else than nulls in values of a type."""
    if pa.types.is_dictionary(kind):
        return holds_strings(kind.value_type)
    return any(test(kind) for test in (*_STRINGS, *_BINARIES, *_NUMBERS, pa.types.is_null))


def strings_of(values: pa.Array | list) -> pa.Array:
    """Return values as valid strings, what is no text as null; numbers, which can be carried along, in digits."""
    if isinstance(values, list):
        return pa.array([_string(value) for value in values], pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if any(test(values.type) for test in _STRINGS):
        return _valid(values.cast(pa.string()))
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    if any(test(values.type) for test in (*_BINARIES, *_NUMBERS)):
        return pa.array([_string(value) for value in values.to_pylist()], pa.string())
    return pa.nulls(len(values), pa.string())


def _valid(values: pa.Array) -> pa.Array:
    """Return strings with U+FFFD for bytes that are no UTF-8, which Arrow reads from Parquet as they are."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_string(value) for value in values.cast(pa.binary()).to_pylist()], pa.string())
    return values


def scalar(value: Any) -> Any:
    """Return a value of JSON; None for objects and lists, which are no texts and take much memory."""
    return value if isinstance(value, str | bytes | int | float) else None


def _string(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return plain_text(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None
