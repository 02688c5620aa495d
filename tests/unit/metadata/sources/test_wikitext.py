"""Plain text of wikitext is the text that a reader sees, made in time linear in the page's size."""

import random
import re
import time

import pytest

from metadata.sources.variants import Variants
from metadata.sources.wikitext import (
    MAX_CHARS,
    LinkPrefixes,
    TooDeepError,
    TooLargeError,
    article_text,
    without_prefixed_links,
)

CHINESE = Variants.of("zh")
PREFIXES = LinkPrefixes.of(["Fails", "Kategoreja"])

CASES = {
    "emphasis": ("'''A''' ''b'' '''''c'''''", "A b c"),
    "links": ("[[cat]] [[cat|cats]] [[cat]]s [[Page#Part|part]]", "cat cats cats part"),
    "outer links": ("see [http://a.b c d] and [http://a.b]", "see c d and"),
    "templates": ("a{{ndash}}b {{x|{{y}}|z}} c", "a b c"),
    "parameters": ("{{{1|default}}}", "default"),
    "references": ("fact<ref name=a>Smith 2001</ref>.<ref name=a /> More<ref>x", "fact . More x"),
    "comments": ("a<!-- b -->c <!-- open", "ac"),
    "formulae": ("so <math>x < y</math> holds", "so holds"),
    "tags": ("a<br>b <span style='x'>c</span> km<sup>2</sup> <div>d</div>", "a b c km2 d"),
    "less than": ("a < b and 3<4", "a < b and 3<4"),
    "entities": ("a&nbsp;b &amp; &lt;i&gt; &#233;", "a b & <i> é"),
    "files": ("[[File:x.jpg|thumb|A [[cat]] here]] after", "after"),
    "files in the wiki's own words": ("[[Fails:x.jpg|thumb|text]] after", "after"),
    "categories": ("a [[Category:Cats]] [[kategoreja:Kači|k]] b", "a b"),
    "linked category": ("[[:Category:Cats]]", ":Category:Cats"),
    "other languages": ("a [[de:Katze]] [[zh-yue:貓]] b", "a b"),
    "a colon in a title": ("[[Star Trek: Voyager]]", "Star Trek: Voyager"),
    "headings": ("== Life ==\nText", "== Life == Text"),
    "lists": ("* one\n* two\n# three", "* one * two # three"),
    "switches": ("__NOTOC__ a __FORCETOC__", "a"),
    "tables": (
        "{| class=x\n|+ Caption\n! H1 !! H2\n|-\n| style='a' | c1 || c2\n|}\nafter",
        "Caption | H1 | H2 | c1 | c2 | after",
    ),
    "tables in tables": ("{|\n|\n{|\n| in\n|}\n| out\n|}", "| in | out |"),
    "galleries": ("<gallery>\nx.jpg|caption\n</gallery>after", "after"),
    "left open": ("a [[b and {{c", "a [[b and {{c"),
    "nothing": ("", ""),
    "nowiki": (
        "a <nowiki>[[b]] ''c'' {{d}} <ref> <!-- &lt; __TOC__</nowiki> e",
        "a [[b]] ''c'' {{d}} <ref> <!-- < __TOC__ e",
    ),
    "nowiki at the start of a line": ("{|\n| a\n|}\n<nowiki>| b || c</nowiki>", "a | | b || c"),
    "nowiki in a word": (
        "[[walk]]<nowiki/>ing, jump<nowiki></nowiki>ing, [[art<nowiki />]]s",
        "walking, jumping, arts",
    ),
    "markup parted by nowiki": ("[<nowiki/>[a]] '<nowiki/>'b'<nowiki/>'", "[[a]] ''b''"),
    "nowiki without an end": ("a <nowiki>b [[c]]", "a b c"),
    "a comment with a tag": ("a <!-- <ref> --> b</ref> c", "a b c"),
    "tags without width": (
        "super<wbr>cali<section begin=a />fragi<kbd>listic</kbd> <onlyinclude>a</onlyinclude>b",
        "supercalifragilistic ab",
    ),
    "soft hyphens": ("co&shy;op \xadun\xaddo&#173;", "coop undo"),
    "word joiners": ("a&#8288;b\ufeffc", "abc"),
    "joiners between Latin letters": ("Auf&zwnj;lage", "Auflage"),
    "joiners that spell words": ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
    "quoted values": (
        "a<ref name=\"x>y\" /> b<ref name='x/'>c</ref> d<ref name=x/> e <span title=\"f>g\">h</span><br clear='i>j'/>k",
        "a b d e h k",
    ),
    "quotes without an end": ('a<ref name="x>b</ref> c<ref name=\'>d</ref> e <span title=">f</span>', "a c e f"),
    "a quote that ends in the text": ('a<ref name="x>He said "no"</ref> b', "a b"),
    "no markup of variants": ("-{a}- -{H|en:b}-", "-{a}- -{H|en:b}-"),
}
OLD = {
    "nowiki": ("a <nowiki>[[b]]</nowiki> c", "a c"),
    "nowiki in a word": ("[[walk]]<nowiki/>ing", "walk ing"),
    "tags without width": ("super<wbr>cali", "super cali"),
    "soft hyphens": ("co&shy;op", "co\xadop"),
    "quoted values": ('a <span title="f>g">h</span>', 'a g">h'),
    "variants": ("-{zh-hans:信息}-", "-{zh-hans:信息}-"),
}
"""Wikitext, and its text by the rules of counts that were begun before there were others."""


