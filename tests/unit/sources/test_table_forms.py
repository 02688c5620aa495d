"""Tables of text in the forms in which programs save them: encodings, line ends, dialects of CSV, arrays of JSON."""

import codecs
import csv
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.core.choices import CsvEscape, SourceKind
from curation.core.receipts import Receipt
from curation.extraction.extract import ExtractTask, extract_file
from curation.sources import csv_rows, json_arrays, text_lines
from curation.sources.archives import ReadLog
from curation.sources.caption_tables import CountTask, TableColumns, TableReader, count_rows
from curation.sources.csv_rows import CsvRows
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns

URLS = [f"http://h.org/{n}.jpg" for n in range(4)]
TEXTS = ["kite", 'a "red" kite', "Käse 😀, grün", "c:\\new\\"]


def extract(path: Path, columns: TableColumns | None = None, rules: int = 2) -> tuple[Receipt, list[str]]:
    settings = extraction_settings(
        source=SourceKind.table, language=ENGLISH, columns=columns or table_columns(), rules=rules
    )
    rows: list[str] = []
    task = ExtractTask(str(path), str(path.parent / "out.parquet"))
    receipt = extract_file(task, settings).check()
    for row in pq.read_table(task.output).to_pylist():
        assert row["url"] in URLS
        rows.append(row["text"])
    return receipt, rows


def table(kind: str, end: str = "\n", texts: list[str] = TEXTS) -> str:
    rows = [{"url": url, "text": text} for url, text in zip(URLS, texts, strict=False)]
    if kind == "jsonl":
        return "".join(json.dumps(row) + end for row in rows)
    if kind == "tsv":
        return "".join("\t".join(row) + end for row in [["url", "text"], *(list(row.values()) for row in rows)])
    out = io.StringIO()
    csv.writer(out, lineterminator=end).writerows([["url", "text"], *(list(row.values()) for row in rows)])
    return out.getvalue()


FORMS: dict[str, tuple[str, Any]] = {
    "mark": ("\n", lambda text: codecs.BOM_UTF8 + text.encode()),
    "mark, CR LF": ("\r\n", lambda text: codecs.BOM_UTF8 + text.encode()),
    "CR": ("\r", lambda text: text.encode()),
    "UTF-16": ("\r\n", lambda text: text.encode("utf-16")),
    "UTF-16, big endian": ("\n", lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be")),
    "UTF-32": ("\n", lambda text: text.encode("utf-32")),
}


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(tmp_path: Path, kind: str, form: str) -> None:
    end, encode = FORMS[form]
    data = encode(table(kind, end))
    for name, packed in ((f"a.{kind}", data), (f"a.{kind}.gz", gzip.compress(data, mtime=0))):
        (tmp_path / name).write_bytes(packed)
        receipt, rows = extract(tmp_path / name)
        assert rows == TEXTS
        assert not receipt.drops
        assert not receipt.failures
        assert count_rows(CountTask(str(tmp_path / name)), table_columns()).rows_out == 4


def test_runs_that_were_begun_by_older_rules_keep_their_rows(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(codecs.BOM_UTF8 + f"kite\t{URLS[0]}\r\n".encode())
    columns = table_columns(names=("text", "url"))
    assert extract(tmp_path / "a.tsv", columns, rules=1)[1] == ["\ufeffkite"]
    assert extract(tmp_path / "a.tsv", columns)[1] == ["kite"]
    (tmp_path / "a.csv").write_text(f'url,text\n{URLS[0]},"a \\"red\\" kite"\n{URLS[1]},"open\n')
    receipt, rows = extract(tmp_path / "a.csv", rules=1)
    assert rows == ['a \\red\\" kite"', "open"]
    assert not receipt.failures
    (tmp_path / "a.jsonl").write_text(json.dumps([{"url": URLS[0], "text": "kite"}]))
    assert extract(tmp_path / "a.jsonl", rules=1)[0].drops == {"bad_row": 1}


def spark(*texts: str) -> str:
    """The lines that Spark writes: checked against the CSV writer of Spark 4."""
    special = set('",\n\\')
    lines = ["url,text"]
    for url, text in zip(URLS, texts, strict=False):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{url},"{quoted}"' if special & (set(text) - {"\\"}) else f"{url},{text}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(['say "hi"', '27"', 'c:\\new "x"', "plain"], id="quotes"),
        pytest.param(['q\\"x', '"start', "back\\,", "a\\b"], id="backslashes"),
        pytest.param(['"', 'two\n"lines"', "a, b", "\\"], id="lines"),
    ],
)
def test_the_dialect_of_spark_is_found(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "a.csv").write_text(spark(*texts))
    receipt, rows = extract(tmp_path / "a.csv")
    assert rows == [text.replace("\n", " ") for text in texts]
    assert not receipt.failures
    (tmp_path / "b.csv").write_text(table("csv", texts=texts))
    assert extract(tmp_path / "b.csv")[1] == rows


