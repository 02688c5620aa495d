"""The page is complete and balanced, and hostile texts stay texts."""

import functools
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from curation.report.page import render
from tests.browser.report_example import HOSTILE, example_page, example_report

VOID = {"meta", "link", "img", "input", "br", "path"}
ALLOWED = """
html head meta link title style body header nav main section footer div p span pre a h1 h2 h3 ul ol li table thead
tbody tr th td input label figure figcaption img details summary dl dt dd svg path rect b i code bdi br script button
output datalist option
"""


class Page(HTMLParser):
    """Collects tags, attributes and text of a page; fails on an element that is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(example_page())


def test_hostile_texts_are_only_text(page: Page) -> None:
    assert page.tags <= {*ALLOWED.split()}
    for _, name, _ in page.attributes:
        assert not name.startswith("on")
    assert HOSTILE[0] in page.text
    assert HOSTILE[1][:30] in page.text


def test_the_page_makes_no_request(page: Page) -> None:
    for tag, name, value in page.attributes:
        if name in ("src", "srcset", "data", "action", "poster") or (tag == "link" and name == "href"):
            assert value.startswith("data:")
        if tag == "a" and name == "href":
            assert re.match(r"#[a-z]+$|https?://", value)
    assert ("link", "rel", "icon") in page.attributes, "otherwise browsers request /favicon.ico"
    policy = next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content"))
    assert "default-src 'none'" in policy
    assert not re.search(r"@import|url\(", example_page())


def test_links_leave_no_trace(page: Page) -> None:
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href") and value[0] != "#"]
    relations = [value for tag, name, value in page.attributes if (tag, name) == ("a", "rel")]
    assert links
    assert len(relations) == len(links)
    assert set(relations) == {"noreferrer noopener nofollow"}


def test_every_drop_is_shown_with_its_meaning(page: Page) -> None:
    for stage in example_report()["stages"]:
        total = sum(drop["count"] for drop in stage["drops"])
        assert f"{stage['rows_in']:,} in = {stage['rows_out']:,} out + {total:,} dropped" in page.text
        for drop in stage["drops"]:
            assert drop["meaning"] in page.text


def test_a_hostile_text_stays_short_and_alone_wherever_it_stands() -> None:
    """100 kB with a right-to-left override, NUL, half of a surrogate pair and markup, wherever texts of the web are."""
    hostile = "\u202e\x00\ud800<b onclick=x>" + "long " * 20_000
    report = example_report()
    drop = report["stages"][1]["drops"][0]
    drop["examples"] = [{"text": hostile, "lang": hostile, "note": "0.35"}, {"url": hostile, "note": hostile}]
    language = report["entries"][0]
    for key in ("gained", "fallen", "around_t", "tail_entries", "top_before", "top_after"):
        language[key][0] = language[key][0] | {"entry": hostile, "text": hostile}
    language["sources"][0]["source"] = hostile
    report["domains"]["rows"][0]["domain"] = report["domains"]["top_levels"][0]["name"] = hostile
    report["texts"]["keys"][0]["key"] = report["images"]["scores"][0]["name"] = hostile
    report["summary"]["badges"][0]["detail"] = report["summary"]["alerts"][0] = report["notes"][0] = hostile
    report["kept_texts"][0] |= {"text": hostile, "entries": [hostile]}
    for shown in (report, report | {"samples": []}):
        html = render(shown)
        html.encode()
        assert "\x00" not in html
        page = Page(html)
        assert "b" not in {tag for tag, name, _ in page.attributes if name == "onclick"}
        assert len(html) < len(example_page()) + 20_000
        within = html.split("\u202e")
        assert all(before.endswith("<bdi>") for before in within[:-1])
        assert len(within) > 10


def test_benchmarks_that_were_looked_for_are_named_with_their_hits(page: Page) -> None:
    assert re.search(
        r"Images of benchmarks.*at most 4 bits of 64.*food101\s*25,250\s*0\s*imagenet\s*50,000\s*31", page.text, re.S
    )
    report = example_report()
    del report["shards"]["benchmark_images"]
    assert "Images of benchmarks" not in render(report)


def test_a_report_that_loses_rows_is_refused() -> None:
    report = example_report()
    report["stages"][1]["drops"][0]["count"] -= 1
    with pytest.raises(ValueError, match="match_pairs: 1 of 51730 rows unaccounted for"):
        render(report)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2"):
        render(example_report() | {"format": 1})


def test_the_values_are_json() -> None:
    assert render(json.loads(json.dumps(example_report()))) == example_page()


def without_downloads(report: dict[str, Any]) -> None:
    report["stages"] = report["stages"][:3]
    report["overview"] = report["overview"][:5]
    report["samples"], report["second_balance"], report["shards"] = [], None, None
    report["downloads"] = {"attempted": 0, "bytes": 0, "statuses": []}
    sizes = ("width", "height", "aspect", "bytes")
    report["images"] = {key: {"edges": [0], "counts": [], "beyond": 0} for key in sizes}
    report["images"] |= {"types": {}, "repeats": None}
    report["domains"] |= {"attempted": 0, "arrived": 0}
    report["cost"]["stages"] = report["cost"]["stages"][:3]


def without_matches(report: dict[str, Any]) -> None:
    without_downloads(report)
    report["entries"], report["forecast"] = [], None
    report["entries_per_text"] = report["texts_per_image"] = report["kept_texts"] = []
    report["texts"]["texts"] = {"before": 0, "after": 0}
    report["domains"]["rows"], report["crawls"] = [], None
    for language in report["languages"]:
        language.update(t=None, tail_share=None, matches=0, texts=0, texts_kept=0, images_kept=0, entries_matched=0)


def without_anything(report: dict[str, Any]) -> None:
    without_matches(report)
    report["languages"] = []
    for stage in report["stages"]:
        stage.update(rows_in=0, rows_out=0, drops=[])
    for step in report["overview"]:
        step["count"] = 0
    report["failures"] = {"total": 0, "rows": []}
    report["never_matching"] = {"total": 0, "languages": []}
    report["run"]["inputs"] = {"files": 0, "bytes": 0}


@functools.cache
def page_without(shrink: Callable[[dict[str, Any]], None]) -> Page:
    report = example_report()
    shrink(report)
    return Page(render(report))


@pytest.mark.parametrize(
    ("shrink", "gone"),
    [
        (without_downloads, {"images", "load"}),
        (without_matches, {"images", "load", "balance", "forecast", "samples", "hosts", "texts", "rights"}),
        (
            without_anything,
            {"images", "load", "balance", "forecast", "samples", "hosts", "texts", "languages", "rights"},
        ),
    ],
)
def test_sections_without_content_are_absent(page: Page, shrink: Any, gone: set[str]) -> None:
    whole = {value for tag, name, value in page.attributes if (tag, name) == ("section", "id")}
    shrunk = page_without(shrink)
    left = {value for tag, name, value in shrunk.attributes if (tag, name) == ("section", "id")}
    assert whole - left == gone
    assert {f"#{name}" for name in left} == {
        value for tag, name, value in shrunk.attributes if name == "href" and value[0] == "#"
    }


def test_texts_are_shown_where_nothing_was_downloaded() -> None:
    text = page_without(without_downloads).text
    assert "This run wrote no samples. These are 11 of the texts that were kept" in text
    assert "Blick über den See auf die Berge bei Sonnenaufgang" in text


def test_most_of_many_languages_are_in_a_details_element() -> None:
    report = example_report()
    report["languages"] *= 4
    assert f"{len(report['languages']) - 15} more languages" in render(report)


def test_notes_on_tables_that_are_not_shown_stand_at_the_top(page: Page) -> None:
    assert "The shards are of another balance" in page.text.split("Every record")[0]
    assert 'class="notes"' not in render(example_report() | {"notes": []})
