"""The scan of a page before it is parsed: where its image tags are, and whether a tree of it can become too large.

An HTML parser repeats each formatting element that is left open (`<b a=1>`) in every block that follows, and compares
each attribute of a tag with all before it. 27 kB of text can make a tree of 1.5 GB. The scan reads the tags once and
estimates this work from above: an end tag counts only where it closes the element that was opened last. Ordinary pages
are far below the limits. Of the others the caller parses the image tags alone, one after the other. A caller that
never makes a tree of a page (page_images.py) takes all that it needs from the tags of the scan.

The scan follows the tokenizer of the HTML standard. A tag in a place where the tokens depend on the parser's tree, such
as markup within the `<style>` of an `<svg>`, makes the estimate useless: such a page counts as too large as well.
"""

from typing import NamedTuple

import numba
import numpy as np

from curation.core.kernel_types import signed

MAX_ATTRIBUTES = 512
"""Attributes of a tag; the further ones are not read."""
MAX_DEPTH = 1 << 14
STEPS, COPIES, PER_BYTE = 1_000_000, 200_000, 64
"""Limits of the estimates: elements that the parser passes on its stack, and bytes of formatting elements that it
repeats, each with PER_BYTE more for every byte of the page. Both limits stand for a few milliseconds."""

LT, GT, SLASH, BANG, QUESTION, DASH, EQUAL, BRACKET, QUOTE, APOSTROPHE = 60, 62, 47, 33, 63, 45, 61, 91, 34, 39
VOID, FORMAT, RAW, LEAVES, POINT, FOREIGN, IMG, IMAGE, BASE, ANCHOR, ROOT, IMPLIED, TEMPLATE, PLAIN = (
    1 << bit for bit in range(14)
)
"""Properties of a tag. LEAVES: it ends an `<svg>`. POINT: within `<svg>` or `<math>` it holds HTML. IMAGE: it is an
`<img>` outside of `<svg>`. ROOT: its attributes are added to those of the first. IMPLIED: it closes an element of its
name."""
AMP, PICTURE, SOURCE, FIGURE, CAPTION, NOSCRIPT, META, SCRIPT = (1 << bit for bit in range(14, 22))
IMAGES = IMG | IMAGE | BASE
"""The tags that a tree of a page is asked for."""
AROUND = AMP | PICTURE | SOURCE | FIGURE | CAPTION | NOSCRIPT
"""Further images, and the elements around images that tell which of them show one picture, and what its caption is."""
_PAIRED = AMP | PICTURE | FIGURE | CAPTION | NOSCRIPT | SCRIPT
_NAMES = {
    VOID: "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr",
    FORMAT: "a b big code em font i nobr s small strike strong tt u",
    RAW: "script style textarea title iframe noembed noframes xmp",
    LEAVES: "b big blockquote body br center code dd div dl dt em embed font h1 h2 h3 h4 h5 h6 head hr i img li "
    "listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
    POINT: "title desc foreignobject annotation-xml mi mo mn ms mtext",
    FOREIGN: "svg math",
    IMG: "img",
    IMAGE: "image",
    BASE: "base",
    ANCHOR: "a",
    ROOT: "html body",
    IMPLIED: "p li td th tr dd dt option",
    TEMPLATE: "template",
    PLAIN: "plaintext",
    AMP: "amp-img amp-anim",
    PICTURE: "picture",
    SOURCE: "source",
    FIGURE: "figure",
    CAPTION: "figcaption",
    NOSCRIPT: "noscript",
    META: "meta",
    SCRIPT: "script",
}
_SLOTS = 512
_NAME_BYTES = 16


def _slot_of(first: int, second: int) -> int:
    return (first * 0x9E3779B97F4A7C15 + second) % (1 << 64) >> 55


