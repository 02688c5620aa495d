"""WARCs: the pages of every charset and transfer, all addresses of an image, and damage."""

import gzip
import io
import zlib
from encodings.aliases import aliases
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from curation.core.choices import ImageAddresses
from curation.extraction.urls import join_bases
from curation.sources import archives, html_images, warc
from curation.sources.archives import ReadLog
from curation.sources.html_images import largest_source
from curation.sources.http_payload import Payload
from curation.sources.warc import WarcReader

PAGE = '<html><body><img src="a.jpg" alt="{}"></body></html>'


def response(body: bytes, *headers: str, kind: str = "response", url: str = "http://h.org/p/") -> bytes:
    head = "\r\n".join(("HTTP/1.1 200 OK", *headers)) + "\r\n\r\n" if kind == "response" else ""
    length = len(head.encode()) + len(body)
    lines = ("WARC/1.0", f"WARC-Type: {kind}", f"WARC-Target-URI: {url}", f"Content-Length: {length}", *headers)
    lines = lines[:4] if kind == "response" else lines
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + head.encode() + body + b"\r\n\r\n"


def read(data: bytes, *given: Any) -> tuple[list[dict], ReadLog]:
    log, rows = ReadLog(), []
    for links in WarcReader(io.BytesIO(data), log, *given):
        bases = join_bases(links.page_urls, links.bases)
        columns = {"url": links.urls, "page": links.page_urls.take(links.page), "base": bases.take(links.page)}
        columns |= links.texts
        table = pa.table(columns).to_pylist()
        rows += [{key: value for key, value in row.items() if value is not None} for row in table]
    return rows, log


HTML = "Content-Type: text/html"


def packed_by(encoding: str) -> bytes:
    page = PAGE.format("kite").encode()
    raw = zlib.compressobj(wbits=-15)
    return {
        "gzip": gzip.compress(page, mtime=0),
        "deflate": zlib.compress(page),
        "raw": raw.compress(page) + raw.flush(),
        "not packed": page,
    }[encoding]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(PAGE.format("kite").encode(), [HTML], id="plain"),
        pytest.param(
            PAGE.format("kite").encode(), ["content-TYPE: Text/HTML; charset=utf-8"], id="header in other letters"
        ),
        pytest.param(PAGE.format("kite").encode(), ["Content-Type: application/xhtml+xml"], id="XHTML"),
        pytest.param(PAGE.format("kite").encode(), [], id="no header"),
        pytest.param(packed_by("gzip"), [HTML, "Content-Encoding: gzip"], id="gzip"),
        pytest.param(packed_by("not packed"), [HTML, "Content-Encoding: gzip"], id="gzip that is not packed"),
        pytest.param(packed_by("gzip"), [HTML, "Content-Encoding: x-gzip"], id="x-gzip"),
        pytest.param(packed_by("deflate"), [HTML, "Content-Encoding: deflate"], id="deflate"),
        pytest.param(packed_by("raw"), [HTML, "Content-Encoding: deflate"], id="raw deflate"),
        pytest.param(packed_by("not packed"), [HTML, "Content-Encoding: br"], id="brotli that is unpacked"),
        pytest.param(packed_by("not packed"), [HTML, "Content-Encoding: zstd"], id="zstd that is unpacked"),
        pytest.param(packed_by("not packed"), [HTML, "Transfer-Encoding: chunked"], id="chunked that is joined"),
        pytest.param(
            b'9\r\n<img src=\r\n14\r\na.jpg alt="kite"> \r\n0\r\n\r\n',
            [HTML, "Transfer-Encoding: chunked"],
            id="chunked",
        ),
        pytest.param(
            b'9\r\n<img src=\r\nff\r\na.jpg alt="kite">',
            [HTML, "Transfer-Encoding: chunked"],
            id="chunked that breaks off",
        ),
    ],
)
def test_bodies(body: bytes, headers: list[str]) -> None:
    rows, log = read(response(body, *headers))
    assert rows == [{"url": "a.jpg", "page": "http://h.org/p/", "base": "http://h.org/p/", "alt": "kite"}]
    assert not log.faults


