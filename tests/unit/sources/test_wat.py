"""WATs: layouts of all years, and damage; tests/fuzz/test_wat_spellings.py has the scan of random pages."""

import gzip
import io
import json
from functools import partial

import pytest

from curation.core.choices import Entities
from curation.extraction.urls import join_bases
from curation.sources import wat
from curation.sources.archives import ReadLog
from curation.sources.wat import WatReader

Found = tuple[str, str, str, str | None, str | None]


def record(body: bytes, page_url: str = "http://example.org/p/", date: str = "2024-05-18") -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {page_url}\r\nWARC-Date: {date}T01:58:10Z\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n"


def read(data: bytes, entities: Entities = Entities.auto) -> tuple[list[Found], WatReader, ReadLog]:
    log = ReadLog()
    reader = WatReader(io.BytesIO(data), log, entities)
    found: list[Found] = []
    for links in reader:
        pages = links.page_urls.to_pylist()
        bases = join_bases(links.page_urls, links.bases).to_pylist()
        texts = [links.texts[key].to_pylist() for key in ("alt", "title")]
        for page, url, alt, title in zip(links.page.tolist(), links.urls.to_pylist(), *texts, strict=True):
            found.append((pages[page], bases[page], url, alt, title))
    return found, reader, log


def image(**members: str) -> dict:
    return {"path": "IMG@/src", **members}


def page_body(*links: dict, **head: str) -> bytes:
    html = {"Head": head, "Links": list(links)}
    page = {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": html}}}}
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("date", "choice", "decoded"),
    [
        ("2015-05-21", Entities.auto, True),
        ("2019-06-30", Entities.auto, True),
        ("2019-07-01", Entities.auto, False),
        ("2024-05-18", Entities.auto, False),
        ("2024-05-18", Entities.always, True),
        ("2015-05-21", Entities.never, False),
    ],
)
def test_entities_are_decoded_by_date(date: str, choice: Entities, decoded: bool) -> None:
    body = page_body(image(url="a?x&amp;y", alt="cat &amp; dog", title="&#x1F600;&#xD800;"))
    found, _, _ = read(record(body, date=date), choice)
    plain = ("a?x&y", "cat & dog", "😀\ufffd")
    assert found[0][2:] == (plain if decoded else ("a?x&amp;y", "cat &amp; dog", "&#x1F600;&#xD800;"))


