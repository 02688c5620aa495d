"""What extraction would find out after hours is told before it starts: kinds of files, columns, lists."""

import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core import remote
from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.receipts import Receipt
from curation.extraction.check_inputs import check_files, check_rules, pairless_advice
from curation.extraction.inputs import list_paths
from curation.extraction.text_rules import word_pattern
from curation.extraction.user_lists import read_hosts, removals_of
from curation.sources.source_kinds import foreign_kind
from tests.conftest import SHARED, needs_shared
from tests.unit.extraction.settings import extraction_settings, language_rules, table_columns, text_rules, url_rules
from tests.unit.extraction.test_extract import image, wat_record

URL = "http://h.org/a.jpg"


def check(paths: list[Path], source: SourceKind = SourceKind.table, share: float = 0.05, **columns: Any) -> None:
    settings = extraction_settings(source=source, columns=table_columns(**columns))
    check_files([str(path) for path in paths], settings, share)


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        pytest.param(
            {"URL": [URL], "text": ["kite"]},
            "there is no column url, only URL, text: set source.url_column, perhaps source.url_column=URL$",
            id="name",
        ),
        pytest.param(
            {"URL": [URL], "TEXT": ["kite"]},
            "source.text_columns, perhaps source.url_column=URL source.text_columns.alt=TEXT$",
            id="LAION's names",
        ),
        pytest.param(
            {"Image_URL": [URL], "caption": ["kite"], "title": ["kite"], "n": [1]},
            "source.text_columns, perhaps source.url_column=Image_URL source.text_columns.alt=caption$",
            id="usual names",
        ),
        pytest.param({"a": [URL], "text": ["kite"]}, "only a, text: set source.url_column$", id="no usual name"),
        pytest.param({"url": [7], "text": ["kite"]}, "column url is int64, expected text", id="URL of integers"),
        pytest.param({"url": [URL], "text": [7.5]}, "column text is double, expected text", id="text of numbers"),
        pytest.param({"url": [URL], "text": [{"en": "a"}]}, "column text is struct<en: string>, exp", id="struct"),
        pytest.param({"url": [[URL]], "text": ["kite"]}, r"column url is list<.*string>, expected text", id="list"),
    ],
)
def test_columns_of_parquet(tmp_path: Path, columns: dict, told: str) -> None:
    with pytest.raises(HeadtailError, match=rf"^{tmp_path}/a.parquet: .*{told}"):
        check([parquet(tmp_path / "a.parquet", **columns)])


def test_the_column_of_languages(tmp_path: Path) -> None:
    check([parquet(tmp_path / "good.parquet", url=[URL], text=["kite"], code=["en"])], lang="code")
    for columns, told in (
        ({}, "no column code, only url, text"),
        ({"code": [3]}, "column code is int64, expected text"),
    ):
        path = parquet(tmp_path / "a.parquet", url=[URL], text=["kite"], **columns)
        with pytest.raises(HeadtailError, match=f"{told}: set source.lang_column$"):
            check([path], lang="code")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, codec: str) -> None:
    (tmp_path / "a.csv").write_bytes(f"url,text\n{URL},kite\n".encode(codec))
    with pytest.raises(HeadtailError, match="its first line holds zero bytes: UTF-16 and UTF-32 are read with"):
        check([tmp_path / "a.csv"])


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.null()],
    ids=str,
)
def test_texts_of_every_type_pass(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array([None if kind == pa.null() else "kite"]).cast(kind)
    check([parquet(tmp_path / "a.parquet", url=[URL], text=texts, width=[3])], carry=(("width", "width"),))


@pytest.mark.parametrize(
    ("name", "data", "columns", "told"),
    [
        ("a.csv", f"URL,text\n{URL},kite\n", {}, "there is no column url, only URL, text"),
        ("a.csv", f"{URL},kite\n{URL},dog\n", {}, "set source.names, if the file has no header"),
        ("a.csv", f"url\ttext\n{URL}\tkite\n", {}, "there is no column url, text, only url\ttext"),
        ("a.tsv", f"{URL}\tkite\t3\n", {"names": ("url", "text")}, "rows have 3 fields, and source.names has 2"),
        ("a.tsv", f"url\ttext\n{URL}\tkite\t3\n", {}, "rows have 3 fields, and the header has 2"),
        ("a.tsv", f"{URL}\tkite\n", {"names": ("text", "link")}, "there is no column url, only text, link"),
        ("a.jsonl", json.dumps({"link": URL, "text": "kite"}), {}, "there is no column url, only link, text"),
        ("a.jsonl", json.dumps({"url": URL, "alt": "kite"}), {}, "there is no column text, only url, alt"),
        ("a.jsonl", json.dumps({"url": [URL], "text": "kite"}), {}, "column url is list of texts, expected text"),
        ("a.csv", f"url,text\n{URL},kite\n", {"lang": "code"}, "no column code, .* source.lang_column$"),
        ("a.csv", f"url\n{URL}\n", {"carry": (("w", "x"),)}, "no column .* set source.text_columns and source.carry$"),
        ("a.jsonl", json.dumps({"url": URL, "text": "kite"}), {"lang": "code"}, "no column code, .* source.lang"),
        ("a.jsonl", json.dumps({"url": URL, "text": "kite", "code": 3}), {"lang": "code"}, "column code is number"),
    ],
    ids=[
        "csv, name", "csv, no header", "csv of tabs", "tsv, wide rows", "tsv, wide rows below a header", "tsv, names",
        "jsonl, no URL", "jsonl, no text", "jsonl, list", "csv, no language", "csv, carried", "jsonl, no language",
        "jsonl, language of numbers",
    ],
)  # fmt: skip
def test_columns_of_lines(tmp_path: Path, name: str, data: str, columns: dict, told: str) -> None:
    for path, packed in ((tmp_path / name, data.encode()), (tmp_path / f"{name}.gz", gzip.compress(data.encode()))):
        path.write_bytes(packed)
        with pytest.raises(HeadtailError, match=f"{path}: .*{told}"):
            check([path], **columns)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", f'url,text\n{URL},"a ""red"" kite"\n'),
        ("a.csv", "url,text\n"),
        ("a.csv", ""),
        ("a.tsv", f"url\ttext\n{URL}\tkite\n{URL}\tkite\tmore\n"),
        ("a.jsonl", '{"url":7}\n' + json.dumps({"url": URL, "text": None}) + '\n{"text":"kite"}\nno json'),
        ("a.jsonl", "no json"),
        ("a.parquet", "PAR1 damaged"),
    ],
    ids=["csv", "no row", "empty", "one row too wide", "sparse jsonl", "no json", "damaged"],
)
def test_what_a_run_can_read_or_reports_itself_passes(tmp_path: Path, name: str, data: str) -> None:
    (tmp_path / name).write_text(data)
    check([tmp_path / name, tmp_path / "missing.csv"])


