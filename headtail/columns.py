"""The columns of a user's table: pandas, Arrow, or plain Python, with the strings that matching needs taken out.

Only the columns that are asked for are converted, so a table may hold pictures and other things beside them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.amounts import counted
from curation.core.errors import HeadtailError

TEXT = "text"
"""The column of texts that come without a table."""


class Columns(Protocol):
    """A user's table."""

    @property
    def names(self) -> Sequence[Any]:
        """The names of the columns."""
        ...

    def column(self, name: Any) -> Any:
        """Return a column as something that `pa.array` takes."""
        ...

    def rows(self) -> int:
        """Return the number of rows."""
        ...

    def take(self, places: np.ndarray | None, added: Mapping[str, pa.Array]) -> Any:
        """Return the rows at `places`, int64, all for None, with columns added; one of the same name is replaced."""
        ...


class ArrowColumns:
    """An Arrow table; the result is one."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @property
    def names(self) -> list[Any]:
        """The names of the columns."""
        return self.table.column_names

    def column(self, name: str) -> Any:
        """Return a column; raises HeadtailError where several have the name."""
        if self.names.count(name) > 1:
            raise HeadtailError(f"the table has several columns of the name {name}: rename them")
        return self.table[name]

    def rows(self) -> int:
        """Return the number of rows."""
        return self.table.num_rows

    def take(self, places: np.ndarray | None, added: Mapping[str, pa.Array]) -> pa.Table:
        """Return rows with columns added."""
        table = self.table.drop_columns([name for name in added if name in self.names])
        if places is not None:
            columns = [_taken(column, pa.array(places)) for column in table.columns]
            table = pa.table(columns, schema=table.schema)
        for name, values in added.items():
            table = table.append_column(name, values)
        return table


def _taken(column: pa.ChunkedArray, places: pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return the values at places, of the same type. Arrow takes no views of strings, which polars hands over."""
    kind = column.type
    plain = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}.get(str(kind), kind)
    try:
        return column.cast(plain).take(places).cast(kind)
    except pa.ArrowNotImplementedError:  # views within lists and structs
        return pa.array([column[place].as_py() for place in places.to_pylist()], kind)


