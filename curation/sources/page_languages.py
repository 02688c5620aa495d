"""The language that a page declares: `<html lang>`, or else Content-Language in its metas or its HTTP header.

It is a language tag as the page writes it (`de-AT`), and evidence, not truth: templates and servers declare English on
pages in any language.
"""

import re
from collections.abc import Iterable
from typing import Any

import numba
import numpy as np

from curation.sources.json_text import decode_json
from curation.sources.wat_scan import BRACE, BRACE_END, COLON, QUOTE, _find, _skip_back

HEAD_CHARS = 1 << 16
"""`<html>` and metas further behind are not looked for."""
META_BYTES = 512
"""A longer meta of a WAT is not read."""
END_BYTES = 4096
"""Content-Language is looked for in so many bytes at both ends of a WAT's record; the links lie between them."""
TAG_CHARS = 35
_NAME, _EQUIVALENT = "HTML@/lang", "content-language"

_HTML = re.compile(r"(?i)<html\b([^>]{0,4096})")
_LANG = re.compile(r"(?i)(?:^|\s)(?:xml:)?lang\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)")
_META = re.compile(r"(?i)<meta\b([^>]{0,1024})")
_META_EQUIVALENT = re.compile(r"(?i)http-equiv\s*=\s*[\"']?\s*content-language\b")
_META_CONTENT = re.compile(r"(?i)(?:^|\s)content\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_FIELD = re.compile(rb"(?im)^content-language:[ \t]*([^\r\n]*)")


def tag_of_html(text: str, message: bytes = b"") -> str:
    """Return the language tag of a page, or an empty string; `message` is the HTTP response as archived.

    >>> tag_of_html('<html class="a" lang="de-AT"><p>'), tag_of_html("<p>", b"Content-Language: fr")
    ('de-AT', 'fr')
    """
    head = text[:HEAD_CHARS]
    opened = _HTML.search(head)
    found = _LANG.search(opened[1]) if opened else None
    if found:
        return _plain(found[1])
    for meta in _META.finditer(head):
        if _META_EQUIVALENT.search(meta[1]) and (content := _META_CONTENT.search(meta[1])):
            return _plain(content[1] or content[2] or content[3] or "")
    field = _FIELD.search(message.partition(b"\r\n\r\n")[0][:HEAD_CHARS])
    return _plain(field[1].decode("latin-1")) if field else ""


def tag_of_metadata(response: Any) -> str:
    """Return the language tag of `HTTP-Response-Metadata` of a WAT, or an empty string."""
    response = response if isinstance(response, dict) else {}
    page = response.get("HTML-Metadata")
    head = page.get("Head") if isinstance(page, dict) else None
    metas = head.get("Metas") if isinstance(head, dict) else None
    tags = [(rank, tag) for meta in _dicts(metas) for rank, tag in [_tag_of_meta(meta)] if tag]
    fields = response.get("Headers")
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if name.lower() == _EQUIVALENT and isinstance(value, str):
            tags.append((2, _plain(value)))
    return min(tags, key=lambda tag: tag[0])[1] if tags else ""


def _dicts(values: Any) -> Iterable[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _tag_of_meta(meta: dict[str, Any]) -> tuple[int, str]:
    """Return the rank of a meta that declares a language, the best first, and its tag; an empty tag for other metas."""
    content = meta.get("content")
    if isinstance(content, str):
        if meta.get("name") == _NAME:
            return 0, _plain(content)
        if str(meta.get("http-equiv", "")).lower() == _EQUIVALENT:
            return 1, _plain(content)
    return 0, ""


def _plain(tag: str) -> str:
    tag = tag.strip()
    return tag if len(tag) <= TAG_CHARS and tag.isascii() else ""


def tags_of_wat(data: np.ndarray, bodies: np.ndarray) -> list[str]:
    """Return the language tag of each page of a WAT, whose records are at `bodies` (int64, (pages, 2)) of `data`.

    Only the metas and the header field themselves are decoded.
    """
    tags = [""] * len(bodies)
    for find in (_find_names, _find_content_languages):
        without = np.array([page for page, tag in enumerate(tags) if not tag], np.int64)
        bounds = np.zeros((len(without), 4), np.int64)
        find(data, bodies[without], bounds)
        for row in np.flatnonzero(bounds.any(axis=1)).tolist():
            tags[without[row]] = _tag_at(data, *bounds[row].tolist())
    return tags


def _tag_at(data: np.ndarray, start: int, end: int, field: int, field_end: int) -> str:
    """Return the tag of the meta with these bounds, or else of the header field's value with these; 0 means none."""
    meta = decode_json(data[start:end].tobytes()) if end else None
    tag = _tag_of_meta(meta)[1] if isinstance(meta, dict) else ""
    if not tag and field_end:
        value = decode_json(data[field:field_end].tobytes())
        tag = _plain(value) if isinstance(value, str) else ""
    return tag


@numba.njit(cache=True, nogil=True)
def _find_names(buf: np.ndarray, bodies: np.ndarray, bounds: np.ndarray) -> None:
    """Write the bounds of each page's first meta of the name HTML@/lang."""
    for page in range(len(bodies)):
        body, stop = bodies[page, 0], bodies[page, 1]
        at = body
        while bounds[page, 1] == 0:
            found = _find(buf, at, stop, np.uint8(76), np.uint8(64), np.uint8(47), np.uint8(108))  # L@/l
            if found < 0:
                break
            at = found + 4
            if found - body <= 12 or buf[found - 4] != QUOTE or found + 8 >= stop or buf[found + 7] != QUOTE:
                continue
            colon = _skip_back(buf, body, found - 5)
            key = _skip_back(buf, body, colon - 1)
            if buf[colon] == COLON and buf[key] == QUOTE and buf[key - 1] == 101 and buf[key - 4] == 110:  # n..e"
                bounds[page, 0], bounds[page, 1] = _object_around(buf, body, found, stop)


@numba.njit(cache=True, nogil=True)
def _find_content_languages(buf: np.ndarray, bodies: np.ndarray, bounds: np.ndarray) -> None:
    """Write the bounds of each page's first meta and of the value of its header field."""
    for page in range(len(bodies)):
        body, stop = bodies[page, 0], bodies[page, 1]
        middle = min(body + END_BYTES, stop)
        _find_content_language(buf, body, middle, bounds[page])
        _find_content_language(buf, max(middle, stop - END_BYTES), stop, bounds[page])


@numba.njit(cache=True, nogil=True)
def _find_content_language(buf: np.ndarray, body: int, stop: int, bounds: np.ndarray) -> None:
    """Look for `"Content-Language"`, its second word large or small, as the name of a field or in a meta."""
    at = body
    while True:
        found = _find(buf, at, stop, np.uint8(97), np.uint8(110), np.uint8(103), np.uint8(117)) - 2  # angu
        if found < body - 2:
            return
        at = found + 6
        if found < body or buf[found] != 45 or buf[found + 1] | 32 != 108:  # -l
            continue
        if found - body <= 9 or found + 10 >= stop or buf[found + 9] != QUOTE or buf[found - 8] != QUOTE:
            continue
        behind = found + 10
        while behind < stop and buf[behind] <= 32:
            behind += 1
        if behind < stop and buf[behind] == 58:  # the name of a header field
            value = behind + 1
            while value < stop and buf[value] <= 32:
                value += 1
            end = value + 1
            while end < min(stop, value + META_BYTES) and buf[end] != QUOTE:
                end += 1
            is_first = bounds[3] == 0 or value < bounds[2]
            if is_first and end < stop and buf[value] == QUOTE and buf[end] == QUOTE:
                bounds[2], bounds[3] = value, end + 1
        elif bounds[1] == 0 or found < bounds[0]:
            bounds[0], bounds[1] = _object_around(buf, body, found, stop)


@numba.njit(cache=True, nogil=True)
def _object_around(buf: np.ndarray, body: int, at: int, stop: int) -> tuple[int, int]:
    """Return the bounds of the flat object around `at`; zeros if it is too long."""
    start, end = at, at
    while start > max(body, at - META_BYTES) and buf[start] != BRACE:
        start -= 1
    while end < min(stop - 1, at + META_BYTES) and buf[end] != BRACE_END:
        end += 1
    if buf[start] != BRACE or buf[end] != BRACE_END:
        return 0, 0
    return start, end + 1
