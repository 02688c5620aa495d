"""Extraction of whole files: every candidate is accounted for."""

import gzip
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.choices import SourceKind
from curation.core.receipts import Receipt
from curation.extraction import extract
from curation.extraction.extract import ExtractTask, extract_file, iter_pairs
from curation.extraction.language import LanguageRules
from tests.unit.extraction.settings import ENGLISH, extraction_settings, language_rules

ENOUGH = 40 << 20
"""More than any reader should take of a file that it is to read 200 kB of."""


def wat_record(page_url: str, links: list[dict], head: dict | None = None) -> bytes:
    html = {"Head": head or {}, "Links": links}
    envelope = {"Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": html}}}
    body = json.dumps({"Envelope": envelope}, ensure_ascii=False, separators=(",", ":")).encode()
    header = (
        f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {page_url}\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return header.encode() + body + b"\r\n\r\n"


def image(url: str | None, **texts: str) -> dict:
    return {"path": "IMG@/src", **({"url": url} if url is not None else {}), **texts}


def extract_records(folder: Path, *records: bytes, **settings: object) -> tuple[Receipt, list[dict]]:
    path = folder / "CC-MAIN-2024-22-a.wat.gz"
    path.write_bytes(b"".join(gzip.compress(record, mtime=0) for record in records))
    settings = extraction_settings(**{"language": ENGLISH, **settings})
    receipt = extract_file(ExtractTask(str(path), str(folder / "out.parquet")), settings)
    table = pq.read_table(folder / "out.parquet")
    assert table.schema.equals(settings.schema)
    streamed = pa.Table.from_batches(iter_pairs(str(path), settings, Receipt("streamed")), settings.schema)
    assert streamed.equals(table)
    return receipt, table.to_pylist()


def test_every_candidate_has_a_reason(tmp_path: Path) -> None:
    links = [
        image("a.jpg", alt="red kite", title="red kite"),
        image("a.jpg", alt="a  red\tkite "),
        image("b.jpg"),
        image("c.jpg", alt=" ", title="the hill"),
        image("data:image/gif;base64,R0", alt="pixel"),
        image("", alt="empty"),
        image(None, alt="none"),
        image("ftp://example.org/a.jpg", alt="scheme"),
        image("http://10.0.0.1/a.jpg", alt="private"),
        image("http://[1/a.jpg", alt="bad"),
        {},
        {"path": "A@/href", "url": "x", "alt": "no image"},
    ]
    receipt, rows = extract_records(tmp_path, wat_record("https://example.org/x/", links))
    assert [(row["url"], row["text"], row["text_key"]) for row in rows] == [
        ("https://example.org/x/a.jpg", "red kite", "alt"),
        ("https://example.org/x/a.jpg", "a  red kite", "alt"),
        ("https://example.org/x/c.jpg", "the hill", "title"),
    ]
    assert receipt.rows_in == 12
    assert receipt.drops == Counter(
        same_text=1, no_text=1, blank_text=1, data_url=1, empty_url=2, scheme=1, private_host=1, bad_url=1
    )
    assert {row["crawl"] for row in rows} == {"CC-MAIN-2024-22"}
    assert {row["source_file"] for row in rows} == {"CC-MAIN-2024-22-a.wat.gz"}


def test_survivor_is_the_alt_on_the_first_page(tmp_path: Path) -> None:
    receipt, rows = extract_records(
        tmp_path,
        wat_record("https://example.org/1", [image("a.jpg", title="kite")]),
        wat_record("https://example.org/2", [image("a.jpg", alt="kite")]),
    )
    assert [(row["text_key"], row["page_url"]) for row in rows] == [("alt", "https://example.org/1")]
    assert receipt.drops == Counter(same_text=1)


@pytest.mark.parametrize(
    ("rules", "kept", "drops"),
    [
        pytest.param(language_rules(), {"en", "de"}, {}, id="all"),
        pytest.param(language_rules(languages=("de",)), {"de"}, {"language": 1}, id="one language"),
        pytest.param(language_rules(min_score=1.0), set(), {"lang_score": 2}, id="certain ones"),
    ],
)
def test_languages(tmp_path: Path, rules: LanguageRules, kept: set[str], drops: dict[str, int]) -> None:
    links = [image("a.jpg", alt="the house on the hill"), image("b.jpg", alt="das Haus auf dem Hügel")]
    receipt, rows = extract_records(tmp_path, wat_record("https://example.org/", links), language=rules)
    assert {row["lang"] for row in rows} == kept
    assert receipt.drops == drops


def test_a_file_that_this_machine_does_not_see_is_no_failure_of_the_file(tmp_path: Path) -> None:
    task = ExtractTask(str(tmp_path / "none.wat.gz"), str(tmp_path / "out.parquet"))
    with pytest.raises(FileNotFoundError):
        extract_file(task, extraction_settings(language=ENGLISH))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_opened_is_a_failure_not_a_crash(tmp_path: Path) -> None:
    task = ExtractTask(str(tmp_path), str(tmp_path / "out.parquet"))  # a folder
    receipt = extract_file(task, extraction_settings(language=ENGLISH))
    assert [row["file"] for row in receipt.failures] == [task.input]
    assert pq.read_table(task.output).num_rows == 0


class Endless(io.RawIOBase):
    """A file that begins so and then repeats the rest for ever."""

    def __init__(self, start: bytes, rest: bytes) -> None:
        self._start, self._rest, self.at = start, rest, 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= self.at + size < ENOUGH - 100_000, "would never end"
        within = max(self.at - len(self._start), 0) % len(self._rest)
        repeated = self._rest * (size // len(self._rest) + 2)
        data = (self._start[self.at :] + repeated[within:])[:size]
        self.at += len(data)
        return data

    def seek(self, offset: int, _whence: int = 0) -> int:
        self.at = offset
        return offset


@pytest.mark.parametrize(
    ("source", "start", "rest"),
    [
        pytest.param("wat", b"", wat_record("http://h.org/", [image("a.jpg", alt="kite")]), id="wat of one record"),
        pytest.param(
            SourceKind.wat,
            b"",
            gzip.compress(wat_record("http://h.org/", [image("a.jpg", alt="kite")]), mtime=0),
            id="wat of one gzip member",
        ),
        pytest.param(
            SourceKind.wat, wat_record("http://h.org/", [image("a.jpg", alt="kite")]), b"x", id="wat that ends in noise"
        ),
        pytest.param(
            SourceKind.warc, b"WARC/1.0\r\nContent-Length: 99999999999\r\n\r\n", b"x", id="warc of one huge record"
        ),
        pytest.param(SourceKind.table, b"url\ttext\n", b"http://h.org/a.jpg\tkite\n", id="table of one row"),
        pytest.param(SourceKind.table, b"url\ttext\n", b"x", id="table of one line"),
        pytest.param(SourceKind.webdataset, b"", bytes(512), id="tar of empty blocks"),
        pytest.param(
            SourceKind.webdataset, tarfile.TarInfo("a.jpg").tobuf()[:-512] + b"x" * 512, b"x", id="tar of noise"
        ),
    ],
)
def test_a_file_without_an_end(monkeypatch: pytest.MonkeyPatch, source: SourceKind, start: bytes, rest: bytes) -> None:
    monkeypatch.setattr(extract, "open_patiently", lambda _: Endless(start, rest))
    receipt = Receipt("endless.tsv")
    settings = extraction_settings(source=source, language=ENGLISH, max_file_bytes=200_000)
    assert sum(batch.num_rows for batch in iter_pairs("endless.tsv", settings, receipt)) <= 1
    receipt.check()
    assert "source.max_file_bytes" in " ".join(failure["error"] for failure in receipt.failures)