class FrameColumns:
    """A pandas DataFrame; the result is one, and keeps the labels of the rows."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    @property
    def names(self) -> list[Any]:
        """The names of the columns."""
        return list(self.frame.columns)

    def column(self, name: Any) -> Any:
        """Return a column; raises HeadtailError where several have the name."""
        if self.names.count(name) > 1:
            raise HeadtailError(f"the table has several columns of the name {name}: rename them")
        return self.frame[name]

    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def take(self, places: np.ndarray | None, added: Mapping[str, pa.Array]) -> Any:
        """Return rows with columns added: numpy arrays, and lists of numbers as objects."""
        frame = self.frame if places is None else self.frame.iloc[places]
        return frame.assign(**{name: values.to_pandas().to_numpy() for name, values in added.items()})


class BatchColumns:
    """A mapping of column to values, as `datasets` hands over; the result is an Arrow table."""

    def __init__(self, batch: Mapping[Any, Any]) -> None:
        self.batch = batch

    @property
    def names(self) -> list[Any]:
        """The names of the columns."""
        return list(self.batch)

    def column(self, name: Any) -> Any:
        """Return a column."""
        return self.batch[name]

    def rows(self) -> int:
        """Return the number of rows; raises HeadtailError where columns differ in length."""
        sizes = {name: len(values) for name, values in self.batch.items()}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
            raise HeadtailError(f"the columns differ in length: {listed}")
        return next(iter(sizes.values()), 0)

    def take(self, places: np.ndarray | None, added: Mapping[str, pa.Array]) -> pa.Table:
        """Return rows with columns added."""
        table = pa.table({str(name): to_array(values, name) for name, values in self.batch.items()})
        return ArrowColumns(table).take(places, added)


def columns_of(source: Any) -> Columns:
    """Return the columns of a table, or of a sequence of texts, whose column is TEXT.

    Tables are pandas DataFrames, Arrow tables and record batches, whatever has Arrow's stream interface (polars,
    DuckDB), `datasets.Dataset`, mappings of column to values, and lists of mappings. Sequences of texts are lists,
    Series and arrays. Raises HeadtailError for anything else.
    """
    if isinstance(source, pa.Table):
        return ArrowColumns(source)
    if isinstance(source, pa.RecordBatch):
        return ArrowColumns(pa.Table.from_batches([source]))
    if hasattr(source, "iloc"):  # pandas, without importing it
        return FrameColumns(source if hasattr(source, "columns") else source.to_frame(TEXT))
    if hasattr(source, "with_format") and hasattr(source, "column_names"):  # a Dataset, with its selection of rows
        return ArrowColumns(source.with_format("arrow")[:])
    if isinstance(source, Mapping):
        return BatchColumns(source)
    if isinstance(source, pa.Array | pa.ChunkedArray | np.ndarray):
        return ArrowColumns(pa.table({TEXT: to_array(source, TEXT)}))
    if hasattr(source, "__arrow_c_stream__"):
        try:
            return ArrowColumns(pa.table(source))
        except pa.ArrowInvalid:  # a column alone, as a Series of polars
            return ArrowColumns(pa.table({TEXT: pa.chunked_array(source)}))
    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        if source and isinstance(source[0], Mapping):
            return ArrowColumns(pa.Table.from_pylist(list(source)))
        return ArrowColumns(pa.table({TEXT: to_array(source, TEXT)}))
    if hasattr(source, "__array__"):  # an Index, a Categorical
        return ArrowColumns(pa.table({TEXT: to_array(np.asarray(source), TEXT)}))
    kinds = "a pandas DataFrame, an Arrow table, a mapping of columns, or a list of texts"
    raise HeadtailError(f"expected {kinds}, got {type(source).__name__}")


def strings(columns: Columns, name: Any, *, nulls: bool = False) -> pa.StringArray:
    """Return a column as strings.

    Raises HeadtailError where the table has no such column, where it holds something else, or a null unless `nulls`.
    """
    if name not in columns.names:
        cure = f": name the column of texts with {TEXT}=..." if name == TEXT else ""
        found = ", ".join(map(str, columns.names)) or "none"
        raise HeadtailError(f"the table has no column {name!r}, it has {found}{cure}")
    array = to_strings(to_array(columns.column(name), name), name)
    if array.null_count and not nulls:
        first = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise HeadtailError(
            f"column {name} has no value in {counted(array.null_count, 'rows')}, the first is row {first:,}: drop them"
        )
    return array


def to_strings(array: pa.Array, name: Any) -> pa.StringArray:
    """Return an array of any type of strings as `string`; bytes are taken for UTF-8. Raises HeadtailError for others.

    >>> to_strings(pa.array(["a", None, "a"]).dictionary_encode(), "text").to_pylist()
    ['a', None, 'a']
    """
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    names = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "null")
    if not any(getattr(pa.types, f"is_{each}")(kind) for each in names):
        raise HeadtailError(f"column {name} holds {array.type}, expected strings")
    try:
        return pc.cast(array.cast(kind), pa.string())
    except pa.ArrowInvalid as error:
        reason = "more than 2 GB of text: match it in parts" if len(array) and array.nbytes >= 2**31 else error
        raise HeadtailError(f"column {name} cannot be read as UTF-8 strings: {reason}") from error


def to_array(values: Any, name: Any) -> pa.Array:
    """Return values as one array; NaN of pandas and numpy is null. Raises HeadtailError where types are mixed."""
    if isinstance(values, str | bytes):  # its characters would be the rows
        raise HeadtailError(f"column {name} is a single text, expected a list")
    if isinstance(values, pa.ChunkedArray):
        try:
            values = values.combine_chunks()
        except pa.ArrowInvalid as error:
            raise HeadtailError(f"column {name} is too large for one array ({error}): match it in parts") from error
    if isinstance(values, pa.Array):
        return values
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, UnicodeEncodeError, TypeError, ValueError) as error:
        raise HeadtailError(f"column {name} is no column of one type: {str(error).splitlines()[0]}") from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
