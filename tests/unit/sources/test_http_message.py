"""Archived responses: chunks, codings, heads, and what is said where a page cannot be read."""

import io
from collections.abc import Callable, Sequence

import pytest

from curation.core import codings
from curation.core.codings import codings_in, undo_codings
from curation.sources.archives import ReadLog
from curation.sources.http_message import join_chunks, read_response
from curation.sources.http_payload import MAX_HTML_BYTES
from curation.sources.warc import WarcReader
from tests.packing import PACK, packed

PAGE = b"<!doctype html><title>\xe2\x82\xac</title>" + b"".join(
    b'<p>%d<img src="%d.jpg" alt="kite %d">' % (n * n, n, n) for n in range(300)
)
ALTS = [f"kite {number}" for number in range(300)]
HTML = "Content-Type: text/html; charset=utf-8"


def chunks(body: bytes, size: int = 1000, line: bytes = b"%x\r\n", end: bytes = b"0\r\n\r\n") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(line % len(piece) + piece + b"\r\n" for piece in pieces) + end


def record(body: bytes, *headers: str, message: bytes = b"", extra: str = "") -> bytes:
    message = message or "\r\n".join(("HTTP/1.1 200 OK", *headers)).encode("latin-1") + b"\r\n\r\n" + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\n{extra}WARC-Target-URI: http://h.org/\r\n"
    return f"{head}Content-Length: {len(message)}\r\n\r\n".encode() + message + b"\r\n\r\n"


def read(data: bytes, rules: int = 2) -> tuple[list[str], list[str], int]:
    """Return the alts of a WARC, the faults of its records, and the pages that count as not decoded."""
    log = ReadLog()
    reader = WarcReader(io.BytesIO(data), log, rules=rules)
    alts = [alt for links in reader for alt in links.texts["alt"].to_pylist()]
    assert not log.faults
    return alts, [error for _, error in log.record_faults], reader.counts["undecoded_pages"]