def test_a_setting_decides_where_the_first_megabyte_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "HEAD_BYTES", 40)
    (tmp_path / "a.csv").write_text(spark("no quote at all", 'say "hi"', "later"))
    assert extract(tmp_path / "a.csv")[1] == ["no quote at all", 'say \\hi\\""', "later"]
    columns = table_columns(csv_escape=CsvEscape.backslash.value)
    assert extract(tmp_path / "a.csv", columns)[1] == ["no quote at all", 'say "hi"', "later"]
    (tmp_path / "b.csv").write_text(f'url,text\n{URLS[0]},"a\\\\b, c"\n')
    assert extract(tmp_path / "b.csv")[1] == ["a\\\\b, c"]
    assert extract(tmp_path / "b.csv", columns)[1] == ["a\\b, c"]


OPEN = '{0},"never closed\n'


@pytest.mark.parametrize(
    ("rest", "kept", "bad_rows"),
    [
        pytest.param("{1},fine\n{2},fine too\n", ["fine", "fine too"], 1, id="no other quote"),
        pytest.param('{1},fine\n{2},"quoted, too"\n', ["fine", "quoted, too"], 1, id="a quoted field behind"),
        pytest.param('{1},fine\n{2},", comma"\n', ["fine", ", comma"], 1, id="a quoted comma behind"),
        pytest.param('{1},""\n{2},"fine"\n', ["fine"], 1, id="an empty field behind"),
        pytest.param('{1},"two\nlines"\n{2},fine\n', ["two lines", "fine"], 1, id="a record of lines behind"),
        pytest.param('{1},"open, too\n{2},fine\n', ["fine"], 2, id="another one behind"),
        pytest.param("", [], 1, id="nothing behind"),
    ],
)
def test_a_quote_that_never_closes_costs_its_line(tmp_path: Path, rest: str, kept: list[str], bad_rows: int) -> None:
    text = ("url,text\n{3},before\n" + OPEN + rest).format(*URLS)
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "a.csv").write_bytes(text.replace("\n", end).encode())
        receipt, rows = extract(tmp_path / "a.csv")
        assert [" ".join(row.split()) for row in rows] == ["before", *kept]
        assert receipt.drops["bad_row"] == bad_rows
        assert receipt.failures[-bad_rows]["error"].startswith("reader_error: line 3: a quote that never closes (")
        assert [failure["reason"] for failure in receipt.failures if "reason" in failure] == ["reader_error"] * bad_rows
        assert receipt.facts["reader_errors"] == bad_rows
        assert count_rows(CountTask(str(tmp_path / "a.csv")), table_columns()).rows_out == receipt.rows_in


def test_lines_behind_open_quotes_are_read_again_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MAX_LINE_BYTES", 25_000)
    # Each line opens a quote; from within a quote, it closes that one and opens another.
    lines = [b"url,text", *[b'a",""",'] * 5_000, b"b,fine"]
    read = 0

    def counted() -> Any:
        nonlocal read
        for line in lines:
            read += 1
            yield line

    rows = CsvRows(counted(), CsvEscape.quote, 2, log := ReadLog())
    work = 0
    real = csv_rows._Record.add

    def add(record: Any, line: str, end: str) -> bool:
        nonlocal work
        work += 1
        return real(record, line, end)

    monkeypatch.setattr(csv_rows._Record, "add", add)
    found = [row for row in rows if row]
    assert read == len(lines)
    assert work < 8 * len(lines)
    assert found[0] == ["url", "text"]
    assert "too many quotes that never close; the" in log.faults[0][1]