def test_a_cut_off_gzip_body_gives_what_it_holds() -> None:
    page = (PAGE.format("kite") + "".join(f"<p>{number * number}" for number in range(9999))).encode()
    rows, _ = read(response(gzip.compress(page, mtime=0)[:5000], HTML, "Content-Encoding: gzip"))
    assert [row["alt"] for row in rows] == ["kite"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(PAGE.format("Grüße").encode(), "text/html; charset=utf-8", id="UTF-8"),
        pytest.param(PAGE.format("Grüße").encode("latin-1"), 'text/html;charset="ISO-8859-1"', id="Latin-1 in quotes"),
        pytest.param(
            PAGE.format("Grüße").encode("utf-8-sig"),
            "text/html; charset=latin-1",
            id="byte order mark against the header",
        ),
        pytest.param(PAGE.format("Grüße").encode("utf-16"), "text/html", id="UTF-16"),
        pytest.param(b"<meta charset=windows-1252>" + PAGE.format("Grüße").encode("cp1252"), "text/html", id="meta"),
        pytest.param(
            b"<meta charset=windows-1252>" + PAGE.format("Grüße").encode("cp1252"),
            "text/html; charset=utf-8",
            id="meta against a wrong header",
        ),
        pytest.param(
            b"<meta charset=utf-8>" + PAGE.format("Grüße").encode(), "text/html; charset=nonsense", id="unknown charset"
        ),
        pytest.param(PAGE.format("Grüße").encode(), "text/html", id="none told"),
        *(
            pytest.param(PAGE.format("Grüße").encode(), f"text/html; charset={name}", id=f"{name}, a codec of Python")
            for name in ("undefined", "zlib", "hex", "idna", "punycode", "rot13", "base64", "unicode_escape", "utf-7")
        ),
        pytest.param(PAGE.format("Grüße").encode(), "text/html; charset=" + "x" * 99_999, id="a long name"),
    ],
)
def test_charsets(body: bytes, content_type: str) -> None:
    rows, _ = read(response(body, f"Content-Type: {content_type}"))
    assert [row["alt"] for row in rows] == ["Grüße"]


CHARSETS = {
    "shift_jis": "赤い凧と古い橋",
    "gb18030": "红色风筝和老桥",
    "koi8-r": "красный змей",
    "tis-620": "ว่าวสีแดง",
}


@pytest.mark.parametrize("charset", CHARSETS)
def test_charsets_of_the_world(charset: str) -> None:
    text = CHARSETS[charset]
    rows, _ = read(response(PAGE.format(text).encode(charset), f"Content-Type: text/html; charset={charset}"))
    assert [row["alt"] for row in rows] == [text]


IMAGES = b"""<base href="/x/"><base href="/y/">
        <img src="data:image/gif;base64,R0" data-src="b.jpg" srcset="s.jpg 320w, l.jpg 800w" alt="kite" title="">
        <img data-srcset="a.jpg, b.jpg 1.5x,c.jpg 2x" data-image-title="caption">
        <noscript><img src="n.jpg" alt="x &amp; y"></noscript><img alt="none">
        <script>"<img src=no.jpg>"</script><!-- <img src="no.jpg"> --><template><img src="t.jpg"></template>"""


def test_every_address_of_an_image_with_all_its_texts() -> None:
    rows, _ = read(response(IMAGES, HTML), ImageAddresses.all)
    assert {row["base"] for row in rows} == {"http://h.org/x/"}
    found = [{key: value for key, value in row.items() if key not in ("page", "base")} for row in rows]
    assert found[:3] == [
        {"url": url, "alt": "kite", "title": ""} for url in ("data:image/gif;base64,R0", "b.jpg", "l.jpg")
    ]
    assert found[3:6] == [
        {"url": "c.jpg", "data-image-title": "caption"},
        {"url": "n.jpg", "alt": "x & y"},
        {"url": "", "alt": "none"},
    ]


def test_one_address_of_an_image_with_all_its_texts() -> None:
    figure = b"<figure><img src=f.jpg><figcaption>A <b>kite</b></figcaption></figure>"
    rows, _ = read(response(IMAGES + figure, HTML))
    assert {row["base"] for row in rows} == {"http://h.org/x/"}
    assert [{key: value for key, value in row.items() if key not in ("page", "base")} for row in rows] == [
        {"url": "l.jpg", "alt": "kite", "title": ""},
        {"url": "c.jpg", "data-image-title": "caption"},
        {"url": "n.jpg", "alt": "x & y"},
        {"url": "", "alt": "none"},
        {"url": "t.jpg"},
        {"url": "f.jpg", "figcaption": "A kite"},
    ]


