"""The one address of an image, of all that its tags offer: sizes, lazy-loading attributes, stand-ins.

The order is that of `choose_address`. docs/extraction.md explains it to users.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from curation.sources.html_images import Attributes, candidates_of

MIN_WIDTH = 1024
"""Of a source set the smallest image of at least this width is taken, in pixels; shards rarely keep larger ones."""
LAZY_SETS = (
    "data-srcset", "data-lazy-srcset", "data-original-set", "data-flickity-lazyload-srcset",
    "data-splide-lazy-srcset", "data-ezsrcset", "nitro-lazy-srcset", "lazy-srcset",
)  # fmt: skip
LAZY = (
    "data-large-file", "data-src", "data-original", "data-lazy-src", "data-lazy", "data-original-src", "data-img-src",
    "data-image-src", "data-lazyload", "data-lazyload-src", "data-lazysrc", "data-full-src", "data-hi-res-src",
    "data-hires", "data-echo", "data-ll-src", "data-cfsrc", "data-ezsrc", "data-opt-src", "data-actualsrc",
    "data-defer-src", "data-deferred", "data-delayed-url", "data-pagespeed-lazy-src", "data-flickity-lazyload",
    "data-flickity-lazyload-src", "data-splide-lazy", "nitro-lazy-src", "lazy-src", "lazysrc", "data-orig-file",
)  # fmt: skip
"""The best first. WordPress names its copy of at most 1,024 pixels `data-large-file`, the original `data-orig-file`."""
_LAZY_NAMES = frozenset((*LAZY, *LAZY_SETS))
_FURTHER = re.compile(r"data-|lazy|nitro-|srcset")
"""Attributes that can hold further addresses."""
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,20})?|\.\d{1,20})([wxh])")
_PIXELS = re.compile(r"\s*(\d{1,6})(?:\.\d+)?(?:px)?\s*", re.IGNORECASE)
_WIDTHS = re.compile(r"\d{1,6}")
_NO_ADDRESS = re.compile(r"\s*(?:(?:data|blob|javascript|about):|#|(?:undefined|null|none|true|false)?\s*\Z)", re.I)
_SWITCH = re.compile(r"\s*(?:[{\[]|[\w-]*\s*\Z)")
"""A value of a lazy-loading attribute that is no address: a word, a number, JSON."""
_UNFILLED = re.compile(r"\{\{|\$\{|\{%|<%|\[\[|%7B%7B", re.IGNORECASE)
"""Marks of a template that no script has filled in."""
_STAND_IN = re.compile(
    r"(?:1x1|1px|blank|spacer|transparent|pixel|placeholder|loading|loader|spinner|ajax-?loader|lazy-?load(?:er)?|lazy|"
    r"gr[ae]y|clear|empty|dummy|trans)(?:[-_.]?\d{1,4}(?:x\d{1,4})?(?:px)?)?\.(?:gif|png|svg|jpe?g|webp)",
    re.IGNORECASE,
)
"""The whole file name of a stand-in; only where another address is there, it decides anything."""
_IMAGE_FILE = re.compile(r"[^\s?#&=/]\.(?:jpe?g|jfif|pjpeg|png|gif|webp|avif|bmp|tiff?)(?![a-z0-9])", re.IGNORECASE)
_NO_URL = re.compile(r"[\s\"'<>{}\\|^`]")
_ABSOLUTE = re.compile(r"(?:https?:)?//[^/]", re.IGNORECASE)
_OF_IMAGE = re.compile(r"src|img|image|photo|picture|lazy|original|full|large|zoom|hi-?res|retina")
_OF_PAGE = re.compile(r"link|href|page|share|permalink|video|iframe|player|script")
_OF_TEXT = re.compile(r"(?:name|title|alt|caption|description|label|key|id|text)\Z")
_LARGE = re.compile(r"large|full|orig|hi-?res|zoom|big|max|retina|2x")
_SMALL = re.compile(r"small|thumb|tiny|mini|low|blur|preview|placeholder|fallback|error|default")
_RARE_TYPES = ("image/avif", "image/jxl", "image/heic", "image/heif", "image/jp2", "image/svg+xml")
MAX_OTHER_CHARS = 8192
"""A longer value of another attribute is not looked at."""


def choose_address(tags: Sequence[Attributes], sources: Sequence[Attributes] = ()) -> str:
    """Return the address to fetch, empty if no tag offers one.

    `tags` are those of the image, each of which shows it; `sources` are the `<source>` tags of its `<picture>`.

    >>> choose_address([{"src": "a.jpg", "srcset": "s.jpg 320w, m.jpg 1200w, l.jpg 2400w"}])
    'm.jpg'
    """
    if len(tags) == 1 and not sources and not any(map(_FURTHER.match, tags[0])):
        return _filled_in(tags[0].get("src"))  # most images
    return next(filter(None, _choices(tags, sources)), "")


def _choices(tags: Sequence[Attributes], sources: Sequence[Attributes]) -> Iterator[str]:
    lazy = [tag for tag in tags if not _LAZY_NAMES.isdisjoint(tag)]
    yield _of_sets(lazy, LAZY_SETS, LAZY)
    yield _of_sets(tags, ("srcset",), ("src",), with_sizes=True)
    for name in LAZY if lazy else ():
        for tag in lazy:
            yield _lazy(tag, name)
    yield _of_sets(tags, ("srcset",), ())
    for tag in tags:
        yield _no_stand_in(tag.get("src"))
    for rare in (False, True):
        wanted = [tag for tag in sources if ((tag.get("type") or "").strip().lower() in _RARE_TYPES) == rare]
        yield _of_sets(wanted, (*LAZY_SETS, "srcset"), ())
    for tag in tags:
        yield _other(tag)
    for tag in tags:
        yield _filled_in(tag.get("src"))


def _filled_in(address: str | None) -> str:
    return "" if not address or _UNFILLED.search(address) else address


def addresses_of(tag: Attributes) -> set[str]:
    """Return all addresses that a tag offers."""
    if not any(map(_FURTHER.match, tag)):
        return {_no_stand_in(tag.get("src"))} - {""}
    plain = {_lazy(tag, name) for name in LAZY} | {_no_stand_in(tag.get("src"))}
    return {url for url, _, _ in _candidates(tag, (*LAZY_SETS, "srcset"))} | plain - {""}


def _real(value: str | None) -> str:
    """Return an address that is no `data:` URL and no template; else an empty string."""
    return "" if not value or _NO_ADDRESS.match(value) or _UNFILLED.search(value) else value


def _no_stand_in(value: str | None) -> str:
    """Return an address as _real does, if its file is not named as a stand-in; else an empty string."""
    name = (value or "").partition("?")[0].partition("#")[0].rpartition("/")[2].strip()
    return "" if _STAND_IN.fullmatch(name) else _real(value)


def _lazy(tag: Attributes, name: str) -> str:
    """Return the address of a lazy-loading attribute, with its width filled in (`{width}`); empty if it has none."""
    value = tag.get(name)
    if not value:
        return ""
    if "{width}" in value:
        widths = [(float(width), width) for width in _WIDTHS.findall(tag.get("data-widths") or "")]
        value = value.replace("{width}", _best(widths) or str(MIN_WIDTH))
    return "" if _SWITCH.match(value) else _real(value)


def _candidates(tag: Attributes, names: Iterable[str]) -> Iterator[tuple[str, float, str]]:
    """Yield the addresses of source sets, each with its width in pixels and the unit of its descriptor.

    Those with a descriptor that is none are left out, as browsers leave them out.
    """
    for name in names:
        for url, descriptor in candidates_of(tag.get(name) or ""):
            width, unit = _width(descriptor or "1x", tag)
            if unit and _real(url):
                yield url, width, unit


def _width(descriptor: str, tag: Attributes) -> tuple[float, str]:
    """Return a width in pixels, and the unit that it was given in; no unit if the descriptor is none.

    A density is multiplied by the `width` attribute, a height by width over height. Where the attributes are missing,
    the number itself is good enough to find the largest.
    """
    found = _SIZE.fullmatch(descriptor)
    if found is None:
        return 0.0, ""
    size, unit = float(found[1]), found[2]
    width = _pixels(tag, "width")
    if unit == "x":
        return size * (width or 1.0), unit
    height = _pixels(tag, "height")
    return (size * width / height if unit == "h" and width and height else size), unit


def _pixels(tag: Attributes, name: str) -> float:
    found = _PIXELS.fullmatch(tag.get(name) or "")
    return float(found[1]) if found else 0.0


def _of_sets(tags: Sequence[Attributes], sets: Sequence[str], plain: Sequence[str], with_sizes: bool = False) -> str:
    """Return the best address of source sets, empty if they have none.

    Sets of densities leave out the image of density 1, which an attribute of `plain` has. `with_sizes` passes over a
    set of one address of density 1, which says no more than a `src`.
    """
    given = [(name, tag) for tag in tags for name in sets if tag.get(name)]
    if not given:
        return ""
    found = [candidate for name, tag in given for candidate in _candidates(tag, (name,))]
    if not found or (with_sizes and len(found) == 1 and found[0][1:] == _width("1x", given[0][1])):
        return ""
    if all(unit == "x" for _, _, unit in found):
        for tag in tags:
            addresses = (_no_stand_in(tag.get(name)) if name == "src" else _lazy(tag, name) for name in plain)
            if address := next(filter(None, addresses), ""):
                found.append((address, *_width("1x", tag)))
    return _best([(width, url) for url, width, _ in found])


def _best(found: Sequence[tuple[float, str]]) -> str:
    """Return the first of the smallest that are wide enough, else the first of the largest."""
    wide = [width for width, _ in found if width >= MIN_WIDTH]
    wanted = min(wide) if wide else max((width for width, _ in found), default=0.0)
    return next((url for width, url in found if width == wanted), "")


def _other(tag: Attributes) -> str:
    """Return the value of another `data-*` attribute that looks like the address of an image, empty if none does."""
    best, rank = "", 9
    for name, value in tag.items():
        if not name.startswith("data-") or not value or len(value) > MAX_OTHER_CHARS:
            continue
        address = _looks_like_image(name, value.strip())
        if address:
            order = 3 * ("/" not in address) + (0 if _LARGE.search(name) else 2 if _SMALL.search(name) else 1)
            if order < rank:
                best, rank = address, order
    return best


def _looks_like_image(name: str, value: str) -> str:
    """Return an address, the best one of a source set; empty if the value is neither."""
    if not _no_stand_in(value):
        return ""
    if _NO_URL.search(value):
        found = [(url, descriptor) for url, descriptor in candidates_of(value) if descriptor]
        if not found or not all(_IMAGE_FILE.search(url) and _SIZE.fullmatch(descriptor) for url, descriptor in found):
            return ""
        return _best([(_width(descriptor, {})[0], url) for url, descriptor in found])
    if _IMAGE_FILE.search(value):
        return value if "/" in value or not _OF_TEXT.search(name) else ""
    return value if _ABSOLUTE.match(value) and _OF_IMAGE.search(name) and not _OF_PAGE.search(name) else ""