def test_records_are_those_of_the_csv_module() -> None:
    draw = random.Random(5)
    pieces = ['"', '""', ",", "a", " ", "\\", "é", "x y", "\n", "\r\n"]
    for _ in range(2_000):
        rows = [["".join(draw.choices(pieces, k=draw.randrange(5))) for _ in range(3)] for _ in range(4)]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n", quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerows(rows)
        log = ReadLog()
        lines = out.getvalue().encode().split(b"\n")[:-1]
        assert list(CsvRows(lines, CsvEscape.quote, 3, log)) == rows
        assert not log.faulty_records
        # Lines of nasty pieces, one record each; a quote that is open at the end of the file is closed there by csv.
        line = "".join(draw.choices(['"', ",", "a", " ", "\\"], k=9))
        found = list(CsvRows([line.encode()], CsvEscape.quote, 0, log))
        assert found == ([None] if log.faulty_records else list(csv.reader([line])))


OBJECTS = [{"url": url, "text": text} for url, text in zip(URLS, TEXTS, strict=True)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_array_of_json_is_read_as_its_objects(tmp_path: Path, indent: int | None, encoding: str) -> None:
    data = json.dumps(OBJECTS, indent=indent, ensure_ascii=False).encode(encoding)
    for name, packed in (("a.json", data), ("a.jsonl.gz", gzip.compress(data, mtime=0))):
        (tmp_path / name).write_bytes(packed)
        receipt, rows = extract(tmp_path / name)
        assert rows == TEXTS
        assert not receipt.drops
        assert not receipt.failures
        assert count_rows(CountTask(str(tmp_path / name)), table_columns()).rows_out == 4


@pytest.mark.parametrize(
    ("data", "kept", "bad_rows", "error"),
    [
        pytest.param('[{0}, 7, null, "x", [1], {1}]', 2, 4, "", id="elements that are no objects"),
        pytest.param("[{0},\n{1},\n{2}", 3, 0, "the file ends within its JSON array", id="an array without end"),
        pytest.param('[{0},\n{1},\n{"url": "http', 2, 1, "the file ends within", id="an object that is cut off"),
        pytest.param("[{0}]\n[{1},{2}]\n{3}\n", 4, 0, "", id="several arrays, and an object behind"),
        pytest.param('[{0},\n{"url": "http://h.org/1.jpg\n,{1},\n{2}]', 3, 1, "", id="a quote that never closes"),
        pytest.param('[{0},\n{"url": "' + "x" * 3000 + '"},\n{1}]', 2, 0, "", id="a long value"),
        pytest.param('[{0},\n{"url": "' + "x" * 9000 + '"},\n{1}]', 2, 0, "an element of more than", id="too long"),
        pytest.param("[" * 900 + "]" * 900, 0, 1, "", id="nesting"),
        pytest.param("[\n", 0, 1, "", id="a bracket"),
    ],
)
def test_damage_in_an_array_costs_its_element(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, kept: int, bad_rows: int, error: str
) -> None:
    monkeypatch.setattr(json_arrays, "MAX_LINE_BYTES", 5_000)
    for number, row in enumerate(OBJECTS):
        data = data.replace(f"{{{number}}}", json.dumps(row))
    (tmp_path / "a.json").write_text(data)
    for piece_bytes in (7, 64):
        monkeypatch.setattr(
            text_lines, "read_plain", lambda file, _, size=piece_bytes: iter(lambda: file.read(size), b"")
        )
        receipt, rows = extract(tmp_path / "a.json")
        assert rows == TEXTS[:kept]
        assert receipt.drops["bad_row"] == bad_rows
        assert [failure["error"].startswith(error) for failure in receipt.failures] == [True] * bool(error)


def test_a_table_is_read_by_its_whole_pieces(tmp_path: Path) -> None:
    rows = [{"url": URLS[0], "text": f'kite {number} \\ " [{{'} for number in range(16_000)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    with (tmp_path / "a.json").open("rb") as file:
        links = list(TableReader(file, log := ReadLog(), "a.json", table_columns()))
    assert [text for each in links for text in each.texts["alt"].to_pylist()] == [row["text"] for row in rows]
    assert not log.faults
