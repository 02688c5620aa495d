"""The images that a page names for other programs: JSON-LD (`ImageObject`) and Open Graph (`og:image`)."""

from collections.abc import Iterator, Sequence
from typing import Any

from resiliparse.parse.html import HTMLParserException

from curation.sources.html_images import Attributes, ImageLink, attributes_of
from curation.sources.json_text import decode_json, plain_text
from curation.sources.page_scan import META, SCRIPT, scan_page

_FIELDS = ("caption", "description", "name")
METADATA_KEYS = ("og:image:alt", "og:title", *(f"schema:{name}" for name in _FIELDS))
"""The text keys of these images."""
_SAME_IMAGE = ("og:image:url", "og:image:secure_url")


def metadata_links(text: str) -> list[ImageLink]:
    """Return the images of the `<meta>` and `<script>` tags of a page, with their texts by METADATA_KEYS."""
    try:
        page = text.encode()
        tags = scan_page(page, META | SCRIPT).tags.tolist()
        attributes = attributes_of(page, tags, META | SCRIPT)
    except (HTMLParserException, ValueError):
        return []
    links: list[ImageLink] = [(url, [alt, title, None, None, None]) for url, alt, title in _open_graph(attributes)]
    for number, (tag, given) in enumerate(zip(tags, attributes, strict=True)):
        if tag[3] == SCRIPT and (given.get("type") or "").partition(";")[0].strip().lower() == "application/ld+json":
            end = tags[number + 1][0] if number + 1 < len(tags) else len(page)
            begin = page.find(b">", tag[2], end) + 1
            value = decode_json(page[begin:end]) if begin else None
            links += [(url, [None, None, *texts]) for url, texts in _image_objects(value)]
    return links


def _open_graph(attributes: Sequence[Attributes]) -> list[tuple[str, str | None, str | None]]:
    """Return address, alt and title of each `og:image`. The title is that of the page: the first image has it."""
    found: list[list[str | None]] = []
    title = None
    for given in attributes:
        name, content = (given.get("property") or given.get("name") or "").strip().lower(), given.get("content")
        if not content or not name.startswith("og:"):
            continue
        if name == "og:image" or (name in _SAME_IMAGE and not found):
            if not (found and found[-1][0] == content):
                found.append([content, None])
        elif name == "og:image:alt" and found:
            found[-1][1] = found[-1][1] or content
        elif name == "og:title":
            title = title or content
    return [(url or "", alt, None if number else title) for number, (url, alt) in enumerate(found)]


def _image_objects(value: Any) -> Iterator[ImageLink]:
    """Yield address and texts, by _FIELDS, of each ImageObject in a JSON value, in its order."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += reversed(found)
        elif isinstance(found, dict):
            waiting += reversed(found.values())
            kinds = found.get("@type")
            names = [kind.rpartition("/")[2].rpartition(":")[2] for kind in _strings(kinds)]
            url = next((url for key in ("contentUrl", "url") for url in _strings(found.get(key)) if url.strip()), "")
            if "ImageObject" in names and url:
                yield plain_text(url), [next(map(plain_text, _strings(found.get(key))), None) for key in _FIELDS]


def _strings(value: Any) -> list[str]:
    """Return the strings of a value that is a string or a list of them."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