@pytest.mark.parametrize("addresses", ImageAddresses)
def test_metadata_beside_images(addresses: ImageAddresses) -> None:
    page = b"""<meta property=og:image content=o.jpg><meta property=og:image:alt content=kite><img src=a.jpg alt=boat>
        <script type="application/ld+json">{"@type": "ImageObject", "url": "j.jpg", "name": "sun"}</script>"""
    rows, _ = read(response(page, HTML) + response(page.replace(b"<img", b"<i"), HTML), addresses, True)
    found = [{key: value for key, value in row.items() if key not in ("page", "base")} for row in rows]
    boat, *others = [
        {"url": "a.jpg", "alt": "boat"},
        {"url": "o.jpg", "og:image:alt": "kite"},
        {"url": "j.jpg", "schema:name": "sun"},
    ]
    assert found == [boat, *others, *others]
    assert len(read(response(page, HTML), addresses)[0]) == 1


@pytest.mark.parametrize(
    ("source_set", "url"),
    [
        ("a.jpg", "a.jpg"),
        ("", ""),
        ("a.jpg 100w, b.jpg 200w", "b.jpg"),
        ("a.jpg 2x, b.jpg", "a.jpg"),
        ("a.jpg,b.jpg 2x", "a.jpg,b.jpg"),
        ("a.jpg, b.jpg 2x", "b.jpg"),
        pytest.param("\n a.jpg 1.5x,\n b.jpg 1e1x ", "b.jpg", id="line breaks"),
        ("data:image/png;base64,AA== 1x, b.jpg 3x", "b.jpg"),
        ("a.jpg nonsense, b.jpg 1w", "b.jpg"),
        (", ,", ""),
        ("a.jpg 100w 50h, b.jpg 99w", "a.jpg"),
    ],
)
def test_the_largest_of_a_source_set(source_set: str, url: str) -> None:
    assert largest_source(source_set) == url


def test_records_that_are_no_pages() -> None:
    page = PAGE.format("kite").encode()
    data = (
        response(page, "Content-Type: image/png")
        + response(page, HTML, kind="request")
        + response(page, HTML, kind="revisit")
        + response(page, HTML, kind="conversion")
        + response(page, "Content-Type: text/html", kind="resource", url="<http://r.org/>")
    )
    rows, log = read(data)
    assert [row["page"] for row in rows] == ["http://r.org/"]
    assert not log.faults


GOOD = response(PAGE.format("good").encode(), HTML)
BODY = response(PAGE.format("kite").encode() + b"\r\n\r\nWARC/1.0\r\n no record <img src=b alt=more>", HTML)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("damaged", "alts", "faults"),
    [
        pytest.param(BODY, ["kite", "more"], 0, id="nothing"),
        pytest.param(BODY.replace(b"th: ", b"th: 9999999"), ["kite"], 2, id="length huge"),
        pytest.param(BODY.replace(b"th: ", b"th: 1"), ["kite"], 2, id="length too large"),
        pytest.param(BODY[:-40], ["kite"], 2, id="cut off"),
        pytest.param(b"junk" * 100, [], 1, id="junk"),
    ],
)
def test_damage_ends_where_it_is(damaged: bytes, alts: list[str], faults: int, packed: bool) -> None:
    pack = partial(gzip.compress, mtime=0) if packed else bytes
    rows, log = read(pack(GOOD) + pack(damaged + b"\r\n\r\n") + pack(GOOD))
    assert [row["alt"] for row in rows if row["alt"] != "more"] == ["good", *[a for a in alts if a != "more"], "good"]
    assert bool(log.faults) == bool(faults)


def test_a_page_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    elements = [
        '<img src="{0}.jpg" alt="kite {0}">',
        "<script>var x = '<img src={0}.gif alt=no>';</script>",
        "<!-- <img src={0}.gif alt=no> -->",
        "<style>/* <img src={0}.gif alt=no> */</style>",
        "<p>text {0} < 7",
    ]
    page = "<base href='/b/'>" + "".join(elements[n % 5].format(n) for n in range(2000))
    record = response(page.encode(), HTML)
    whole, log = read(record)
    assert len(whole) == 400
    assert not log.faults
    for chars in (1000, 1013, 10_000):
        monkeypatch.setattr(html_images, "PIECE_CHARS", chars)
        pieces, log = read(record)
        assert pieces == whole
        assert not log.faults


def test_records_that_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 5000)
    monkeypatch.setattr(warc, "MAX_HEADER_BYTES", 1000)
    monkeypatch.setattr(archives, "READ_BYTES", 700)
    kite, video = response(PAGE.format("kite").encode(), HTML), response(bytes(40_000), "Content-Type: video/mp4")
    large = response(PAGE.format("large").encode() + b"x" * 40_000 + PAGE.format("lost").encode(), HTML)
    for data, alts, faults in (
        (kite + video + kite, ["kite", "kite"], []),
        (kite + large + kite, ["kite", "large", "kite"], []),
        (kite + video[:20_000], ["kite"], [warc._TOO_SHORT]),
        (kite + video[:20_000] + b"\r\n" + kite, ["kite", "kite"], [warc._TOO_SHORT]),
    ):
        rows, log = read(data)
        assert [row["alt"] for row in rows] == alts
        assert [error for _, error in log.faults] == faults
        cut = ["reader_error: a page of more than 5000 bytes is cut off there"] if "large" in alts else []
        assert [error for _, error in log.record_faults] == cut


