"""What a page needs so that people can use it with a screen reader, a keyboard, or eyes that want contrast.

These are the kinds of faults that axe-core looks for and that a page can be asked for without a browser.
"""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "hr"}
NAMED = {"a", "button", "summary", "label", "th"}
"""Elements that have to hold a text, beside headings."""
Attributes = dict[str, str | None]


class Faults(HTMLParser):
    """Collects what is wrong with a page, a sentence each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._ids: list[str] = []
        self._labels: list[str] = []
        self._inputs: list[str] = []
        self._names: list[tuple[str, str]] = []
        self._open: list[str] = []
        self._heading, self._text = 0, ""
        self._tags: list[str] = []
        self.feed(html)
        self._check_whole(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: Attributes = dict(attrs)
        if "svg" not in self._open:
            self._tags.append(tag)
        if "id" in given:
            self._ids.append(given["id"] or "")
        if len(given) < len(attrs):
            self.found.append(f"{tag} has an attribute twice")
        if tag == "html" and not given.get("lang"):
            self.found.append("html has no lang")
        if tag == "img" and "alt" not in given:
            self.found.append("img has no alt")
        if tag == "svg" and not (given.get("aria-label") and given.get("role") == "img"):
            self.found.append("svg has no role and label")
        if tag == "th" and given.get("scope") not in ("col", "row"):
            self.found.append("th has no scope")
        if tag == "label" and given.get("for"):
            self._labels.append(given["for"] or "")
        if tag in ("input", "select", "textarea") and "label" not in self._open:
            self._inputs.append(given.get("id") or "")
        if given.get("role") == "region" and not given.get("aria-label"):
            self.found.append("region has no label")
        if tag == "div" and given.get("class") in ("scroll", "wide") and given.get("tabindex") != "0":
            self.found.append("what scrolls cannot be reached by the keyboard")
        if re.fullmatch("h[1-6]", tag):
            if int(tag[1]) > self._heading + 1:
                self.found.append(f"{tag} follows h{self._heading}")
            self._heading = int(tag[1])
        if re.fullmatch("h[1-6]", tag) or tag in NAMED:
            self._text = ""
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if (re.fullmatch("h[1-6]", tag) or tag in NAMED) and not self._text.strip():
            self.found.append(f"{tag} has no text")

    def handle_data(self, data: str) -> None:
        self._text += data

    def _check_whole(self, html: str) -> None:
        if len(set(self._ids)) < len(self._ids):
            self.found.append("an id stands twice")
        self.found += [f"{name or 'an input'} has no label" for name in self._inputs if name not in self._labels]
        for tag, times in (("h1", 1), ("main", 1), ("title", 1)):
            if self._tags.count(tag) != times:
                self.found.append(f"{self._tags.count(tag)} times {tag}")
        if "nav" not in self._tags and "header" not in self._tags:
            self.found.append("no nav and no header")
        zoom = re.search(r'name="viewport" content="([^"]*)"', html)
        if not zoom or re.search("user-scalable=no|maximum-scale", zoom[1]):
            self.found.append("viewport forbids to zoom, or is missing")


def faults(html: str) -> list[str]:
    """Return what is wrong with a page, each kind once."""
    return list(dict.fromkeys(Faults(html).found))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours, written as #rrggbb, by WCAG 2.2."""
    low, high = sorted(map(_luminance, (first, second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
