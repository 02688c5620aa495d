"""Several texts of one image: columns of lists, in every format; and columns that hold no texts."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation.core import bounded_parquet
from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.extraction.check_inputs import check_files
from curation.extraction.extract import ExtractTask, extract_file
from curation.sources import caption_tables, several_texts
from curation.sources.archives import ReadLog
from curation.sources.caption_strings import strings_of
from curation.sources.caption_tables import TableReader
from tests.hostile_parquet import parquet
from tests.sample_tars import picture, sample, write_tar
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns

URLS = [f"http://h.org/{n}.jpg" for n in range(5)]
LISTS = [["a kite", "a red kite", "a kite"], None, ["a", None, "b"], [], ["Käse 😀"]]
TITLES = ["kites", "one", None, None, "two"]
COLUMNS = table_columns(texts=(("alt", "text"), ("title", "title")), carry=(("id", "id"),))
PAIRS = [
    (0, "a kite", "alt"), (0, "kites", "title"), (0, "a red kite", "alt"), (1, "one", "title"), (2, "a", "alt"),
    (2, "b", "alt"), (4, "Käse 😀", "alt"), (4, "two", "title"),
]  # fmt: skip


def extract(path: Path, **settings: Any) -> tuple[Receipt, list[dict]]:
    given = {"source": SourceKind.table, "language": ENGLISH, "columns": COLUMNS, **settings}
    task = ExtractTask(str(path), str(path.parent / "out.parquet"))
    receipt = extract_file(task, extraction_settings(**given)).check()
    return receipt, pq.read_table(task.output).to_pylist()


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.binary()),
        pa.list_(pa.dictionary(pa.int32(), pa.string())), None,
    ],
    ids=str,
)  # fmt: skip
def test_each_text_of_a_list_is_a_text(tmp_path: Path, kind: pa.DataType | None) -> None:
    rows = {"url": URLS, "text": LISTS, "title": TITLES, "id": list(range(5))}
    path = tmp_path / ("a.parquet" if kind else "a.jsonl")
    if kind:
        pq.write_table(pa.table(rows | {"text": pa.array(LISTS, pa.list_(pa.string())).cast(kind)}), path)
    else:
        lines = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, lines)))
    check_files([str(path)], extraction_settings(source=SourceKind.table, columns=COLUMNS), 0.05)
    receipt, found = extract(path)
    assert [(int(row["id"]), row["text"], row["text_key"]) for row in found] == PAIRS
    assert [row["url"] for row in found] == [URLS[int(row["id"])] for row in found]
    assert receipt.drops == {"same_text": 1, "no_text": 1}
    assert receipt.facts["records_read"] == 5
    assert not receipt.failures


def test_lists_of_a_fixed_size_and_lists_in_two_keys(tmp_path: Path) -> None:
    texts = pa.array([["a", "b"], None, ["c", None]], pa.list_(pa.string(), 2))
    data = parquet({"url": URLS[:3], "text": texts, "title": [["x"], ["y", "z"], ["p", "q", "r"]], "id": [1, 2, 3]})
    (tmp_path / "a.parquet").write_bytes(data)
    receipt, found = extract(tmp_path / "a.parquet")
    assert "".join(row["text"] for row in found) == "axbyzcpqr"
    assert not receipt.drops


def test_captions_in_the_json_of_a_shard(tmp_path: Path) -> None:
    members = [
        *sample("a", picture(1), None, {"url": URLS[0], "caption": ["one", "two", 3, None], "n": {"x": [True]}}),
        *sample("b", picture(2), "\ufeffwith a mark", {"url": URLS[1], "n": [1.5]}),
        *sample(
            "c", picture(3), None, ("\ufeff" + json.dumps({"url": URLS[2], "caption": "json with a mark"})).encode()
        ),
    ]
    write_tar(tmp_path / "a.tar", [*members, ("d.jpg", picture(4)), ("d.txt", "UTF-16 grün".encode("utf-16"))])
    columns = table_columns(texts=(("caption", "caption"), ("txt", "txt")), carry=(("n", "n"),))
    receipt, found = extract(tmp_path / "a.tar", source=SourceKind.webdataset, columns=columns)
    assert [(row["text"], row["n"]) for row in found] == [
        ("one", '{"x":[true]}'), ("two", '{"x":[true]}'), ("3", '{"x":[true]}'), ("with a mark", "[1.5]"),
        ("json with a mark", None), ("UTF-16 grün", None),
    ]  # fmt: skip
    assert not receipt.drops
    old = extract(tmp_path / "a.tar", source=SourceKind.webdataset, columns=columns, rules=1)[1]
    assert [row["text"] for row in old][3] == "\ufeffwith a mark"


def test_carried_values_of_json_are_texts(tmp_path: Path) -> None:
    values = [True, 0.1, 7, None, ["a", {"b": None}], {"é": 1.5}, "x", 1e22]
    rows = [{"url": URLS[0], "text": f"kite {n}", "id": value} for n, value in enumerate(values)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = extract(tmp_path / "a.jsonl")[1]
    assert [row["id"] for row in found] == ["true", "0.1", "7", None, '["a",{"b":null}]', '{"é":1.5}', "x", "1e+22"]


TYPES: dict[str, tuple[Any, str]] = {
    "struct": ([{"en": "a"}], r"column text is struct<en: string>, expected text"),
    "list of structs": ([[{"t": "a"}]], r"column text is list<element: struct<t: string>>"),
    "list of numbers": ([[1]], r"column text is list<element: int64>"),
    "list of lists": ([[["a"]]], r"column text is list<element: list<element: string>>"),
    "integers": ([7], "column text is int64"),
    "booleans": ([True], "column text is bool"),
    "dictionary of integers": (pa.array([7]).dictionary_encode(), "column text is int64"),
    "binary": ([b"\xff\xd8\xff\xe0"], "column text is binary, and no UTF-8, expected text"),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_another_type_is_a_line(tmp_path: Path, name: str) -> None:
    values, told = TYPES[name]
    for column, other in (("text", "url"), ("url", "text")):
        path = tmp_path / "a.parquet"
        path.write_bytes(parquet({column: values, other: ["http://h.org/a.jpg"]}))
        told = told.replace("text is", f"{column} is", 1)
        settings = extraction_settings(source=SourceKind.table, columns=table_columns())
        with pytest.raises(HeadtailError) as error:
            check_files([str(path)], settings, 0.05)
        assert told in str(error.value)
        told = told.replace(f"{column} is", "text is", 1)
        if name != "binary":
            receipt, rows = extract(path, columns=table_columns())
            assert not rows
            assert f"column {column} is" in receipt.failures[0]["error"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('{"url":"http://h.org/a","text":{"en":"a"}}', "column text is object, expected text"),
        ('{"url":"http://h.org/a","text":[{"t":"a"}]}', "column text is list of objects, expected text"),
        ('{"url":"http://h.org/a","text":[1]}', "column text is list of numbers, expected text"),
        ('{"url":["http://h.org/a"],"text":"a"}', "column url is list of texts, expected text"),
        ('[{"url":"http://h.org/a","text":true}]', "column text is bool, expected text"),
        ('{\n  "url": "http://h.org/a",\n  "text": "a"\n}', "its first lines hold no whole JSON object"),
    ],
    ids=["object", "list of objects", "list of numbers", "list of URLs", "array", "an object of several lines"],
)
def test_values_of_json_of_another_type_are_a_line(tmp_path: Path, data: str, told: str) -> None:
    (tmp_path / "a.jsonl").write_text(data)
    with pytest.raises(HeadtailError, match=told):
        check_files([f"{tmp_path}/a.jsonl"], extraction_settings(source=SourceKind.table), 0.05)


def test_a_packed_form_that_is_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(40))
    with pytest.raises(HeadtailError, match=r"it is a zstd file, and tables are read plain or packed with gzip"):
        check_files([f"{tmp_path}/a.csv.zst"], extraction_settings(source=SourceKind.table), 0.05)


def test_two_columns_of_one_name_are_left_to_the_run(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(URLS), pa.array([b"a"] * 5), pa.array([b"b"] * 5)], ["url", "text", "text"])
    (tmp_path / "a.parquet").write_bytes(parquet(table))
    check_files([f"{tmp_path}/a.parquet"], extraction_settings(source=SourceKind.table), 0.05)


def test_by_older_rules_a_list_of_urls_is_no_url(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet({"url": [[url] for url in URLS], "text": list("abcde")}))
    receipt, _ = extract(tmp_path / "a.parquet", columns=table_columns(), rules=1)
    assert receipt.drops == {"empty_url": 5}


def test_by_older_rules_numbers_are_texts(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(
        parquet({"url": URLS, "text": range(5), "id": pa.array([b"ab"] * 5, pa.binary(2))})
    )
    columns = table_columns(carry=(("id", "id"),))
    receipt, rows = extract(tmp_path / "a.parquet", columns=columns, rules=1)
    assert [(row["text"], row["id"]) for row in rows] == [(str(number), "ab") for number in range(5)]
    assert not receipt.failures


def test_a_column_whose_name_has_a_dot_stands_beside_its_parent(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet({"url": URLS, "text": list("abcde"), "text.en": list("vwxyz")}))
    receipt, rows = extract(tmp_path / "a.parquet", columns=table_columns())
    assert "".join(row["text"] for row in rows) == "abcde"
    assert not receipt.failures


def test_lists_are_read_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two hundred rows that name one text of 500 kB each; one row that names it a hundred times.
    value = "x" * 500_000
    lists = pa.ListArray.from_arrays(
        pa.array([*range(200), 200, 300], pa.int32()), pa.DictionaryArray.from_arrays([0] * 300, [value])
    )
    table = {"url": ["http://h.org/a.jpg"] * 201, "text": lists, "id": ["i"] * 201}
    data = parquet(table, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert len(data) < 20_000
    (tmp_path / "a.parquet").write_bytes(data)
    columns = table_columns(carry=(("id", "id"),))
    with (tmp_path / "a.parquet").open("rb") as file:
        reader = TableReader(file, log := ReadLog(), "a.parquet", columns)
        sizes = [(len(links), links.texts["alt"].nbytes) for links in reader]
    assert sum(rows for rows, _ in sizes) == 200
    assert max(size for _, size in sizes) < 2 * bounded_parquet.BATCH_BYTES
    assert reader.drops == {"bad_row": 1}
    assert not log.faults
    monkeypatch.setattr(bounded_parquet, "MAX_NESTED_BYTES", 1_000)
    assert "its lists and structs take" in extract(tmp_path / "a.parquet", columns=columns)[0].failures[0]["error"]


def test_a_row_is_repeated_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_texts, "MAX_LINE_BYTES", 50_000)
    monkeypatch.setattr(several_texts, "MAX_BYTES", 100_000)
    texts = [[f"{row} {n}" for n in range(9)] for row in range(50)]
    rows = {
        "url": ["http://h.org/" + "a" * 4_000] * 50,
        "text": texts,
        "id": ["i" * 5_000 * (n == 7) for n in range(50)],
    }
    (tmp_path / "a.parquet").write_bytes(parquet(rows))
    with (tmp_path / "a.parquet").open("rb") as file:
        reader = TableReader(file, ReadLog(), "a.parquet", table_columns(carry=(("id", "id"),)))
        batches = list(reader)
    assert max(pc.sum(pc.binary_length(links.urls)).as_py() for links in batches) <= 100_000
    found = [text for links in batches for text in links.texts["alt"].to_pylist()]
    assert found == [text for row, each in enumerate(texts) if row != 7 for text in each]
    assert reader.drops == {"bad_row": 1}


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_an_error_within_a_batch_costs_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows = [{"url": URLS[0], "text": f"kite {n}", "id": str(n)} for n in range(300)]
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, row_group_size=100)
    else:
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))

    def fail_at_some(values: Any, **options: Any) -> pa.Array:
        found = strings_of(values, **options)
        if {"7", "250"} & set(found.to_pylist()):
            raise pa.ArrowCapacityError("array cannot contain more than 2147483646 bytes")
        return found

    monkeypatch.setattr(caption_tables, "strings_of", fail_at_some)
    receipt, found = extract(tmp_path / name, columns=table_columns(carry=(("id", "id"),)))
    assert [row["id"] for row in found] == [row["id"] for row in rows if row["id"] not in ("7", "250")]
    assert receipt.drops == {"reader_error": 2}
    assert receipt.facts["reader_errors"] == 2
    assert [failure["reason"] for failure in receipt.failures] == ["reader_error"] * 2


def test_an_error_at_a_line_costs_that_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"url": URLS[0], "text": f"kite {n}"} for n in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    real = caption_tables.decode_json

    def decode(line: bytes) -> Any:
        if b"kite 7" in line:
            raise RecursionError("deep")
        return real(line)

    monkeypatch.setattr(caption_tables, "decode_json", decode)
    receipt, found = extract(tmp_path / "a.jsonl", columns=table_columns())
    assert len(found) == 39
    assert receipt.drops == {"bad_row": 1}
    assert receipt.facts["reader_errors"] == 1