@pytest.mark.parametrize("name", CASES)
def test_plain_text(name: str) -> None:
    wikitext, expected = CASES[name]
    assert " ".join(article_text(wikitext, PREFIXES).split()) == expected


@pytest.mark.parametrize("name", OLD)
def test_counts_that_were_begun_keep_their_rules(name: str) -> None:
    wikitext, expected = OLD[name]
    assert " ".join(article_text(wikitext, PREFIXES, CHINESE, rules=1).split()) == expected
    assert " ".join(article_text(wikitext, PREFIXES, CHINESE).split()) != expected


@pytest.mark.parametrize(
    "wikitext",
    [
        "<b" * 20_000, "<ref>" * 20_000, "<nowiki>" * 20_000, "<b>" * 20_000, "{{a|b}}" * 10_000, "[[a|b]] " * 10_000,
        "'''''a " * 16_000, "<!--" * 20_000, "{|\n|colspan=100000000|a\n|}", "{|\n" + "|-\n|a||b\n" * 10_000 + "|}",
        "{|\n| " + "a||" * 20_000 + "\n|}", "[http://a b] " * 10_000, "__A" * 20_000, "&amp;" * 20_000, "-{" * 20_000,
        "-{a|" * 20_000 + "}-" * 20_000, "-{zh:" + ";a=>" * 20_000 + "}-", "-{" + "|" * 20_000 + "}-",
        "-{}-" * 20_000, "<b a=\"'" * 20_000, "<ref '\"\n" * 20_000, "<!-- <!--" * 20_000,
    ],
    ids=lambda text: " ".join(text[:8].split()),
)  # fmt: skip
def test_hostile_pages_take_no_longer_than_others(wikitext: str) -> None:
    # The library alone takes 4 s for 20,000 times `<b`, 16 times that for four times as many.
    start = time.process_time()
    article_text(wikitext, PREFIXES, CHINESE)
    assert time.process_time() - start < 2.5


@pytest.mark.parametrize(
    "wikitext",
    ["[[" + " " * 200_000, "[[" + "_ " * 100_000 + ":", "[http://a " * 20_000, "[[a:" + " " * 200_000 + "\n"],
    ids=["blanks", "blanks and a colon", "outer links", "no end"],
)
def test_the_passes_over_a_page_are_linear(wikitext: str) -> None:
    # The first took ten minutes for 80,000 characters.
    start = time.process_time()
    article_text(wikitext, PREFIXES)
    assert time.process_time() - start < 2.5


def test_prefixed_links_are_those_of_the_plain_definition() -> None:
    rng = random.Random(5)
    pieces = [
        "[[",
        "]]",
        "[",
        "]",
        " ",
        "_",
        ":",
        "Fails",
        "fails",
        "category",
        "Category:x",
        "|",
        "#",
        "\n",
        "a",
        "zh-yue",
    ]
    plain = re.compile(r"\[\[[ _]*([^\[\]|:#\n]{1,60}?)[ _]*:[^\[\]\n]*\]\]")
    for _ in range(3000):
        text = "".join(rng.choices(pieces, k=rng.randrange(12)))
        drop = lambda link: " " if link[1].replace("_", " ").lower() in PREFIXES.names else link[0]  # noqa: E731
        assert without_prefixed_links(text, PREFIXES) == plain.sub(drop, text), text


@pytest.mark.parametrize(
    ("piece", "marks"),
    [("[[a]] ", 4), ("{{a}} ", 4), ("''a'' ", 2), ("a://b ", 2), ("] ", 1), ("&lt; ", 1), ("< ", 1)],
    ids=["links", "templates", "quotes", "addresses", "ends", "entities", "less than"],
)
def test_a_page_with_more_markup_than_pages_have(piece: str, marks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metadata.sources.wikitext.MAX_MARKS", 2_000)
    monkeypatch.setattr("metadata.sources.wikitext.MAX_CHARS", 50_000)
    article_text(piece * (2_000 // marks), PREFIXES)
    with pytest.raises(TooLargeError):
        article_text(piece * (2_000 // marks + 1), PREFIXES)
    assert len(article_text("a " * 25_000, PREFIXES)) == 50_000


def test_a_page_that_no_wiki_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLargeError):
        article_text("a" * (MAX_CHARS + 1), PREFIXES)
    monkeypatch.setattr("metadata.sources.wikitext.MAX_CHARS", 1_000)
    assert len(article_text("a" * 1_001, PREFIXES, rules=1)) == 1_001


@pytest.mark.parametrize("bracket", ["{{", "[[", "{|\n"], ids=["templates", "links", "tables"])
def test_too_deep(bracket: str) -> None:
    article_text(bracket * 60, PREFIXES)
    with pytest.raises(TooDeepError):
        article_text(bracket * 61, PREFIXES)