def _name_table() -> tuple[np.ndarray, np.ndarray]:
    """Return the known names as two numbers of 8 bytes each, and what they are, by slot."""
    keys, kinds = np.zeros((_SLOTS, 2), np.uint64), np.zeros(_SLOTS, np.int64)
    for kind, names in _NAMES.items():
        for name in names.split():
            padded = name.encode().rjust(_NAME_BYTES, b"\0")
            key = [int.from_bytes(padded[:8], "big"), int.from_bytes(padded[8:], "big")]
            slot = _slot_of(*key)
            while keys[slot].any() and keys[slot].tolist() != key:
                slot = (slot + 1) % _SLOTS
            keys[slot] = key
            kinds[slot] |= kind
    return keys, kinds


_KEYS, _KINDS = _name_table()


SPACE, NAME_END, KEY_END, VALUE_END = 1, 2, 4, 8
"""Properties of a byte in a tag: white space, and the tokens that end before it."""
_CLASSES = np.zeros(256, np.uint8)
_CLASSES[list(b" \t\n\f\r")] = SPACE | NAME_END | KEY_END | VALUE_END
_CLASSES[SLASH] = NAME_END | KEY_END
_CLASSES[GT] = NAME_END | KEY_END | VALUE_END
_CLASSES[EQUAL] = KEY_END


class PageTags(NamedTuple):
    """The result of a scan: of each wanted tag, in bytes, where it begins, where its name ends, and where it ends.

    `tags` (int64, (n, 4)) holds these three and what the tag is; an end tag has this number below zero. A tag ends
    before its `>`, or before attribute number MAX_ATTRIBUTES + 1. `cut_tags` counts the tags that have more attributes.
    `fits_tree` says whether the page may be parsed as a whole.
    """

    tags: np.ndarray
    cut_tags: int
    fits_tree: bool