def test_a_record_with_every_codec_of_python() -> None:
    names = {*aliases.values(), *aliases, "undefined", "idna", "punycode", "unicode_escape"}
    pages = [response(PAGE.format("kite").encode() + b"\xff", f"{HTML}; charset={name}") for name in sorted(names)]
    rows, log = read(b"".join(pages))
    assert len(rows) == len(names)
    assert not log.faults
    assert not log.record_faults


def test_comments_before_the_first_tag_take_no_time() -> None:
    """24 comments took 3 seconds, and each further one twice as long."""
    kite = PAGE.format("kite").encode()
    assert not Payload(b"", b"<!---->" * 290 + b"no page").is_html
    assert Payload(b"", b"<!-- a --> <!---->" * 99 + b"\n<html>" + kite).is_html
    assert not Payload(b"", b"<!-- a --> x <!-- b -->").is_html


@pytest.mark.parametrize("back", range(8, 32))
def test_a_large_record_that_begins_at_the_edge_of_a_piece(back: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader asked for more bytes than it ever took: it went on for ever."""
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 8000)
    monkeypatch.setattr(archives, "READ_BYTES", 1000)
    kite = response(PAGE.format("kite").encode(), HTML)
    filler = response(b"x" * (3000 - back - len(response(b"x" * 1000, HTML)) + 1000), HTML)
    assert len(filler) == 3000 - back
    large = response(PAGE.format("large").encode() + b"x" * 20_000, HTML)
    rows, _ = read(filler + large + kite)
    assert [row["alt"] for row in rows] == ["large", "kite"]


@pytest.mark.parametrize("header_bytes", [100, 3000, 7000, 9000])
def test_a_record_with_a_large_header(header_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 8000)
    monkeypatch.setattr(warc, "MAX_HEADER_BYTES", 20_000)
    monkeypatch.setattr(archives, "READ_BYTES", 1000)
    kite, large = (
        response(PAGE.format(name).encode() + b"x" * size, HTML) for name, size in (("kite", 0), ("l", 9000))
    )
    large = large.replace(b"WARC/1.0\r\n", b"WARC/1.0\r\nX: " + b"x" * header_bytes + b"\r\n", 1)
    rows, _ = read(kite + large + kite)
    assert [row["alt"] for row in rows] == ["kite", "l", "kite"]


def test_records_without_the_end_of_a_header_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        """Counts the bytes that a search may look at."""

        searched = 0

        def search(self, data: bytes, start: int, end: int) -> None:
            Counting.searched += max(min(end, len(data)) - start, 0)
            assert b"\r\n\r\n" not in data[start:end]

    monkeypatch.setattr(warc, "_HEADER_END", Counting())
    monkeypatch.setattr(warc, "MAX_HEADER_BYTES", 1 << 17)
    rows, log = read(data := b"WARC/1.0\r\nX: y\r\n" * 20_000)
    assert not rows
    assert len(log.faults) + log.more_faults == 40_000
    assert Counting.searched < 20 * len(data)


def test_a_base_that_each_link_repeats_is_not_used() -> None:
    page = b"<base href='/" + b"x" * 9000 + b"/'>" + b"<img src=a.jpg alt=kite>" * 3
    log = ReadLog()
    (links,) = WarcReader(io.BytesIO(response(page, HTML)), log)
    (part,) = links.slices(10)
    assert join_bases(part.page_urls, part.bases).to_pylist() == ["http://h.org/p/"]


def test_batches_are_bounded_in_bytes() -> None:
    page = "".join(f"<img src={n}.jpg alt={'x' * 50_000}>" for n in range(40)).encode()
    (links,) = WarcReader(io.BytesIO(response(page, HTML)), ReadLog())
    sizes = [len(part) for part in links.slices(1000, 1 << 20)]
    assert sum(sizes) == 40
    assert max(sizes) == 20
    assert sum(len(part) for part in links.slices(15, 1 << 20)) == 40
    assert pa.concat_arrays([part.urls for part in links.slices(7, 1)]).equals(links.urls)
    many = response(page, HTML) * 20
    assert max(links.texts["alt"].nbytes for links in WarcReader(io.BytesIO(many), ReadLog())) < 24 << 20
