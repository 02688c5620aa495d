"""The images of an HTML page: their addresses and texts.

A WAT leaves out the images of a `srcset` and of lazy-loading attributes such as `data-src`; a page has them. Each
address of an image becomes one link, and each link has all texts of the image.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from resiliparse.parse.html import HTMLParserException, HTMLTree

from curation.sources.page_scan import scan_page

TEXT_KEYS = ("alt", "data-image-title", "title")
SOURCES = ("src", "data-src", "data-original", "data-lazy-src", "data-lazy", "data-orig-file", "data-large-file")
SOURCE_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
PIECE_CHARS = 1 << 20
"""A parsed page takes up to 90 times its size in memory, so a larger page is parsed in pieces of this size."""
DESCRIPTOR_CHARS = 100
"""Longer descriptors of a `srcset` are cut off."""
_RAW = (("<!--", "-->"), ("<script", "</script"), ("<style", "</style"), ("<textarea", "</textarea"))
_ADDRESS = re.compile(r"[\s,]*([^\s,]\S*)\s*")
_PAUSE = re.compile(r"[,(]")


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


Attributes = Mapping[str, str | None]
ImageLink = tuple[str, list[str | None]]
"""An address of an image, and the texts of the image by TEXT_KEYS."""


class PageImages(NamedTuple):
    """The images of a page.

    `base` is the `<base>`, empty if the page has none. `fits_tree` says whether the page was parsed as a whole,
    `cut_tags` counts tags with too many attributes.
    """

    base: str
    links: list[ImageLink]
    fits_tree: bool
    cut_tags: int


def image_links(text: str) -> PageImages | None:
    """Return the images of a page; None if the parser refuses the page.

    Of a page whose tree can become too large, the image tags alone are parsed.
    """
    try:
        page = text.encode()
        tags = scan_page(page)
        if not len(tags.tags):
            return PageImages("", [], tags.fits_tree, tags.cut_tags)
        if not tags.fits_tree:
            bounds = tags.tags.tolist()
            text = "".join(page[start:end].decode("utf-8", "replace") + ">" for start, _, end, _ in bounds)
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
    return PageImages(_plain(base or ""), links, tags.fits_tree, tags.cut_tags)


def attributes_of(page: bytes, tags: Sequence[Sequence[int]], wanted: int) -> list[Attributes]:
    """Return the attributes of each tag that scan_page has found; end tags, and tags that are not wanted, have none.

    The parser reads them as those of so many `<img>`: this makes a flat tree of all kinds of tags.
    """
    numbers = [number for number, (_, _, _, what) in enumerate(tags) if what > 0 and what & wanted]
    attributes: list[Attributes] = [{}] * len(tags)
    if not numbers:
        return attributes
    markup = b"".join(b"<img%s>" % page[tags[number][1] : tags[number][2]] for number in numbers)
    document = HTMLTree.parse(markup.decode("utf-8", "replace")).document
    elements = document.query_selector_all("img")[:] if document else []
    for number, element in zip(numbers, elements, strict=True):
        attributes[number] = {name: element.getattr(name) for name in element.attrs}
    return attributes


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
    for url, descriptor in candidates_of(source_set):
        try:
            measure = float(descriptor[:-1]) if descriptor else 1.0
        except ValueError:
            measure = 0.0
        if measure > size:
            best, size = url, measure
    return best


def candidates_of(source_set: str) -> Iterator[tuple[str, str]]:
    """Yield each address of a `srcset` with its first descriptor, which can be empty.

    >>> list(candidates_of("a.jpg, b.jpg?w=1,2 2x"))
    [('a.jpg', ''), ('b.jpg?w=1,2', '2x')]
    """
    at = 0
    while found := _ADDRESS.match(source_set, at):
        url, at = found[1].rstrip(","), found.end()
        words = []
        if url == found[1]:  # a comma behind the address ends the candidate
            end = _descriptor_end(source_set, at)
            words, at = source_set[at : min(end, at + DESCRIPTOR_CHARS)].split(), end + 1
        yield url, words[0] if words else ""


def _descriptor_end(source_set: str, at: int) -> int:
    """Return the place of the next comma outside of parentheses, or the end. A parenthesis can stay open."""
    while found := _PAUSE.search(source_set, at):
        if found[0] == ",":
            return found.start()
        at = source_set.find(")", found.end()) + 1
        if not at:
            break
    return len(source_set)


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if text else text
