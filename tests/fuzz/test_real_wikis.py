"""Dumps of real wikis: every page is accounted for, and their texts have the counts of the simplest count."""

import functools

import pytest

from curation.core.languages import LANGUAGES
from curation.core.receipts import Receipt
from metadata.sources.articles import read_articles
from metadata.sources.dumps import read_site
from metadata.sources.words import segmenter
from tests.conftest import SHARED, needs_shared
from tests.dump_data import count_naively
from tests.unit.metadata.settings import dump_settings
from tests.unit.metadata.sources.test_ngrams import count

pytestmark = needs_shared
WIKIS = {
    "aa": "aawiki-20260101-pages-meta-current.xml.bz2",
    "ltg": "ltgwiki-whole.xml.bz2",
    "en": "enwiki-206-pages.xml.bz2",
    "ja": "jawiki-66-pages-cut-off.xml.bz2",
}


def path_of(lang: str) -> str:
    return str(SHARED / "wikidump" / WIKIS[lang])


@functools.cache
def articles(lang: str, namespaces: tuple[int, ...] = (0,)) -> tuple[list[str], Receipt]:
    """The texts of a dump, and the receipt of its pages."""
    receipt = Receipt(WIKIS[lang])
    return list(read_articles(path_of(lang), 0, None, dump_settings(namespaces=namespaces), receipt)), receipt


@pytest.mark.parametrize(
    ("lang", "pages", "texts", "failures"),
    [("aa", 507, 0, 0), ("ltg", 2004, 903, 0), ("en", 206, 106, 0), ("ja", 66, 48, 1)],
)
def test_real_dumps(lang: str, pages: int, texts: int, failures: int) -> None:
    found, receipt = articles(lang)
    site = read_site(path_of(lang))
    assert site.language is not None
    assert site.language.code == lang
    assert (receipt.rows_in, len(found), len(receipt.failures)) == (pages, texts, failures)
    receipt.check()


# Of the closed wiki no article is left; its other pages are text as well.
@pytest.mark.parametrize(
    ("lang", "namespaces"),
    [("en", (0,)), ("ltg", (0,)), ("ja", (0,)), ("aa", tuple(range(16)))],
    ids=["en", "ltg", "ja", "aa"],
)
def test_real_wikis_equal_a_naive_count(lang: str, namespaces: tuple[int, ...]) -> None:
    texts, _ = articles(lang, namespaces)
    segment = segmenter(LANGUAGES[lang])[1]
    words, bigrams = count_naively([segment(text) if segment else text for text in texts], singles=segment is None)
    assert len(words) > 1000
    assert count(texts, lang) == (words, bigrams)