def test_a_few_bad_files_among_many_are_left_to_max_failed_share(tmp_path: Path) -> None:
    files = [parquet(tmp_path / f"{number:02d}.parquet", url=[URL], text=["kite"]) for number in range(40)]
    parquet(files[0], link=[URL], text=["kite"])
    check(files)
    with pytest.raises(HeadtailError, match=r"00.parquet: there is no column url"):
        check(files, share=0.01)
    for path in files[::2]:
        parquet(path, link=[URL], text=["kite"])
    with pytest.raises(HeadtailError, match=r"\(\d+ of 16 files that were opened are like this\)"):
        check(files)


def test_files_of_another_kind(tmp_path: Path) -> None:
    wat = tmp_path / "a.warc.gz"
    head = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 4\r\n\r\na: b\r\n\r\n"
    wat.write_bytes(gzip.compress(head) + gzip.compress(wat_record("http://h.org/", [image(URL, alt="kite")])))
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<img src=a.jpg alt=kite>"
    record = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (len(page), page)
    warc = tmp_path / "b.wat.gz"
    warc.write_bytes(gzip.compress(head) + gzip.compress(record))
    wet = tmp_path / "c.wat.gz"
    wet.write_bytes(gzip.compress(head + b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n"))
    table = parquet(tmp_path / "d.warc", url=[URL], text=["kite"])
    check([wat], SourceKind.wat)
    check([warc], SourceKind.warc)
    check([table])
    for path, source, told in (
        (wat, SourceKind.warc, "it is a WAT file, and source.kind is warc: set source=wat"),
        (warc, SourceKind.wat, "it is a WARC file, and source.kind is wat: set source=warc"),
        (warc, SourceKind.table, "it is a WARC file, and source.kind is table: set source=warc"),
        (wet, SourceKind.wat, "a WET file holds no links: give the WAT files"),
        (table, SourceKind.webdataset, "it is a Parquet file, and source.kind is webdataset: set source=table"),
    ):
        with pytest.raises(HeadtailError, match=f"{path}: .*{told}"):
            check([path], source)


@needs_shared
def test_real_archives_are_of_the_kind_that_they_are() -> None:
    wats = sorted([*SHARED.glob("wat/*.wat*"), *SHARED.glob("wat/extracted/*.wat.gz")])
    warcs = sorted([*SHARED.glob("warc/*/*.warc"), *SHARED.glob("warc/*/*.warc.gz")])
    assert len(wats) == 29
    check(wats, SourceKind.wat)
    check(warcs, SourceKind.warc)
    taken = {path: kind for paths, kind in ((wats, SourceKind.warc), (warcs, SourceKind.wat)) for path in paths}
    found = Counter(foreign_kind(io.BytesIO(path.read_bytes()), kind).partition(",")[0] for path, kind in taken.items())
    # Four of the WATs hold nothing but the record about themselves.
    assert found == {"it is a WAT file": 25, "it is a WARC file": len(warcs), "": 4}


def test_a_remote_file_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(url: str, *_: object) -> None:
        asked.append(url)
        raise remote.PassingError("503")

    monkeypatch.setattr(remote, "open_http", refuse)
    check_files([f"http://127.0.0.1:9/{number}.wat.gz" for number in range(9)], extraction_settings(), 0.05)
    assert len(asked) == 1


def test_lists_may_be_gzip(tmp_path: Path) -> None:
    hosts, words, removals = (tmp_path / name for name in ("hosts.gz", "en.gz", "removals.txt.gz"))
    hosts.write_bytes(gzip.compress(b"\xef\xbb\xbf# ads\n0.0.0.0 ads.example.org\n"))
    words.write_bytes(gzip.compress(b"rotten\n"))
    removals.write_bytes(gzip.compress(f"{URL}\n".encode()))
    assert read_hosts((str(hosts),)) == {"ads.example.org"}
    assert word_pattern(f"{tmp_path}/{{lang}}.gz", "en").search("a rotten egg")
    assert removals_of((str(removals),)).count("uid") == 1
    check_rules(
        extraction_settings(
            urls=url_rules(block_hosts=(str(hosts), "ads.org", "*.x.org"), removals=(str(removals),)),
            texts=text_rules(word_lists=f"{tmp_path}/{{lang}}.gz"),
        )
    )


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param({"removals": ("{}/bad.txt",)}, "bad.txt, line 1: expected a uid", id="removal of no uid"),
        pytest.param({"removals": ("{}/none",)}, "none is neither a file nor a uid", id="no such removal list"),
        pytest.param({"block_hosts": ("https://x.org/",)}, "https://x.org/ names no host; a host is written", id="URL"),
        pytest.param({"block_hosts": ("{}/bad.txt",)}, "bad.txt names no host", id="list of no host"),
        pytest.param({"block_hosts": ("{}/table.txt",)}, "table.txt is no list", id="table as a list"),
        pytest.param({"block_hosts": ("{}/none.txt",)}, "none.txt", id="no such list"),
    ],
)
def test_a_list_that_means_nothing_is_refused(tmp_path: Path, rules: dict, told: str) -> None:
    (tmp_path / "bad.txt").write_text("||what?^\n")
    (tmp_path / "table.txt").write_bytes(b"PAR1\0")
    given = {name: tuple(value.format(tmp_path) for value in values) for name, values in rules.items()}
    with pytest.raises((HeadtailError, FileNotFoundError), match=told):
        check_rules(extraction_settings(urls=url_rules(**given)))


