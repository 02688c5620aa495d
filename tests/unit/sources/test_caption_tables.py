"""Tables of captions in every format, good and bad rows."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.extraction.extract import ExtractTask, extract_file
from curation.sources.caption_tables import TableColumns
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns

ROWS = [
    {"url": "http://h.org/a.jpg", "text": "kite", "uid": "0" * 32, "width": 3},
    {"url": "http://h.org/b.jpg", "text": 'a "red", kite', "uid": "1" * 32, "width": None},
    {"url": "b.jpg", "text": "relative", "uid": "2" * 32, "width": 3},
    {"url": None, "text": "no url", "uid": None, "width": 3},
    {"url": "http://h.org/c.jpg", "text": None, "uid": "3" * 32, "width": 3},
    {"url": "http://h.org/d.jpg", "text": "Käse 😀", "uid": "4" * 32, "width": 3},
]
COLUMNS = table_columns(carry=(("datacomp_uid", "uid"), ("width", "width")))


def extract(path: Path, columns: TableColumns = COLUMNS) -> tuple[Receipt, list[dict]]:
    settings = extraction_settings(source=SourceKind.table, language=ENGLISH, columns=columns)
    output = path.parent / "out.parquet"
    receipt = extract_file(ExtractTask(str(path), str(output)), settings)
    assert pq.read_schema(output).equals(settings.schema)
    return receipt, pq.read_table(output).to_pylist()


def write(path: Path) -> Path:
    names = list(ROWS[0])
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=2)
        return path
    if ".jsonl" in path.name:
        lines = [json.dumps(row) for row in ROWS]
    else:
        mark = "," if ".csv" in path.name else "\t"
        quoted = [
            [str(value or "").replace('"', '""' if mark == "," else '"') for value in row.values()] for row in ROWS
        ]
        lines = [mark.join(names)]
        lines += [mark.join(f'"{value}"' if mark == "," else value for value in row) for row in quoted]
    data = ("\r\n".join(lines) + "\r\n").encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.tsv", "a.tsv.gz", "a.jsonl", "a.jsonl.gz"])
def test_formats_agree(tmp_path: Path, name: str) -> None:
    receipt, rows = extract(write(tmp_path / name))
    found = [(row["url"], row["text"], row["text_key"], row["datacomp_uid"], row["page_url"]) for row in rows]
    assert found == [
        ("http://h.org/a.jpg", "kite", "alt", "0" * 32, None),
        ("http://h.org/b.jpg", 'a "red", kite', "alt", "1" * 32, None),
        ("http://h.org/d.jpg", "Käse 😀", "alt", "4" * 32, None),
    ]
    empty = "blank_text" if "sv" in name else "no_text"
    assert receipt.drops == {"bad_url": 1, "empty_url": 1, empty: 1}
    assert rows[0]["width"] == "3"
    assert not receipt.failures


@pytest.mark.parametrize(
    ("name", "data", "kept", "bad_rows"),
    [
        pytest.param(
            "a.tsv",
            b"url\ttext\nhttp://h.org/a\tx\ty\nhttp://h.org/b\tz\n\nhttp://h.org/c\n",
            1,
            3,
            id="tsv with rows of other lengths",
        ),
        pytest.param(
            "a.tsv",
            b"url\ttext\nhttp://h.org/a\tx\xff\xfex\xffxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            1,
            0,
            id="tsv that is no UTF-8",
        ),
        pytest.param(
            "a.csv",
            b'url,text\nhttp://h.org/a,"two\nlines"\nhttp://h.org/b,"never closed\n',
            1,
            1,
            id="csv with an open quote",
        ),
        pytest.param(
            "a.jsonl",
            b'{"url":"http://h.org/a","text":"x"}\n{"url":\n[]\n3\n\n{"text":7,"url":"http://h.org/b"}',
            2,
            3,
            id="jsonl with lines that are no objects",
        ),
    ],
)
def test_bad_rows_are_counted(tmp_path: Path, name: str, data: bytes, kept: int, bad_rows: int) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    receipt, rows = extract(path, table_columns())
    assert len(rows) == kept
    assert receipt.drops["bad_row"] == bad_rows


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.tsv"):
        receipt, rows = extract(write(tmp_path / name), table_columns(url="URL"))
        assert rows == []
        assert "no column URL; there are url, text" in receipt.failures[0]["error"]


def test_a_damaged_row_group_costs_its_rows_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    receipt, rows = extract(path)
    assert [row["text"] for row in rows] == ["Käse 😀"]
    assert "row group 0" in receipt.failures[0]["error"]
    path.write_bytes(bytes(data[:-10]))
    assert extract(path)[0].failures