def scan_page(page: bytes, wanted: int = IMAGES, with_templates: bool = False) -> PageTags:
    """Find the wanted tags of a page in UTF-8.

    `with_templates` also finds those within `<template>`, except `<base>`, and those within the HTML of an `<svg>`.

    >>> page = b"<p><!-- <img> --><img src=a><b a=1>"
    >>> found = scan_page(page)
    >>> [page[start:end] for start, _, end, _ in found.tags.tolist()], found.fits_tree
    ([b'<img src=a'], True)
    """
    tags = np.empty((len(page) // 5 + 1, 4), np.int64)
    count, cut_tags, fits = _scan(np.frombuffer(page, np.uint8), tags, _KEYS, _KINDS, wanted, with_templates)
    return PageTags(tags[:count], cut_tags, fits)


@numba.njit(cache=True, nogil=True)
def _scan(
    buf: np.ndarray, tags: np.ndarray, keys: np.ndarray, kinds: np.ndarray, wanted: int, with_templates: bool
) -> tuple[int, int, bool]:
    """Fill `tags`; return their count, PageTags.cut_tags and PageTags.fits_tree."""
    open_names = np.empty((MAX_DEPTH, 2), np.int64)  # bounds of the names of the open elements
    weights = np.empty(MAX_DEPTH, np.int64)  # what a repetition of a formatting element takes; 0 of other elements
    tag = np.zeros(3, np.int64)
    depth, root, foreign, templates, root_attributes = 0, 0, 0, 0, 0
    steps, copies, weight, anchors, anchor_weight = 0, 0, 0, 0, 0
    count, cut_tags, fits = 0, 0, True
    at, end = 0, len(buf)
    while True:
        at = _find(buf, at, end, LT)
        if at + 2 >= end:
            return count, cut_tags, fits
        start, closes = at, buf[at + 1] == SLASH
        name = start + 2 if closes else start + 1
        if not 97 <= (buf[name] | 32) <= 122:
            if buf[name] == BANG and not closes:
                if foreign and buf[name + 1] == BRACKET:  # the tree decides whether it is a CDATA section
                    fits = False
                at = _comment_end(buf, name + 1, end)
            else:
                at = _find(buf, name, end, GT) if closes or buf[name] == QUESTION else name
            continue
        name_end, kind = _read_name(buf, name, end, keys, kinds)
        at = _read_tag(buf, name_end, end, tag)
        if at < 0:  # the parser drops a tag that the end of the page cuts off
            return count, cut_tags, fits
        attributes, span_end, is_closed = tag[0], tag[1], tag[2] and foreign > 0
        cut_tags += attributes > MAX_ATTRIBUTES
        is_same = depth > 0 and _is_same(buf, open_names[depth - 1, 0], open_names[depth - 1, 1], name, name_end)
        what = kind & wanted & _PAIRED if closes else kind & wanted
        if what and not (what & IMAGE and foreign) and (not templates or (with_templates and not what & BASE)):
            tags[count, 0], tags[count, 1], tags[count, 2] = start, name_end, span_end
            tags[count, 3] = -what if closes else what
            count += 1
        if closes:
            templates -= kind & TEMPLATE and templates > 0
            if (
                kind & FOREIGN
                and foreign == 1
                and _is_same(buf, open_names[root, 0], open_names[root, 1], name, name_end)
            ):
                depth, foreign = root, 0  # all elements within are foreign, or else the page does not fit
            elif is_same:
                depth -= 1
                weight -= weights[depth]
                foreign -= kind & FOREIGN > 0
                anchors -= kind & ANCHOR > 0
                anchor_weight = anchor_weight if anchors else 0
        else:
            templates += kind & TEMPLATE > 0 and foreign == 0
            root_attributes += attributes if kind & ROOT else 0
            if kind & PLAIN or max(attributes, root_attributes) > MAX_ATTRIBUTES or (foreign and kind & LEAVES):
                fits = False
            if foreign and kind & POINT and not kind & RAW and with_templates:
                fits = False
            elif not is_closed and (kind & RAW or (foreign and kind & POINT)):
                closing = _raw_end(buf, at, end, name, name_end)
                if foreign and _find(buf, at, closing, LT) < closing:  # the tree decides whether it is text
                    fits = False
                at = closing
            elif depth == MAX_DEPTH:
                fits = False
            elif not is_closed and not (kind & VOID and not foreign) and not (kind & IMPLIED and is_same):
                open_names[depth, 0], open_names[depth, 1] = name, name_end
                copied = at - start + 32 * attributes + 64
                weights[depth] = copied if kind & FORMAT and not kind & ANCHOR else 0
                weight += weights[depth]
                if kind & ANCHOR:  # a further one closes the one before, except in a table's cell and the like
                    anchors += 1
                    anchor_weight = max(anchor_weight, copied)
                if kind & FOREIGN:
                    root = root if foreign else depth
                    foreign += 1
                depth += 1
        steps += depth
        copies += weight + anchor_weight
        if steps > STEPS + PER_BYTE * at or copies > COPIES + PER_BYTE * at:
            fits = False


@numba.njit(cache=True, nogil=True)
def _find(buf: np.ndarray, at: int, end: int, byte: int) -> int:
    """Return the next place of a byte; `end` or more if there is none."""
    index, last, wanted = np.uint64(at), np.uint64(end), np.uint8(byte)
    while index < last and buf[index] != wanted:
        index += np.uint64(1)
    return signed(index)


@numba.njit(cache=True, nogil=True)
def _read_name(buf: np.ndarray, at: int, end: int, keys: np.ndarray, kinds: np.ndarray) -> tuple[int, int]:
    """Return where a tag's name ends, and what the tag is."""
    first, second = np.uint64(0), np.uint64(0)
    index = _skip_to(buf, np.uint64(at), np.uint64(end), NAME_END)
    size = index - np.uint64(at)
    if size > np.uint64(_NAME_BYTES):
        return signed(index), 0
    for step in range(size):
        byte = np.uint64(_lower(buf[np.uint64(at) + step]))
        first = first << np.uint64(8) | second >> np.uint64(56)
        second = second << np.uint64(8) | byte
    slot = (first * np.uint64(0x9E3779B97F4A7C15) + second) >> np.uint64(55)
    while keys[slot, 1] != 0:
        if keys[slot, 0] == first and keys[slot, 1] == second:
            return signed(index), kinds[slot]
        slot = (slot + np.uint64(1)) % np.uint64(_SLOTS)
    return signed(index), 0


@numba.njit(cache=True, nogil=True)
def _skip_to(buf: np.ndarray, index: np.uint64, last: np.uint64, ends: int) -> np.uint64:
    """Return the next place of a byte that ends a token of this class, or `last`."""
    while index < last and not _CLASSES[buf[index]] & ends:
        index += np.uint64(1)
    return index


@numba.njit(cache=True, nogil=True)
def _skip_space(buf: np.ndarray, index: np.uint64, last: np.uint64) -> np.uint64:
    while index < last and _CLASSES[buf[index]] & SPACE:
        index += np.uint64(1)
    return index


@numba.njit(cache=True, nogil=True)
def _read_tag(buf: np.ndarray, at: int, end: int, tag: np.ndarray) -> int:
    """Return the place behind a tag's `>`, -1 if there is none, and fill `tag`.

    `tag` gets the number of attributes, where a tag with at most MAX_ATTRIBUTES of them would end, and whether a `/`
    stands before the `>`.
    """
    attributes, kept_end, slash = 0, -1, False
    index, last, one = np.uint64(at), np.uint64(end), np.uint64(1)
    while index < last:
        byte = buf[index]
        if byte == GT:
            tag[0], tag[1], tag[2] = attributes, signed(index) if kept_end < 0 else kept_end, slash
            return signed(index) + 1
        slash = byte == SLASH
        if slash or _CLASSES[byte] & SPACE:
            index += one
            continue
        attributes += 1
        if attributes == MAX_ATTRIBUTES + 1:
            kept_end = signed(index)
        index = _skip_to(buf, index + one, last, KEY_END)  # a "=" in front is part of the name
        value = _skip_space(buf, index, last)
        if value >= last or buf[value] != EQUAL:
            continue
        index = _skip_space(buf, value + one, last)
        if index < last and (buf[index] == QUOTE or buf[index] == APOSTROPHE):
            index = np.uint64(_find(buf, signed(index) + 1, end, signed(buf[index]))) + one
        else:
            index = _skip_to(buf, index, last, VALUE_END)
    return -1


@numba.njit(cache=True, nogil=True)
def _comment_end(buf: np.ndarray, at: int, end: int) -> int:
    """Return the place behind a comment, or the like, whose `<!` ends at `at`."""
    if at + 1 >= end or buf[at] != DASH or buf[at + 1] != DASH:
        return _find(buf, at, end, GT) + 1
    at += 2
    if at < end and buf[at] == GT:
        return at + 1
    if at + 1 < end and buf[at] == DASH and buf[at + 1] == GT:
        return at + 2
    while at + 2 < end:
        if buf[at] == DASH and buf[at + 1] == DASH:
            if buf[at + 2] == GT:
                return at + 3
            if buf[at + 2] == BANG and at + 3 < end and buf[at + 3] == GT:
                return at + 4
        at += 1
    return end


@numba.njit(cache=True, nogil=True)
def _raw_end(buf: np.ndarray, at: int, end: int, name: int, name_end: int) -> int:
    """Return where the end tag of an element begins that holds text only; `end` if there is none."""
    size = name_end - name
    while at < end:
        at = _find(buf, at, end, LT)
        stop = at + 2 + size
        if (
            stop < end
            and buf[at + 1] == SLASH
            and _is_same(buf, name, name_end, at + 2, stop)
            and _CLASSES[buf[stop]] & NAME_END
        ):
            return at
        at += 1
    return end


@numba.njit(cache=True, nogil=True)
def _is_same(buf: np.ndarray, at: int, end: int, other: int, other_end: int) -> bool:
    same = end - at == other_end - other
    while same and at < end:
        same = _lower(buf[at]) == _lower(buf[other])
        at, other = at + 1, other + 1
    return same


@numba.njit(cache=True, nogil=True)
def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte
