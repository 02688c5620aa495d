"""Language variants: a page shows what a reader without a preference sees, in the wikis that have the markup."""

from pathlib import Path

import pytest

from curation.core.receipts import Receipt
from metadata.sources.articles import read_articles
from metadata.sources.variants import MAX_DEPTH, Variants
from metadata.sources.wikitext import LinkPrefixes, article_text
from tests.dump_data import dump
from tests.unit.metadata.settings import dump_settings

CASES = {
    "the wiki's own variant": ("zh", "-{zh:a;zh-hans:b}-", "a"),
    "the first fallback": ("zh", "-{zh-tw:a;zh-cn:b;zh-hant:c}-", "c"),
    "a semicolon at the end, blanks, capitals": ("zh", "-{ ZH-TW : a b ; zh-Hans: c ;}-", "c"),
    "names of BCP 47": ("zh", "-{zh-Hant-TW:a;zh-Hans-CN:b}-", "b"),
    "one form": ("zh", "在-{后}-面", "在后面"),
    "a colon in a text": ("zh", "-{a: b; c}-", "a: b; c"),
    "an unknown variant makes it a text": ("zh", "-{en:b;zh-hans:a}-", "en:b;zh-hans:a"),
    "an entity in a form": ("zh", "-{zh-hans:a&amp;b;zh-hant:c}-", "a&amp;b"),
    "a style in a form": ("zh", "-{zh-hans:x;y:z;zh-hant:c}-", "x;y:z"),
    "an address in a form": ("zh", "-{zh-hans:[http://a b];zh-hant:c}-", "[http://a b]"),
    "an empty form": ("zh", "-{zh-hans:;zh-hant:c}-", "c"),
    "A": ("zh", "-{A|zh-cn:a;zh-tw:b}-", "a"),
    "A and T": ("zh", "-{T;A|zh-cn:a;zh-tw:b}-", "a"),
    "T": ("zh", "x-{T|zh-cn:a;zh-tw:b}-y", "xy"),
    "H": ("zh", "x-{H|zh-cn:a;zh-tw:b}-y", "xy"),
    "minus": ("zh", "x-{-|zh-cn:a;zh-tw:b}-y", "xy"),
    "N": ("zh", "x-{N|zh-cn}-y", "xy"),
    "D": ("zh", "-{D|zh-cn:a;zh-tw:b}-", "a; b"),
    "R": ("zh", "-{R|zh-cn:a;zh-tw:b}-", "zh-cn:a;zh-tw:b"),
    "unknown flags": ("zh", "-{x|zh-cn:a}-", "a"),
    "variants as flags": ("zh", "-{zh-hans;zh-hant|a: b}-", "a: b"),
    "one way": ("zh", "-{A|a=>zh-cn:b; a => zh-tw:c;}-", "b"),
    "nothing": ("zh", "a-{}-b-{|}-c", "abc"),
    "nested": ("zh", "-{zh-hans:a-{zh-hans:b;zh-hant:c}-d;zh-hant:e}-", "abd"),
    "nested rules that show nothing": ("zh", "-{zh-hans:a-{H|zh-cn:x}-b}-", "ab"),
    "no end": ("zh", "a -{b -{c}- d", "a -{b c d"),
    "no start": ("zh", "a }- b", "a }- b"),
    "deeper than MediaWiki reads": ("zh", "-{" * (MAX_DEPTH + 1) + "a" + "}-" * (MAX_DEPTH + 1), "-{a}-"),
    "links": ("zh", "[[-{zh-hans:a;zh-hant:b}-|-{c}-]] -{[[d|e]]}-", "[[a|c]] [[d|e]]"),
    "a link in a form": ("zh", "-{zh-hans:[[f|g]];zh-hant:h}-", "[[f|g]]"),
    "a template's end before a dash": ("zh", "{{a|-{b}-}}-c {{{1}}}-d -{{{2}}}-", "{{a|b}}-c {{{1}}}-d -{{{2}}}-"),
    "a template in the end": ("zh", "-{{{a}}}- -{b{{c}}}-", "-{{{a}}}- b{{c}}"),
    "Serbian": ("sr", "-{sr-el:a;sr-ec:b}- -{sr-Latn:c;sr-Cyrl:d}-", "b d"),
    "Serbian flags": ("sr", "-{реч|sr-ec:a;sr-el:b}-", "a"),
    "Serbo-Croatian": ("sh", "-{sh-cyrl:a;sh-latn:b}-", "b"),
    "Inuktitut": ("iu", "-{ ike-latn:a;ike-cans:b}-", "b"),
    "Kazakh": ("kk", "-{kk-tr:a;kk-arab:b}-", "b"),
    "another wiki's variant": ("sr", "-{zh-hans:a}-", "zh-hans:a"),
}


@pytest.mark.parametrize("name", CASES)
def test_shown(name: str) -> None:
    lang, wikitext, expected = CASES[name]
    variants = Variants.of(lang)
    assert variants is not None
    assert variants.shown(wikitext) == expected


@pytest.mark.parametrize("lang", ["en", "zh_yue", "zh_classical", "ja", "", None])
def test_other_wikis_have_no_variants(lang: str | None) -> None:
    assert Variants.of(lang) is None


def test_in_a_page() -> None:
    bold = "'''-{zh-hans:<span style=\"a:b;\">信</span>;zh-hant:資}-'''"
    page = f"{bold}-{{H|zh-cn:a}}-<nowiki>-{{b}}-</nowiki><math>-{{c}}-</math>"
    assert article_text(page, LinkPrefixes.of([]), Variants.of("zh")).rstrip() == "信-{b}-"


@pytest.mark.parametrize(
    ("wiki", "lang", "rules", "expected"),
    [("zhwiki", None, 2, "后"), ("zhwiki", None, 1, "-{后}-"), ("enwiki", None, 2, "-{后}-"), ("mine", "zh", 2, "后")],
    ids=["Chinese", "by old rules", "English", "a file of another name"],
)
def test_in_a_dump(tmp_path: Path, wiki: str, lang: str | None, rules: int, expected: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(dump([("A", "-{后}-")], wiki))
    assert list(read_articles(str(path), 0, None, dump_settings(rules=rules), Receipt("a"), lang)) == [expected]
