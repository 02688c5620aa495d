"""The pictures of an HTML page: one address for each, its texts, and its caption.

A page offers many addresses of one picture: a `srcset`, lazy-loading attributes, a `<noscript>` copy, the sources of a
`<picture>`. Here they are one image with one address. All is read from the tags of the scan, without a tree of the
page, in time that is linear in the page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from resiliparse.parse.html import HTMLParserException

from curation.sources.captions import MAX_CAPTION_BYTES, caption_text
from curation.sources.html_images import TEXT_KEYS, Attributes, ImageLink, PageImages, attributes_of
from curation.sources.image_choice import addresses_of, choose_address
from curation.sources.page_scan import (
    AMP,
    AROUND,
    BASE,
    CAPTION,
    FIGURE,
    IMAGE,
    IMAGES,
    IMG,
    NOSCRIPT,
    PICTURE,
    SOURCE,
    scan_page,
)

CAPTION_KEYS = (*TEXT_KEYS, "figcaption")
"""The text keys of an image with one address."""
MAX_COPIES = 8
"""Further copies of an image are left out."""
_MAX_GAP = 200
_GAP = re.compile(rb"(?:\s++|</[a-z-]++\s*+>|<noscript\b[^<>]*+>)*+", re.IGNORECASE)
"""Between an image and its `<noscript>` copy: white space, end tags, and `<noscript>` itself."""


class _Image:
    """A picture: the tags that show it, the `<source>` tags of its `<picture>`, and where it stands.

    `figure` is the innermost figure around it, -1 outside of figures. Alt and addresses are computed once: a hostile
    page can compare an image with 100,000 others.
    """

    __slots__ = ("_addresses", "alt", "end", "figure", "in_noscript", "sources", "start", "tags")

    def __init__(self, tag: Attributes, start: int, end: int, figure: int, in_noscript: bool) -> None:
        self.tags, self.sources = [tag], list[Attributes]()
        self.start, self.end, self.figure, self.in_noscript = start, end, figure, in_noscript
        self.alt = (tag.get("alt") or "").strip()
        self._addresses: set[str] | None = None

    @property
    def addresses(self) -> set[str]:
        if self._addresses is None:
            self._addresses = addresses_of(self.tags[0])
        return self._addresses

    def shows_same(self, other: "_Image") -> bool:
        """Whether two images that stand in one place show the same picture: they share the alt or an address."""
        return self.alt == other.alt if self.alt and other.alt else not self.addresses.isdisjoint(other.addresses)

    def has_text(self) -> bool:
        return any((self.text(key) or "").strip() for key in TEXT_KEYS)

    def take(self, copy: "_Image") -> None:
        """Add the tag of a copy. If it is surely one, that of `<noscript>` comes first: its address needs no script."""
        if len(self.tags) < MAX_COPIES:
            is_first = copy.in_noscript and self.shows_same(copy)
            self.tags = [*copy.tags, *self.tags] if is_first else [*self.tags, *copy.tags]
            self.addresses.update(copy.addresses)
        self.sources = self.sources or copy.sources
        self.alt = self.alt or copy.alt

    def text(self, key: str) -> str | None:
        if len(self.tags) == 1:
            return self.tags[0].get(key)
        texts = [text for tag in self.tags if (text := tag.get(key)) is not None]
        return next((text for text in texts if text.strip()), texts[0] if texts else None)


@dataclass(slots=True)
class _Figure:
    parent: int
    caption: tuple[int, int] | None = None
    images: int = 0


def page_images(text: str) -> PageImages | None:
    """Return the images of a page, each with the texts of CAPTION_KEYS; None if the parser refuses its tags."""
    try:
        page = text.encode()
        found = scan_page(page, IMAGES | AROUND, with_templates=True)
        tags = found.tags.tolist()
        attributes = attributes_of(page, tags, IMAGES | AMP | SOURCE)
    except (HTMLParserException, ValueError):
        return None
    reader = _PageReader(page)
    for (start, _, end, what), tag in zip(tags, attributes, strict=True):
        reader.read(start, end, what, tag)
    reader.end_caption(len(page))
    images = _without_copies(reader.images, page)
    links: list[ImageLink] = []
    for image, caption in zip(images, _captions(images, reader.figures, page), strict=True):
        texts = [image.text(key) for key in TEXT_KEYS]
        links.append((choose_address(image.tags, image.sources), [*texts, caption]))
    return PageImages(reader.base or "", links, True, found.cut_tags)


class _PageReader:
    """Goes through the tags of a page, and notes its images, figures and `<base>`."""

    def __init__(self, page: bytes) -> None:
        self._page = page
        self.base: str | None = None
        self.images: list[_Image] = []
        self.figures: list[_Figure] = []
        self._open_figures: list[int] = []
        self._caption_begin = -1
        self._in_noscript = False
        self._picture: _Image | None = None
        self._picture_sources: list[Attributes] | None = None
        self._amp: _Image | None = None

    def read(self, start: int, end: int, what: int, tag: Attributes) -> None:
        """Take the next tag, from `start` to `end`; of an end tag, `what` is below zero."""
        if what & (IMG | IMAGE | AMP) and what > 0:
            self._read_image(start, end, what, tag)
        elif what == SOURCE:
            if self._picture_sources is not None:
                self._picture_sources.append(tag)
        elif what == BASE:
            self.base = tag.get("href") if self.base is None else self.base
        elif abs(what) == PICTURE:
            self._picture, self._picture_sources = None, [] if what > 0 else None
        elif abs(what) == NOSCRIPT:
            self._in_noscript = what > 0
        elif what == -AMP:
            self._amp = None
        elif abs(what) in (FIGURE, CAPTION):
            self._read_figure(start, end, what)

    def _read_image(self, start: int, end: int, what: int, tag: Attributes) -> None:
        figure = self._open_figures[-1] if self._open_figures else -1
        image = _Image(tag, start, end, figure, self._in_noscript)
        amp, picture = self._amp, self._picture
        if amp and ("placeholder" in tag or "fallback" in tag or amp.shows_same(image)):
            amp.take(image)
            return
        if picture and picture.shows_same(image):
            picture.take(image)
            picture.in_noscript &= image.in_noscript
            return
        if self._picture_sources is not None and picture is None:
            self._picture, image.sources = image, self._picture_sources
        if what == AMP:
            self._amp = image
        self.images.append(image)

    def _read_figure(self, start: int, end: int, what: int) -> None:
        self.end_caption(start)
        if what == FIGURE:
            self.figures.append(_Figure(self._open_figures[-1] if self._open_figures else -1))
            self._open_figures.append(len(self.figures) - 1)
        elif what == -FIGURE and self._open_figures:
            self._open_figures.pop()
        elif what == CAPTION and self._open_figures and self.figures[self._open_figures[-1]].caption is None:
            self._caption_begin = self._page.find(b">", end) + 1

    def end_caption(self, at: int) -> None:
        """End the caption that is open."""
        if self._caption_begin >= 0:
            self.figures[self._open_figures[-1]].caption = (self._caption_begin, at)
            self._caption_begin = -1


def _without_copies(images: list[_Image], page: bytes) -> list[_Image]:
    """Return the images without those of `<noscript>` that repeat an image outside; these take their tags.

    A copy shares an address with any image of the page, or the alt with the image before or behind it. Or it stands
    directly beside that image, their alts do not differ, and one of them has no text or the image has no address.
    """
    if not any(image.in_noscript for image in images):
        return images
    by_address: dict[str, _Image] = {}
    following: list[_Image | None] = []
    behind: _Image | None = None
    for image in reversed(images):
        following.append(behind)
        if not image.in_noscript:
            behind = image
            by_address |= dict.fromkeys(image.addresses, image)
    kept: list[_Image] = []
    before: _Image | None = None
    for image, after in zip(images, reversed(following), strict=True):
        if not image.in_noscript:
            before = image
        elif original := _original_of(image, before, after, by_address, page):
            original.take(image)
            continue
        kept.append(image)
    return kept


def _original_of(
    copy: _Image, before: _Image | None, after: _Image | None, by_address: dict[str, _Image], page: bytes
) -> _Image | None:
    """Return the image outside of `<noscript>` that an image within repeats, or None."""
    if copy.tags[0].get("width") in ("0", "1") and copy.tags[0].get("height") in ("0", "1"):
        return None  # counts visitors
    alt = copy.alt
    beside = [(before, before.end + 1, copy.start)] if before else []
    beside += [(after, copy.end + 1, after.start)] if after else []
    for image, _, _ in beside:
        if image.shows_same(copy):
            return image
    for image, start, end in beside:
        is_whole = image.addresses and image.has_text() and copy.has_text()
        is_part = not (alt and image.alt) and not is_whole
        if is_part and end - start < _MAX_GAP and _GAP.fullmatch(page, start, end):
            return image
    same = (by_address[url] for url in sorted(copy.addresses) if url in by_address)
    return next((image for image in same if not alt or not image.alt or image.alt == alt), None)


def _captions(images: list[_Image], figures: list[_Figure], page: bytes) -> Iterator[str | None]:
    """Yield the caption of each image: that of the nearest figure with one, if this figure holds one image."""
    for image in images:
        if image.figure >= 0:
            figures[image.figure].images += 1
    for figure in reversed(figures):  # a parent stands before its figures
        if figure.parent >= 0:
            figures[figure.parent].images += figure.images
    nearest: list[_Figure | None] = []
    for figure in figures:
        outer = nearest[figure.parent] if figure.parent >= 0 else None
        nearest.append(figure if figure.caption else outer)
    for image in images:
        found = nearest[image.figure] if image.figure >= 0 else None
        if found is None or found.caption is None or found.images != 1:
            yield None
        else:
            start, end = found.caption
            yield caption_text(page[start : min(end, start + MAX_CAPTION_BYTES)])
