"""Files of tables are checked against a schema when they are opened."""

from pathlib import Path

import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import ENTRY_COUNTS, check_schema
from curation.core.table_reader import check_file, read_batches, read_rows


def write(path: Path, table: pa.Table) -> str:
    with ParquetSink(str(path), table.schema) as sink:
        for batch in table.to_batches():
            sink.write(batch)
    return str(path)


def test_a_schema_error_lists_every_discrepancy() -> None:
    found = pa.schema([("lang", pa.string()), ("entry_id", pa.int64())])
    with pytest.raises(HeadtailError, match="entry_id is int64, expected int32; count is missing"):
        check_schema(found, ENTRY_COUNTS, "x")


def test_every_way_of_reading_checks_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"lang": ["en"], "count": ["3"], "note": ["x"]}))
    message = f"{path} has other columns than expected: entry_id is missing; count is string, expected int64; note is"
    for read in (lambda: list(read_batches(path, ENTRY_COUNTS)), lambda: read_rows(path, ENTRY_COUNTS)):
        with pytest.raises(HeadtailError, match=message):
            read()
    with pytest.raises(HeadtailError, match=message):
        check_file(path, ENTRY_COUNTS)


def test_further_columns_are_read_where_they_are_allowed(tmp_path: Path) -> None:
    rows = pa.table(
        {"lang": ["en", "de"], "entry_id": pa.array([1, 2], pa.int32()), "count": [3, 4], "note": ["x", "y"]}
    )
    path = write(tmp_path / "a.parquet", rows)
    assert read_rows(path, ENTRY_COUNTS, further=["note"]) == rows
    assert read_rows(path, ENTRY_COUNTS, ["note", "lang"], further=None).to_pydict() == {
        "note": ["x", "y"],
        "lang": ["en", "de"],
    }
    batches = read_batches(path, ENTRY_COUNTS, ["count"], batch_rows=1, further=None)
    assert [batch.to_pydict() for batch in batches] == [{"count": [3]}, {"count": [4]}]


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no Parquet")
    with pytest.raises(HeadtailError, match=f"{tmp_path}/a.parquet is not a Parquet file, or is damaged"):
        check_file(str(tmp_path / "a.parquet"), ENTRY_COUNTS)