SPELLINGS = {
    "lone high surrogate": b"a\\ud83dz",
    "lone low surrogate": b"a\\ude00z",
    "high before another escape": b"a\\ud83d\\nz",
    "bytes that are no UTF-8": b"a\xff\xfez",
    "a cut-off character": b"a\xe2\x82z",
    "an encoded surrogate": b"a\xed\xa0\x80z",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_broken_characters_become_one_of_their_own(name: str) -> None:
    body = page_body(image(url="u", alt="SPELLING")).replace(b"SPELLING", SPELLINGS[name])
    found, _, _ = read(record(body))
    alt = found[0][3]
    assert alt[0] == "a"
    assert alt[-1] == "z"
    assert "\ufffd" in alt


def test_page_urls_in_angle_brackets_and_crawl_of_the_file() -> None:
    info = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2024-06-02T10:11:12Z\r\nContent-Length: 26\r\n\r\n"
    data = info + b"isPartOf: CC-MAIN-2024-22\n" + b"\r\n\r\n" + record(page_body(image(url="a")), "<http://h.org/>")
    found, reader, log = read(data)
    assert found == [("http://h.org/", "http://h.org/", "a", None, None)]
    assert reader.crawl == "CC-MAIN-2024-22"
    assert reader.counts["records_read"] == 2
    assert not log.faults


GOOD = record(page_body(image(url="good.jpg", alt="good")), "http://good.org/")
LINKS = page_body(image(url="1.jpg", alt="one"), image(url="2.jpg", alt="two"), image(url="3.jpg", alt="three"))


DAMAGES = {
    "nothing": (record(LINKS), ["1.jpg", "2.jpg", "3.jpg"]),
    "length too small": (record(LINKS).replace(b"th: ", b"th: 1"), ["1.jpg", "2.jpg", "3.jpg"]),
    "length huge": (record(LINKS).replace(b"th: ", b"th: 99999999999"), ["1.jpg", "2.jpg", "3.jpg"]),
    "length too long to be true": (record(LINKS).replace(b"th: ", b"th: " + b"9" * 99), ["1.jpg", "2.jpg", "3.jpg"]),
    "no length": (record(LINKS).replace(b"Content-Length", b"Content-Langth"), ["1.jpg", "2.jpg", "3.jpg"]),
    "JSON cut off": (record(LINKS[: LINKS.index(b"3.jpg")]), ["1.jpg", "2.jpg"]),
    "JSON broken in the middle": (record(LINKS.replace(b'"alt":"two"', b'"alt":"two')), ["1.jpg", "3.jpg"]),
    "JSON with a control character": (record(LINKS.replace(b"two", b"t\x01o")), ["1.jpg", "2.jpg", "3.jpg"]),
    "JSON broken behind the links": (record(LINKS[:-1] + b"!}"), ["1.jpg", "2.jpg", "3.jpg"]),
    "no JSON": (record(b"{" + b"x" * 5000), []),
    "no head": (b"WARC/1.0" + b"x" * 999 + b"\n", []),
    "foreign bytes": (b"junk\r\nWARC/\r\n" * 99, []),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("packed", [False, True])
def test_damage_ends_where_it_is(name: str, packed: bool) -> None:
    damaged, urls = DAMAGES[name]
    pack = partial(gzip.compress, mtime=0) if packed else bytes
    found, _, log = read(pack(GOOD) + pack(damaged) + pack(GOOD))
    assert [row[2] for row in found] == ["good.jpg", *urls, "good.jpg"]
    assert [row[0] for row in (found[0], found[-1])] == ["http://good.org/"] * 2
    harmless = ("nothing", "length", "no length", "no head", "JSON with a control", "JSON broken behind")
    assert bool(log.faults) != name.startswith(harmless), log.faults


def test_an_image_link_may_stand_anywhere_in_a_large_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wat, "WINDOW_BYTES", 1 << 12)
    text = {"path": "A@/href", "text": "x" * 3_000_000}
    data = GOOD + record(page_body(image(url="1"), text, image(url="2"))) + GOOD
    found, reader, log = read(gzip.compress(data, mtime=0))
    assert [row[2] for row in found] == ["good.jpg", "1", "2", "good.jpg"]
    assert reader.counts["records_read"] == 3
    assert not log.faults


def test_scans_share_their_buffers_except_those_for_a_large_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wat, "WINDOW_BYTES", 1 << 20)
    sizes: list[int] = []
    new_scan = wat.wat_scan.new_scan

    def counted(size: int) -> wat.wat_scan.Scan:
        sizes.append(size)
        return new_scan(size)

    monkeypatch.setattr(wat.wat_scan, "new_scan", counted)
    small, large = ({"path": "A@/href", "text": "x" * size} for size in (20_000, 5_000_000))
    some = record(page_body(image(url="1"), small)) * 300
    reader = WatReader(io.BytesIO(some + record(page_body(large)) + some), ReadLog(), Entities.auto)
    assert sum(len(links) for links in reader) == 600
    assert max(sizes) > 5_000_000
    assert reader._scan_room.alt_data.size <= 1 << 21
    assert len([size for size in sizes if size]) <= 8  # of 17 scans; it grows step by step for the large record


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"<html>404 Not Found</html>", "no WARC record", id="page"),
        pytest.param(gzip.compress(b"<html>404 Not Found</html>", mtime=0), "no WARC record", id="packed page"),
        pytest.param(b"filedesc://a.arc 0.0.0.0 20050614070144 text/plain 77\n", "ARC file", id="ARC"),
        pytest.param(gzip.compress(b"", mtime=0), "no WARC record", id="packed nothing"),
        pytest.param(gzip.compress(GOOD, mtime=0)[:40], "ends within a gzip member", id="cut-off member"),
    ],
)
def test_files_that_are_no_wat(data: bytes, error: str) -> None:
    found, _, log = read(data)
    assert found == []
    assert any(error in text for _, text in log.faults), log.faults
