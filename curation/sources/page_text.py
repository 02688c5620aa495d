"""The text of an HTML page: its bytes in the charset that it declares, or in a guess where they contradict that."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding

from curation.sources.declared_charset import declared_encodings
from curation.sources.encodings import DEFAULT, REPLACEMENT, decode, encoding_of
from curation.sources.http_payload import MAX_HTML_BYTES, Payload

MAX_FAILED_SHARE = 0.5
"""A charset plainly fails if a larger share of a page's characters beyond ASCII means nothing in it.

Measured on 20 sentences each of 69 languages. In the right charset with a tenth of the bytes beyond ASCII changed at
random, at most 45% fail. Of other charsets read as UTF-8, 54% to 100% fail. No limit tells apart Chinese, Japanese and
Korean charsets, whose texts often have a meaning in each other; there, what the page declares is the best evidence.
"""
_UTF_16 = (
    (re.compile(rb"(?:\s\0)*<\0[!?a-zA-Z]\0"), "utf-16le"),
    (re.compile(rb"(?:\0\s)*\0<\0[!?a-zA-Z]"), "utf-16be"),
)
_CONTROLS = re.compile("[\x80-\x9f]")
"""Characters that no page means. UTF-8 that is read in a charset of one byte a character is full of them."""
_JAPANESE_ESCAPE = b"\x1b$"
_REFUSED = ("hz", "iso2022_kr")
"""Charsets that browsers refuse to read, by Python's names: their labels stand for REPLACEMENT."""
_DETECTED = {
    "cp874": "windows-874",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "iso2022_jp": "iso-2022-jp",
    "mac-cyrillic": "x-mac-cyrillic",
}
"""Names of the detector that are no labels of the Web."""


class PageText(NamedTuple):
    """A page as text. `is_guess` says whether its charset is a guess, `has_bad_bytes` whether some became U+FFFD."""

    text: str
    is_guess: bool
    has_bad_bytes: bool


def page_text(page: Payload) -> PageText:
    r"""Return a page as text.

    The first declared charset counts in which at most MAX_FAILED_SHARE of the characters beyond ASCII mean nothing;
    these become U+FFFD. It does not count if some mean nothing, or are controls, while the whole page is UTF-8. If no
    declared charset counts, a guess does.

    >>> page_text(Payload(b"text/html; charset=EUC-KR", b"<p>\x8c\x63"))
    PageText(text='<p>똠', is_guess=False, has_bad_bytes=False)
    """
    body = page.body[:MAX_HTML_BYTES]
    is_refused = False
    for encoding in declared_encodings(page.content_type, body):
        text, failed_share = _read(body, encoding)
        is_other = encoding != "utf-8" and _is_utf_8(body) and (failed_share > 0 or _CONTROLS.search(text))
        if failed_share <= MAX_FAILED_SHARE and not is_other:
            return PageText(text, False, failed_share > 0)
        is_refused |= encoding == REPLACEMENT
    if body.isascii() and not is_refused and _JAPANESE_ESCAPE not in body and b"\0" not in body:
        return PageText(body.decode("ascii"), False, False)
    for encoding in _guesses(body, is_refused):
        text, failed_share = _read(body, encoding)
        if failed_share <= MAX_FAILED_SHARE:
            break
    return PageText(text, True, failed_share > 0)


def _is_utf_8(body: bytes) -> bool:
    """Whether a page is UTF-8 and not ASCII; its end can cut off a character."""
    if body.isascii():
        return False
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def _guesses(body: bytes, is_refused: bool) -> Iterator[str]:
    yield from (encoding for pattern, encoding in _UTF_16 if pattern.match(body))
    if _JAPANESE_ESCAPE in body and body.isascii() and not is_refused:
        yield "iso-2022-jp"
    if not is_refused:
        yield "utf-8"
    name = detect_encoding(body, html5_compatible=False) or ""
    if name in _REFUSED:
        yield name
    elif encoding := _DETECTED.get(name, encoding_of(name.replace("_", "-").encode())):
        yield encoding
    yield DEFAULT


def _read(body: bytes, encoding: str) -> tuple[str, float]:
    """Return a page in an encoding, and which share of its characters beyond ASCII means nothing in it.

    A character that the end of the page cuts off does not count. A page that loses all its tags means nothing.
    """
    if encoding == "utf-8":
        try:
            return body.decode().removeprefix("\ufeff"), 0.0
        except UnicodeDecodeError:
            pass
    text = body.decode(encoding, "replace") if encoding in _REFUSED else decode(body, encoding)
    text = text.removeprefix("\ufeff")
    if "<" not in text and b"<" in body:
        return text, 1.0
    failed = text.count("\ufffd") - text.endswith("\ufffd")
    if encoding == "utf-8":
        failed -= body.count("\ufffd".encode())
    return text, failed / (len(text) - len(text.encode("ascii", "ignore"))) if failed > 0 else 0.0
