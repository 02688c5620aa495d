"""Tables that are made to exhaust memory, or to end the task: counted faults, bounded batches."""

import gzip
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation.core import bounded_parquet
from curation.core.bounded_parquet import BoundedParquet
from curation.sources import caption_tables, csv_rows, text_lines
from curation.sources.archives import ReadLog
from curation.sources.caption_tables import CountTask, TableReader, count_rows
from tests.hostile_parquet import parquet, varint, with_footer
from tests.unit.extraction.settings import table_columns
from tests.unit.sources.test_caption_tables import extract

CARRY = table_columns(carry=(("note", "note"),))
AS_ONE_PAGE = {"use_dictionary": False, "write_statistics": False}
URLS = [f"http://h.org/{n}.jpg" for n in range(5)]


POOLS: list[pa.MemoryPool] = []
"""A pool has to outlive the buffers that came from it."""


@contextmanager
def counted_memory() -> Iterator[pa.MemoryPool]:
    """A pool that counts what Arrow allocates meanwhile."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    POOLS.append(pool)
    pa.set_memory_pool(pool)
    yield pool
    pa.set_memory_pool(before)


@pytest.mark.parametrize("coding", ["dictionary", "arrow dictionary", "delta", "pages"])
def test_long_values_make_small_batches(tmp_path: Path, coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Read 20,000 rows at a time, the first file takes 1.2 GB if its few hundred bytes say so; here they say 75 MB.
    monkeypatch.setattr(bounded_parquet, "BATCH_BYTES", 8 << 20)
    monkeypatch.setattr(bounded_parquet, "STEP_BYTES", 4 << 20)
    rows, value = 1_200, "x" * 62_500
    options: dict[str, Any] = {"dictionary_pagesize_limit": 1 << 30, "store_schema": coding == "arrow dictionary"}
    texts: pa.Array = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))
    if "dictionary" not in coding:
        rows = 300
        texts = pa.array([value] * rows)
        options = {"use_dictionary": False, "write_batch_size": 20, "data_page_size": 1}
        options["column_encoding"] = {"text": "DELTA_BYTE_ARRAY" if coding == "delta" else "PLAIN"}
    data = parquet({"url": ["http://h.org/a.jpg"] * rows, "text": texts}, compression="zstd", **options)
    assert len(data) < 130_000
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    largest = found = 0
    with path.open("rb") as file, counted_memory() as pool:
        reader = TableReader(file, ReadLog(), str(path), table_columns())
        for links in reader:
            found += len(links)
            largest = max(largest, links.texts["alt"].nbytes)
        assert not reader._log.faults
    assert found == rows
    assert largest <= 2 * bounded_parquet.BATCH_BYTES
    assert pool.max_memory() < 50 << 20


def test_batches_of_ordinary_rows_are_those_of_arrow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = [f"text {n} " + "long " * (n % 97 == 0) * 300 for n in range(50_000)]
    (tmp_path / "a.parquet").write_bytes(parquet({"text": texts, "n": range(50_000)}, row_group_size=30_000))
    plain = pq.ParquetFile(tmp_path / "a.parquet")
    expected = [batch for group in (0, 1) for batch in plain.iter_batches(20_000, row_groups=[group])]
    for limit in (bounded_parquet.STEP_BYTES, 5 << 20):  # small steps, joined
        monkeypatch.setattr(bounded_parquet, "STEP_BYTES", limit)
        with (tmp_path / "a.parquet").open("rb") as file:
            bounded = BoundedParquet(file)
            found = [batch for group in (0, 1) for batch in bounded.read_group(group, ["text", "n"], 20_000)]
        assert found == expected


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(
            lambda: parquet({"url": URLS, "text": ["x" * (70 << 20), *"abcd"]}, compression="zstd", **AS_ONE_PAGE),
            "row group 0 cannot be read: a page of 73,400,",
            id="a page of 70 MB",
        ),
        pytest.param(
            with_footer(parquet({"url": URLS, "text": URLS}), b"\x16" + varint(5), b"\x16" + varint(1 << 60)),
            "the footer claims 1,152,921,504,606,846,976 rows",
            id="a footer of 2^60 rows",
        ),
        pytest.param(
            with_footer(parquet({"url": URLS, "text": URLS}), b"\x16" + varint(5), b"\x16" + varint(9)),
            "row group 0 ",
            id="a footer of more rows than there are",
        ),
        pytest.param(
            with_footer(parquet({"url": URLS, "text": URLS}), b"\x25\x02\x18\x04text", b"\x25\x00\x18\x04text"),
            "row group 0 cannot be read: Definition level histogram size mismatch",
            id="a column that is described in two ways",  # pyarrow's metadata ends the process
        ),
        pytest.param(
            with_footer(parquet({"url": URLS, "text": URLS}), b"\x03url\x15\x02", b"\x03url\x15\x7a"),
            "row group 0 cannot be read: Unsupported compression codec value: 61",
            id="a codec that there is not",
        ),
        pytest.param(
            with_footer(
                parquet({"url": URLS, "text": [text * 400 for text in "abcde"]}, compression="snappy"),
                b"text\x15" + varint(1),
                b"text\x15" + varint((1 << 31) - 1),
            ),
            "row group 0 cannot be read: Unsupported compression codec",
            id="a codec that is none",  # pyarrow's metadata ends the process
        ),
        pytest.param(
            parquet({"url": URLS, "text": URLS})[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1",
            "a footer of 1,073,741,824 bytes",
            id="a huge footer",
        ),
        pytest.param(
            parquet(pa.Table.from_arrays([pa.array(URLS)] * 3, ["url", "text", "text"])),
            "there are several columns of the name text",
            id="two columns of one name",
        ),
        pytest.param(
            parquet({"url": pa.array([1 << 62], pa.timestamp("us")), "text": pa.array([1 << 62], pa.timestamp("us"))}),
            "column url is timestamp[us], expected text",
            id="no text at all",
        ),
    ],
)
def test_claims_are_faults(tmp_path: Path, data: bytes | Callable[[], bytes], error: str) -> None:
    (tmp_path / "a.parquet").write_bytes(data() if callable(data) else data)
    receipt, rows = extract(tmp_path / "a.parquet", table_columns())
    assert len(rows) in (0, 5)
    assert error in receipt.failures[0]["error"]
    counted = count_rows(CountTask(str(tmp_path / "a.parquet")), table_columns())
    assert counted.rows_in < 100


@pytest.mark.parametrize(
    ("values", "note"),
    [
        pytest.param(pa.array([1 << 62] * 5, pa.timestamp("us")), str(1 << 62), id="years beyond 9999"),
        pytest.param(
            pa.array([-(1 << 62)] * 5, pa.timestamp("ns", "Europe/Rome")),
            "1823-11-12 00:06:21.572612096Z",
            id="nanoseconds with a zone",
        ),
        pytest.param(pa.array([0] * 5, pa.timestamp("ms", "No/Where")), "1970-01-01 00:00:00.000Z", id="unknown zone"),
        pytest.param(pa.array([0] * 5, pa.timestamp("us")), "1970-01-01 00:00:00.000000", id="times"),
        pytest.param(pa.array([1 << 30] * 5, pa.date32()), str(1 << 30), id="days beyond 9999"),
        pytest.param(pa.array([19_723] * 5, pa.date32()), "2024-01-01", id="days"),
        pytest.param(pa.array([1] * 5, pa.time32("ms")), "00:00:00.001", id="times of a day"),
        pytest.param(pa.array([90] * 5, pa.duration("s")), "90", id="durations"),
        pytest.param(pa.array([Decimal("1.50")] * 5), "1.50", id="decimals"),
        pytest.param(pa.array([Decimal("0.0000000001")] * 5), "0.0000000001", id="small decimals"),
        pytest.param(pa.array([[1, 2]] * 5), "[1,2]", id="lists"),
        pytest.param(pa.array([[0.1, None, math.nan]] * 5), '[0.1,null,"nan"]', id="lists of floats"),
        pytest.param(pa.array([[]] * 5, pa.list_(pa.string())), "[]", id="empty lists"),
        pytest.param(pa.array([["a", None]] * 5, pa.large_list(pa.large_string())), '["a",null]', id="large lists"),
        pytest.param(pa.array([[1, 2]] * 5, pa.list_(pa.int8(), 2)), "[1,2]", id="lists of a fixed size"),
        pytest.param(pa.array([[["é"], None]] * 5), '[["é"],null]', id="lists of lists"),
        pytest.param(pa.array([{"a": 1}] * 5), '{"a":1}', id="structs"),
        pytest.param(
            pa.array([{"a": [{"b": True, "c": b"\xff"}], "d": datetime(2024, 1, 1)}] * 5),
            '{"a":[{"b":true,"c":"\ufffd"}],"d":"2024-01-01 00:00:00.000000"}',
            id="structs of lists",
        ),
        pytest.param(pa.array([[("k", 1.5)]] * 5, pa.map_(pa.string(), pa.float32())), '{"k":1.5}', id="maps"),
        pytest.param(pa.array([b"\xab\x01"] * 5, pa.binary(2)), "ab01", id="bytes of a fixed size"),
        pytest.param(pa.array([bytes(16)] * 5, pa.uuid()), "0" * 32, id="an extension type"),
        pytest.param(pa.array([0.1 + 0.2] * 5), "0.30000000000000004", id="floats of full precision"),
        pytest.param(pa.array([math.nan] * 5), "nan", id="no number"),
        pytest.param(pa.array([None] * 5), None, id="nulls"),
        pytest.param(pa.array([7] * 5).dictionary_encode(), "7", id="a dictionary of numbers"),
        pytest.param(pa.array([b"a\xff"] * 5, pa.binary()), "a\ufffd", id="bytes"),
        pytest.param(pa.array([b"a\xff"] * 5, pa.binary()).view(pa.string()), "a\ufffd", id="no UTF-8"),
        pytest.param(pa.array(["a"] * 5).dictionary_encode(), "a", id="a dictionary"),
        pytest.param(pa.array([0.5] * 5), "0.5", id="floats"),
        pytest.param(pa.array([7] * 5, pa.uint64()), "7", id="integers"),
        pytest.param(pa.array([True] * 5), "true", id="booleans"),
    ],
)
def test_columns_of_every_type_can_be_carried(tmp_path: Path, values: pa.Array, note: str | None) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet({"url": URLS, "text": URLS, "note": values}))
    receipt, rows = extract(tmp_path / "a.parquet", CARRY)
    assert [row["note"] for row in rows] == [note] * 5
    assert not receipt.failures


@pytest.mark.parametrize(
    ("name", "lines", "kept", "bad_rows"),
    [
        pytest.param("a.tsv.gz", ["url\ttext", *[f"{URLS[0]}\t" + "x" * 9_000] * 200], 1, 0, id="long lines"),
        pytest.param("a.csv.gz", ["url,text", *[f"{URLS[0]}," + "x" * 9_000] * 200], 1, 0, id="long records"),
        pytest.param("a.tsv.gz", ["url\ttext", "\t" * 5_000, f"{URLS[0]}\ta"], 1, 1, id="many fields"),
        pytest.param("a.csv.gz", ["url,text", *['","'] * 9_000, '"', f"{URLS[0]},a"], None, None, id="open quotes"),
        pytest.param("a.csv.gz", ["url,text", '"', *["x" * 90] * 900, '"', f"{URLS[0]},a"], None, None, id="no end"),
        pytest.param("a.jsonl.gz", ["[" * 50_000, '{"a":' * 9_000, json.dumps({"url": [[]]})], 0, 2, id="nesting"),
        pytest.param("a.jsonl.gz", [json.dumps({"url": URLS[0], "text": "a", "x": [{}] * 9_000})], 0, 1, id="objects"),
    ],
)
def test_lines_are_held_in_bounded_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lines: list[str], kept: int | None, bad_rows: int | None
) -> None:
    monkeypatch.setattr(caption_tables, "BATCH_BYTES", 50_000)
    for module in (caption_tables, text_lines, csv_rows):
        monkeypatch.setattr(module, "MAX_FIELDS", 2_000)
    for module in (text_lines, csv_rows):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 60_000)
    path = tmp_path / name
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    with path.open("rb") as file:
        reader = TableReader(file, ReadLog(), str(path), table_columns())
        assert max(pc.sum(pc.binary_length(links.texts["alt"])).as_py() or 0 for links in reader) < 70_000
    receipt, rows = extract(path, table_columns())
    if kept is not None:
        assert (len(rows), receipt.drops["bad_row"]) == (kept, bad_rows)
    assert receipt.rows_in == receipt.rows_out + receipt.drops.total()


def test_a_line_without_end_is_one_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 1 << 19)
    data = f"url\ttext\n{URLS[0]}\ta\n".encode() + b"x" * (4 << 20) + f"\n{URLS[1]}\tb\n".encode()
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(data, mtime=0))
    receipt, rows = extract(tmp_path / "a.tsv.gz", table_columns())
    assert [row["text"] for row in rows] == ["a", "b"]
    assert ["a line of more than" in failure["error"] for failure in receipt.failures] == [True]


def test_equal_rows_without_end_stop_at_the_size_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet({"url": ["http://h.org/a"] * 300_000, "text": ["a"] * 300_000}))
    with (tmp_path / "a.parquet").open("rb") as file:
        reader = TableReader(file, log := ReadLog(max_bytes=1 << 20), "a.parquet", table_columns())
        assert sum(len(links) for links in reader) < 80_000
        assert "source.max_file_bytes" in log.faults[0][1]
