"""The images of an HTML page: their addresses and texts.

A WAT leaves out the images of a `srcset` and of lazy-loading attributes such as `data-src`; a page has them. Each
address of an image becomes one link, and each link has all texts of the image.
"""

import re
from collections.abc import Iterator
from typing import Any

from resiliparse.parse.html import HTMLParserException, HTMLTree

TEXT_KEYS = ("alt", "data-image-title", "title")
SOURCES = ("src", "data-src", "data-original", "data-lazy-src", "data-lazy", "data-orig-file", "data-large-file")
SOURCE_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
PIECE_CHARS = 1 << 20
"""A parsed page takes up to 90 times its size in memory, so a larger page is parsed in pieces of this size."""
_RAW = (("<!--", "-->"), ("<script", "</script"), ("<style", "</style"), ("<textarea", "</textarea"))
_CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])(?:,|\s+([^,(]*(?:\([^)]*\)[^,(]*)*)(?:,|$)|$)")


def pieces_of(text: str) -> Iterator[str]:
    """Yield a page in pieces of about PIECE_CHARS characters, each cut before a tag.

    A piece that begins inside a script, style, textarea or comment starts with the opening tag of that element.
    """
    start, opened = 0, ""
    while start < len(text):
        end = start + PIECE_CHARS
        if end < len(text):
            cut = text.rfind("<", start + 1, end)
            end = cut if cut > start else end
        piece = opened + text[start:end]
        yield piece
        start = end
        lowered = piece.lower() if start < len(text) else ""
        inside = (opener for opener, closer in _RAW if lowered.rfind(opener) > lowered.rfind(closer))
        opened = next((opener if opener == "<!--" else f"{opener}>" for opener in inside), "")


def image_links(text: str) -> tuple[str, list[tuple[str, list[str | None]]]] | None:
    """Return the `<base>` of a page (empty if it has none) and its image links: an address and the texts by TEXT_KEYS.

    Return None if the parser refuses the page.
    """
    try:
        document = HTMLTree.parse(text).document
    except (HTMLParserException, ValueError):
        return None
    if document is None:
        return None
    named = document.query_selector("base[href]")
    base = named.getattr("href") if named else ""
    links = []
    # A slice is a plain list. A loop over the live collection wraps every node of the page and takes 35 times as long.
    for element in document.query_selector_all("img")[:]:
        texts = [element.getattr(key) for key in TEXT_KEYS]
        links += [(url, texts) for url in _addresses(element)]
    return _plain(base or ""), links


def _addresses(element: Any) -> list[str]:
    """Return the distinct addresses of an image, `src` first; an image without an address has one empty address."""
    found = [element.getattr(name) for name in SOURCES] + [
        largest_source(element.getattr(name) or "") for name in SOURCE_SETS
    ]
    return list(dict.fromkeys(url for url in found if url)) or [""]


def largest_source(source_set: str) -> str:
    """Return the address with the largest width or density of a `srcset`.

    >>> largest_source("a.jpg 1x, b.jpg?w=1,2 2x")
    'b.jpg?w=1,2'
    """
    best, size = "", -1.0
    for url, descriptor in _CANDIDATE.findall(source_set):
        try:
            measure = float(descriptor.split()[0][:-1]) if descriptor.split() else 1.0
        except ValueError:
            measure = 0.0
        if measure > size:
            best, size = url, measure
    return best


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if text else text
