"""The charset of a page: declarations in their order, bytes that fail, guesses."""

import io
import time

import pytest

from curation.sources.archives import ReadLog
from curation.sources.declared_charset import declared_encodings
from curation.sources.http_payload import Payload
from curation.sources.page_text import PageText, page_text
from curation.sources.warc import WarcReader
from tests.unit.sources.test_warc import PAGE, response

LATE = {
    "script": "<script>/* <meta charset=koi8-r> " + "x" * 1500 + "*/</script>",
    "comment": "<!-- <meta charset=koi8-r> " + "x" * 1500 + "-->",
    "style": "<style>" + "x" * 9000 + "</style>",
    "title": "<title><meta charset=koi8-r>" + "x" * 1500 + "</title>",
    "links": "<link rel=x href=y>" * 500,
    "attribute": '<link title="<meta charset=koi8-r>">' * 50,
    "noscript": "<noscript><img src=x></noscript>" + "<link>" * 300,
    "body": "<body>" + "<p>text" * 300,
    "a tag across 4,096 bytes": "<link>".ljust(4090),
}


KSC = "text/html; charset=KSC5601"
XML = "<?xml version='1.0' encoding=\"big5\"?><meta charset=gbk>"


@pytest.mark.parametrize(
    ("content_type", "page", "encodings"),
    [
        pytest.param("text/html", "<p>", [], id="none"),
        pytest.param(
            "text/html; charset=tis-620", "<meta charset=koi8-r>", ["windows-874", "koi8-r"], id="header first"
        ),
        pytest.param('text/html;Charset = "GB_2312-80"', "", ["gbk"], id="header in quotes"),
        pytest.param("text/html; charset='big5-hkscs'", "", ["big5"], id="header in apostrophes"),
        pytest.param("text/html; x-charset=big5; charset=koi8-r", "", ["koi8-r"], id="another parameter"),
        pytest.param("a/b; charset=no", "<meta charset=no><meta charset=ascii>", ["windows-1252"], id="unknown labels"),
        pytest.param("", f"<META HTTP-EQUIV='Content-Type' CONTENT='{KSC}'>", ["euc-kr"], id="http-equiv"),
        pytest.param("", f'<meta content="{KSC}" http-equiv=content-type>', ["euc-kr"], id="content first"),
        pytest.param(
            "", "<meta name=a content='charset=big5'><meta\n/charset = cp1251 />", ["windows-1251"], id="name"
        ),
        pytest.param("", "</meta charset=big5><!meta charset=big5><?meta charset=big5>", [], id="no meta"),
        pytest.param("", "<metax charset=big5><p title='<meta charset=big5>'>", [], id="within a tag"),
        pytest.param("", "<!--><meta charset=big5>", ["big5"], id="an empty comment"),
        pytest.param("", "<!-- <meta charset=big5>", [], id="an open comment"),
        pytest.param("", "<script><meta charset=big5>", [], id="an open script"),
        pytest.param("", "<meta charset=utf-16>", ["utf-8"], id="UTF-16 in a meta"),
        pytest.param("", "<meta charset=x-user-defined>", ["windows-1252"], id="x-user-defined in a meta"),
        pytest.param("a/b; charset=x-user-defined", "", ["x-user-defined"], id="x-user-defined in the header"),
        pytest.param("", "<?xml version='1.0' encoding='euc-jp' ?><p>", ["euc-jp"], id="XML"),
        pytest.param("", "<?xml version='1.0' encoding='utf-16' ?><p>", ["utf-8"], id="UTF-16 in XML"),
        pytest.param("text/html", XML, ["gbk", "big5"], id="meta before XML"),
        pytest.param("application/xhtml+xml", XML, ["big5", "gbk"], id="XML before meta"),
        pytest.param("a/b; charset=l1", "\ufeff<meta charset=big5>", ["utf-8", "windows-1252", "big5"], id="a mark"),
        *(pytest.param("", f"{pad}<meta charset=big5>", ["big5"], id=f"behind {name}") for name, pad in LATE.items()),
    ],
)
def test_declared_encodings(content_type: str, page: str, encodings: list[str]) -> None:
    assert list(declared_encodings(content_type.encode(), page.encode())) == encodings


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be"])
def test_the_marks_of_utf_16(encoding: str) -> None:
    page = Payload(b"text/html; charset=utf-8", "\ufeff<p>é".encode(encoding))
    assert page_text(page) == PageText("<p>é", is_guess=False, has_bad_bytes=False)


KOREAN, JAPANESE = "<p>펲시콜라 광고, 부산 바다", "<p>第①回 東京モーターショー"
SEOUL = "<p>서울은 대한민국의 수도이다. 부산은 바다가 있는 도시이고, 공원에는 고양이가 많다."
GERMAN, RUSSIAN = "<p>Grüße aus Köln", "<p>красный змей"