CODED = packed(PAGE, "gzip", "br", "raw", "zstd", "deflate")
RIGHT: dict[str, tuple[bytes, Sequence[str]]] = {
    "all members of gzip": (packed(PAGE[:999], "gzip") + packed(PAGE[999:], "gzip"), ["Content-Encoding: gzip"]),
    "bytes behind gzip": (packed(PAGE, "gzip") + b"\0\0junk", ["Content-Encoding: x-gzip"]),
    "deflate": (packed(PAGE, "deflate"), ["Content-Encoding: X-Deflate"]),
    "deflate of another level": (b"\x58\x85" + packed(PAGE, "deflate")[2:], ["Content-Encoding: deflate"]),
    "deflate without wrapper": (packed(PAGE, "raw"), ["Content-Encoding: deflate"]),
    "brotli": (packed(PAGE, "br"), ["Content-Encoding: br"]),
    "brotli by its name": (packed(PAGE, "br"), ["Content-Encoding: Brotli"]),
    "zstd": (packed(PAGE, "zstd"), ["Content-Encoding: zstd"]),
    "frames of zstd": (packed(PAGE[:999], "zstd") + packed(PAGE[999:], "zstd"), ["Content-Encoding: zstd"]),
    "a list": (packed(PAGE, "gzip", "br"), ["Content-Encoding: gzip, br"]),
    "twice gzip": (packed(PAGE, "gzip", "gzip"), ["Content-Encoding: gzip,gzip"]),
    "several fields": (packed(PAGE, "br", "gzip"), ["Content-Encoding: br", HTML, "Content-Encoding: gzip"]),
    "five, quotes": (CODED, ['CONTENT-encoding :  "gzip" ,\tBR,deflate', "Content-Encoding: zstd,,deflate;q"]),
    "names without a coding": (packed(PAGE, "gzip"), ["Content-Encoding: identity, gzip, chunked, none, aws-chunked"]),
    "named twice, done once": (packed(PAGE, "gzip"), ["Content-Encoding: gzip", "Content-Encoding: gzip"]),
    "an unknown name behind": (packed(PAGE, "gzip"), ["Content-Encoding: gzip, utf-8"]),
    "another name": (packed(PAGE, "deflate"), ["Content-Encoding: gzip"]),
    "gzip, called brotli": (packed(PAGE, "gzip"), ["Content-Encoding: br"]),
    "a folded field": (packed(PAGE, "gzip", "br"), ["Content-Encoding: gzip,\r\n br"]),
    "gzip as a transfer": (chunks(packed(PAGE, "gzip")), ["Transfer-Encoding: gzip, chunked"]),
    "two transfers": (chunks(packed(PAGE, "gzip")), ["Transfer-Encoding: gzip", "transfer-encoding: Chunked"]),
    "both": (chunks(packed(PAGE, "br", "gzip")), ["Transfer-Encoding: gzip, chunked", "Content-Encoding: br"]),
    "chunks": (chunks(PAGE), ["Transfer-Encoding: chunked"]),
    "small chunks": (chunks(PAGE, 7), ["Transfer-Encoding: chunked"]),
    "extensions and trailers": (
        chunks(PAGE, line=b"%X ;name=" + b"x" * 900 + b'; b="c;d"\r\n', end=b"0;a\r\nExpires: 0\r\nX: y\r\n\r\n"),
        ["Transfer-Encoding: chunked"],
    ),
    "sizes with zeros and blanks": (chunks(PAGE, line=b"0000000000%x  \r\n"), ["Transfer-Encoding: chunked"]),
    "chunks with line feeds": (chunks(PAGE).replace(b"\r\n", b"\n"), ["Transfer-Encoding: chunked"]),
    "blank lines before sizes": (
        chunks(packed(PAGE, "br"), line=b"\r\n%x\r\n"), ["Transfer-Encoding: chunked", "Content-Encoding: br"]
    ),
    "no last chunk": (chunks(packed(PAGE, "zstd"), end=b""), ["Transfer-Encoding: chunked", "Content-Encoding: zstd"]),
    "the last chunk is cut off": (
        chunks(packed(PAGE, "zstd"), end=b"0\r"), ["Transfer-Encoding: chunked", "Content-Encoding: zstd"]
    ),
    **{
        f"wrong: {size!r}": (chunks(PAGE).replace(b"\n3e8\r", b"\n%s\r" % size, 1), ["Transfer-Encoding: chunked"])
        for size in (b"3e6", b"3ea", b"1", b"500", b"5000", b"fffffff")
    },
    "a wrong size around gzip": (
        chunks(packed(PAGE, "gzip"), 400).replace(b"190\r", b"191\r", 1),
        ["Transfer-Encoding: chunked", "Content-Encoding: gzip"],
    ),
    "untrue chunks": (PAGE, ["Transfer-Encoding: chunked"]),
    "untrue chunks, a zero before": (b"0\n" + PAGE, ["Transfer-Encoding: chunked"]),
    "a crawler's own header": (PAGE, ["X-Crawl-Content-Encoding: gzip", "X-Crawl-Transfer-Encoding: chunked"]),
    "both headers of a crawler": (PAGE, ["X-Crawl-Content-Encoding: br", "Content-Encoding: br"]),
    **{
        f"untrue {name}": (PAGE, [f"Content-Encoding: {name}"])
        for name in ("gzip", "deflate", "br", "zstd", "compress", "utf-8", "", "gzip,br,zstd,deflate,gzip,br")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_the_page_of_a_response(name: str) -> None:
    body, headers = RIGHT[name]
    alts, faults, _ = read(record(body, HTML, *headers))
    assert not faults
    assert alts == ALTS


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n%s\r\n\r\n", id="interim"
        ),
        pytest.param(b"HTTP/1.1 200 OK\n%s\n\n<!--\r\n\r\n-->", id="line feeds"),
        pytest.param(b"HTTP/1.1 200 OK\r\n%s\n\r\n", id="mixed"),
    ],
)  # fmt: skip
def test_heads(message: bytes) -> None:
    alts, faults, _ = read(record(b"", message=message % HTML.encode() + PAGE))
    assert (alts, faults) == (ALTS, [])