def test_word_lists_in_a_folder_with_brackets_are_found(tmp_path: Path) -> None:
    (tmp_path / "[my]{lists}").mkdir()
    (tmp_path / "[my]{lists}/words[1]_en.txt").write_text("x")
    settings = extraction_settings(texts=text_rules(word_lists=f"{tmp_path}/[my]{{lists}}/words[1]_{{lang}}.txt"))
    check_rules(settings)
    assert [Path(file.path).name for file in list_files(list_paths(settings))] == ["words[1]_en.txt"]


def test_word_lists_and_models_are_read(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("kite\n")
    (tmp_path / "de.txt").write_bytes("Drachen".encode("utf-16-le"))
    with pytest.raises(HeadtailError, match=r"de.txt is no list"):
        check_rules(extraction_settings(texts=text_rules(word_lists=f"{tmp_path}/{{lang}}.txt")))
    with pytest.raises(HeadtailError, match=r"en.txt is not a fastText model"):
        check_rules(extraction_settings(language=language_rules(model=f"{tmp_path}/en.txt")))


def test_a_file_that_is_written_like_a_host_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ads.csv").write_text("ads.org\n")
    with pytest.raises(HeadtailError, match=r"ads.csv is a file: write ./ads.csv"):
        check_rules(extraction_settings(urls=url_rules(block_hosts=("ads.csv",))))


@pytest.mark.parametrize(
    ("source", "drops", "told"),
    [
        (SourceKind.wat, {}, "the files hold no image link: is source.kind=wat right"),
        (SourceKind.wat, {"language": 9, "no_text": 1}, "see languages and language.min_score"),
        (SourceKind.table, {"bad_url": 9, "no_text": 1}, "are the URLs in url"),
        (SourceKind.table, {"no_text": 9}, "are the texts in text"),
        (SourceKind.table, {"bad_row": 9}, "see source.names"),
        (SourceKind.wat, {"no_text": 9}, "is source.kind=wat right"),
        (SourceKind.wat, {"same_text": 9, "language": 3}, "see languages and language.min_score"),
    ],
    ids=["nothing", "language", "URLs", "texts", "rows", "WAT without texts", "repeated texts"],
)
def test_where_to_look_if_there_is_no_pair(source: SourceKind, drops: dict, told: str) -> None:
    receipt = Receipt("x", sum(drops.values()), drops=Counter(drops))
    assert told in pairless_advice(extraction_settings(source=source), receipt)


def test_a_word_list_of_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text('["dog", "cat"]')
    with pytest.raises(HeadtailError, match=r"en.json is JSON: expected a text file with one word per line"):
        check_rules(extraction_settings(texts=text_rules(word_lists=f"{tmp_path}/{{lang}}.json")))