@pytest.mark.parametrize(
    ("content_type", "body", "text", "is_guess", "has_bad_bytes"),
    [
        pytest.param("euc-kr", KOREAN.encode("cp949") + b"\xff<b>", KOREAN + "\ufffd<b>", False, True, id="a bad byte"),
        pytest.param("utf-8", JAPANESE.encode() + b"\xe3\x81<", JAPANESE + "\ufffd<", False, True, id="half of one"),
        pytest.param("utf-8", GERMAN.encode() + b"\x80\xff<b>", GERMAN + "\ufffd\ufffd<b>", False, True, id="2 of 5"),
        pytest.param("utf-8", KOREAN.encode()[:-1], KOREAN[:-1] + "\ufffd", False, False, id="cut off"),
        pytest.param("utf-8", "<p>a\ufffd".encode(), "<p>a\ufffd", False, False, id="U+FFFD that was there"),
        pytest.param("iso-2022-jp", b"<p>\x1b$B@V\x1b(B\x1b", "<p>赤\ufffd", False, False, id="cut off in an escape"),
        pytest.param("iso-2022-jp", b"<p>\x1b$B@V\x1b(B\x0e<", "<p>赤\ufffd<", False, True, id="a bad byte in ASCII"),
        pytest.param("iso-2022-jp", b"<p>\x1b$B@V\x1b(B\xff<", "<p>赤\ufffd<", False, True, id="one beyond ASCII"),
        pytest.param("euc-kr", KOREAN.encode(), KOREAN, True, False, id="UTF-8 that is called Korean"),
        pytest.param("euc-kr", KOREAN.encode()[:-1], KOREAN[:-1] + "\ufffd", True, False, id="the same, cut off"),
        pytest.param("utf-8", RUSSIAN.encode("cp1251"), RUSSIAN, True, False, id="not UTF-8 at all"),
        pytest.param("latin1", RUSSIAN.encode(), RUSSIAN, True, False, id="UTF-8 that is called Latin-1"),
        pytest.param("", JAPANESE.encode(), JAPANESE, True, False, id="none, UTF-8"),
        pytest.param("", JAPANESE.encode() + b"\xff<b>", JAPANESE + "\ufffd<b>", True, True, id="none, nearly UTF-8"),
        pytest.param("", (JAPANESE * 9).encode("cp932"), JAPANESE * 9, True, False, id="none, Japanese"),
        pytest.param("", SEOUL.encode("cp949"), SEOUL, True, False, id="none, Korean"),
        pytest.param("", b"<p>\x1b$B@V$$\x1b(B", "<p>赤い", True, False, id="none, ISO-2022-JP"),
        pytest.param("", "<p>赤い".encode("utf-16le"), "<p>赤い", True, False, id="none, UTF-16 without a mark"),
        pytest.param("", "\n<p>赤い".encode("utf-16be"), "\n<p>赤い", True, False, id="none, the other UTF-16"),
        pytest.param("", b"<p>plain", "<p>plain", False, False, id="none, ASCII"),
        pytest.param("utf-16", GERMAN.encode(), GERMAN, True, False, id="UTF-8 that is called UTF-16"),
        pytest.param("utf-16", b"<p>plain", "<p>plain", False, False, id="ASCII that is called UTF-16"),
        pytest.param("utf-16be", GERMAN.encode("utf-16be"), GERMAN, False, False, id="UTF-16 without a mark"),
        pytest.param("iso-2022-kr", GERMAN.encode("cp1252"), GERMAN, True, False, id="a label that browsers refuse"),
        pytest.param("hz-gb-2312", "<p>红色风筝".encode("hz"), "<p>红色风筝", True, False, id="one of a real page"),
        pytest.param("x-user-defined", b"<p>\x80\xff", "<p>\uf780\uf7ff", False, False, id="x-user-defined"),
        pytest.param("iso-8859-1", b"<p>\x93a\x94 \x81", "<p>“a” \x81", False, False, id="Latin-1"),
    ],
)  # fmt: skip
def test_bytes_and_charset(content_type: str, body: bytes, text: str, is_guess: bool, has_bad_bytes: bool) -> None:
    header = b"text/html; charset=" + content_type.encode() if content_type else b"text/html"
    assert page_text(Payload(header, body)) == PageText(text, is_guess, has_bad_bytes)


def test_the_next_declared_charset_where_the_first_fails() -> None:
    page = Payload(b"text/html; charset=utf-8", b"<meta charset=koi8-r>" + RUSSIAN.encode("koi8-r"))
    assert page_text(page) == PageText("<meta charset=koi8-r>" + RUSSIAN, is_guess=False, has_bad_bytes=False)


@pytest.mark.parametrize(
    "piece", ["<b>", "<a b='", '<a b="', "<!--", "<a =", "<script>", "<meta a=b ", "<meta charset=x>"]
)
def test_hostile_pages_are_searched_once(piece: str) -> None:
    page = piece.encode() * (200_000 // len(piece)) + b"<meta charset=unknown>"
    started = time.process_time()
    assert list(declared_encodings(b"", page)) == []
    assert time.process_time() - started < 2  # 0.04 s; a second look at each byte from each tag would take an hour


def test_what_became_of_the_charsets_is_counted() -> None:
    bodies = (GERMAN.encode(), GERMAN.encode() + b"\xff<b>", GERMAN.encode("cp1252"), b"<p>plain")
    reader = WarcReader(io.BytesIO(b"".join(response(body, "Content-Type: text/html") for body in bodies)), ReadLog())
    assert list(reader) == []
    assert (reader.counts["guessed_charsets"], reader.counts["pages_with_bad_bytes"]) == (3, 1)


def test_a_run_that_was_begun_keeps_the_first_rules() -> None:
    page = response(b"<meta charset=shift_jis>" + PAGE.format("①").encode("cp932"), "Content-Type: text/html")
    alts = [
        links.texts["alt"].to_pylist()
        for rules in (1, 2)
        for links in WarcReader(io.BytesIO(page), ReadLog(), rules=rules)
    ]
    assert alts == [["‡@"], ["①"]]
