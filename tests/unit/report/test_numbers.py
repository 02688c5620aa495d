"""Texts from the web are safe within HTML."""

import pytest

from curation.report.numbers import escape, web_text


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x1b", "\x85", "\ud800", "\uffff"],
    ids=["NUL", "escape", "next line", "surrogate", "no character"],
)
def test_characters_that_html_forbids_are_replaced(character: str) -> None:
    assert escape(f"a{character}b") == "a\ufffdb"


def test_a_text_from_the_web_is_cut_escaped_and_isolated() -> None:
    assert web_text("<b> " + "a" * 10, limit=4) == "<bdi>&lt;b&gt;…</bdi>"
    assert web_text("<b>", limit=4) == "<bdi>&lt;b&gt;</bdi>"