BROKEN: dict[str, tuple[bytes | Callable[[], bytes], str, int, str]] = {
    # body, codings, alts at least, fault
    "gzip cut off": (packed(PAGE, "gzip")[:1500], "gzip", 100, "'gzip': the body ends early"),
    "deflate cut off": (packed(PAGE, "deflate")[:1500], "deflate", 100, "'deflate': the body ends early"),
    "brotli cut off": (packed(PAGE, "br")[:1500], "br", 100, "'br': Invalid Data"),
    "zstd cut off": (packed(PAGE[:9000], "zstd") + packed(PAGE[9000:], "zstd")[:-9], "zstd", 200, "'zstd': incomplete"),
    "a list cut off": (packed(PAGE, "gzip", "br")[:1500], "gzip, br", 100, "'br': Invalid Data"),
    "damaged gzip": (packed(PAGE, "gzip")[:1500] + b"\xff" * 500, "gzip", 100, "'gzip': "),
    "a damaged member": (packed(PAGE, "gzip") + packed(PAGE, "gzip")[:99], "gzip", 300, "'gzip': the body ends early"),
    "an unknown name": (b"\x1f\x9d\x90" + bytes(99), "compress", 0, "'compress': its name is not known"),
    "a name of control characters": (bytes(99), "\x1b[31m", 0, r"'\x1b[31m': its name is not known"),
    "brotli, called zstd": (packed(PAGE, "br"), "zstd", 0, "'zstd': the body does not begin like that"),
    "six": (packed(CODED, "gzip"), "gzip, br, deflate, zstd, deflate, gzip", 0, "6 codings, more than 5"),
    "a bomb": (
        lambda: packed(PAGE + bytes(9 << 20), "gzip"), "gzip", 300, f"'gzip': more than {MAX_HTML_BYTES} bytes"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_page_that_cannot_be_decoded_is_counted_and_named(name: str) -> None:
    body, names, least, fault = BROKEN[name]
    good = record(PAGE, HTML)
    body = body() if callable(body) else body
    alts, faults, count = read(good + record(body, HTML, f"Content-Encoding: {names}") + good)
    assert count == len(faults) == 1
    assert faults[0].startswith(f"reader_error: a page whose coding cannot be undone ({fault}")
    assert alts[:300] == alts[-300:] == ALTS
    assert len(alts) >= 600 + least
    assert [alt for alt in alts[300:-300] if alt not in ALTS] == []


@pytest.mark.parametrize("coding", PACK)
def test_all_before_the_damage_is_kept(coding: str) -> None:
    body = packed(PAGE, coding)
    name = "deflate" if coding == "raw" else coding
    whole = len(body) // 2
    for end in (*range(30), *range(whole - 20, whole + 20)):
        undone, fault = undo_codings(io.BytesIO(body[:end]), [name], 1 << 20, io.BytesIO)
        found = undone.read()
        assert PAGE.startswith(found) or found == body[:end]
        assert fault or len(found) < 30, end
    undone, _ = undo_codings(io.BytesIO(body[:whole]), [name], 1 << 20, io.BytesIO)
    assert len(undone.read()) > (0 if coding == "zstd" else len(PAGE) // 4)  # a block of zstd is whole or nothing


def test_each_coding_has_the_byte_bound() -> None:
    bomb = packed(bytes(1 << 22), "gzip", "zstd", "br")
    largest = 0

    class Counting(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]  # of bytes only
            nonlocal largest
            written = super().write(data)
            largest = max(largest, self.tell())
            return written

    undone, fault = undo_codings(io.BytesIO(bomb), ["gzip", "zstd", "br"], 50_000, Counting)
    assert (largest, len(undone.read())) == (50_000, 50_000)
    assert isinstance(fault, codings.TooLargeError)


def test_a_record_that_says_it_is_cut_off_is_no_fault() -> None:
    cut = packed(PAGE, "gzip")[:1500]
    alts, faults, _ = read(record(cut, HTML, "Content-Encoding: gzip", extra="WARC-Truncated: length\r\n"))
    assert len(alts) > 100
    assert not faults
    _, faults, _ = read(record(b"\0\1", HTML, "Content-Encoding: x", extra="WARC-Truncated: length\r\n"))
    assert len(faults) == 1


def test_codings_of_other_records_are_left_alone() -> None:
    junk = [
        record(b"\x1f\x8bjunk", f"Content-Type: {kind}", "Content-Encoding: gzip") for kind in ("image/png", "text/css")
    ]
    assert read(b"".join(junk)) == ([], [], 0)
    without_type = record(packed(PAGE, "br")[:1500], "Content-Encoding: br")
    alts, faults, _ = read(without_type)
    assert (len(alts) > 100, len(faults)) == (True, 1)


def test_a_run_keeps_the_first_rules() -> None:
    body = packed(PAGE[:9000], "gzip") + packed(PAGE[9000:], "gzip")
    first, _, _ = read(record(body, HTML, "Content-Encoding: gzip"), rules=1)
    assert 0 < len(first) < len(ALTS)


def test_names_of_codings() -> None:
    assert codings_in([]) == []
    assert codings_in(["x-gzip, 'BR' ;q=0.5", "X-ZSTD\t", " identity , deflate"]) == ["gzip", "br", "zstd", "deflate"]


@pytest.mark.parametrize(
    ("body", "joined"),
    [
        (b"", b""),
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK", b"abc"),
        (b"FFFFFFFFFFFFFFFFF\r\nabc", b"FFFFFFFFFFFFFFFFF\r\nabc"),
        (b"ffffffffffffffff\r\nabc", b"abc"),
        (b"-1\r\nabc", b"-1\r\nabc"),
        (b"3\r\nabc\r\nzz\r\nde", b"abc\r\nzz\r\nde"),
        (b"1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"5;" + b"x" * 5000 + b"\r\nabcde", b"5;" + b"x" * 5000 + b"\r\nabcde"),
    ],
    ids=[
        "nothing",
        "last chunk",
        "bytes behind",
        "a huge size",
        "the largest size",
        "negative",
        "no size",
        "a wrong size",
        "a long line",
    ],
)
def test_chunks(body: bytes, joined: bytes) -> None:
    assert join_chunks(body) == joined


def test_a_message_of_any_bytes_is_read() -> None:
    for message in (b"", b"\r\n\r\n", b"HTTP/1.1 100", b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n", b"\n\n<html>"):
        assert read_response(message).fault is None
