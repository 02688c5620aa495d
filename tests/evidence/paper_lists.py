"""The papers' figures of entries: Table 1 by source, and the most frequent entries of English alt-texts."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from conf.schema.jobs import BuildMetadataConfig
from curation.core.languages import LANGUAGES
from curation.core.receipts import Receipt
from headtail import EntryList, match
from metadata.sources.articles import DumpSettings, read_articles
from metadata.sources.ngrams import count_ngrams
from metadata.sources.word_frequencies import PER_BILLION, word_lists
from metadata.sources.wordnet import read_names, shipped_wordnet

WIKIPEDIA_WORDS = 2_445_526_919
"""Words of the English Wikipedia of October 2022 (adno/wikipedia-word-frequency-clean)."""
MIN_COUNT, MIN_PMI = 100, 30
TOP = {
    "of": 120, "in": 107, "and": 100, "for": 89, "the": 87, "The": 67, "with": 67, "to": 61, "photo": 54, "a": 50,
    "image": 48, "1": 47, "on": 45, "by": 43, "2": 43, "Image": 39, "at": 38, "Black": 33, "3": 30, "A": 29,
}  # fmt: skip
"""Table 3 of the first paper, in millions of texts."""


@cache
def synset_names() -> int:
    """Return the number of names that the rule of the first paper takes of the WordNet that comes with headtail."""
    return len(read_names("en", [str(shipped_wordnet())], first_only=True).counts)


@cache
def frequent_words() -> int:
    """Return how many words of wordfreq's English list would stand 100 times or more in Wikipedia's words."""
    least = MIN_COUNT / WIKIPEDIA_WORDS * 10**PER_BILLION
    return sum(frequency >= least for _, frequency in word_lists()["en"].words())


def articles(dump: Path) -> Iterator[str]:
    """Yield the plain texts of the articles of an English dump."""
    settings = DumpSettings(max_page_bytes=BuildMetadataConfig.max_page_bytes)
    return read_articles(str(dump), 0, None, settings, Receipt(str(dump)), "en")


def bound_words(texts: Iterable[str]) -> dict[str, float]:
    """Return how many pairs of words texts have, and how many of them pass PMI >= 30, scaled to the size of the texts.

    PMI is log2(count * words / (count of the first * count of the second)). A smaller part of a text leaves it as it
    is, but log2(words) limits it. So the limit is lowered by log2 of how much smaller than Wikipedia the texts are.
    """
    words, pairs = Counter[str](), Counter[tuple[str, str]]()
    for batch in count_ngrams(texts, LANGUAGES["en"]):
        first, second, counts = (batch[name].to_pylist() for name in ("first", "second", "count"))
        for word, other, count in zip(first, second, counts, strict=True):
            if other is None:
                words[word] += count
            else:
                pairs[word, other] += count
    total = words.total()
    limit = MIN_PMI - math.log2(WIKIPEDIA_WORDS / total)
    pmi = [math.log2(count * total / (words[first] * words[second])) for (first, second), count in pairs.items()]
    return {
        "words": total,
        "pairs": len(pairs),
        "scaled_limit": limit,
        "passing": sum(value >= limit for value in pmi),
        "passing_unscaled": sum(value >= MIN_PMI for value in pmi),
    }


def top_entries(texts: list[str], entries: list[str], shown: int = len(TOP)) -> list[tuple[str, int]]:
    """Return the entries that most texts hold by the first paper's rule, with the number of these texts.

    Of equal ones the earlier entry comes first.
    """
    counts = match(texts, EntryList(entries, edges="blank")).counts["en"]
    order = np.argsort(-counts, kind="stable")[:shown]
    return [(entries[entry_id], int(counts[entry_id])) for entry_id in order if counts[entry_id]]


def in_paper(found: list[tuple[str, int]]) -> int:
    """Return how many of these entries are among the paper's twenty.

    >>> in_paper([("of", 3), ("stock", 2), ("the", 1)])
    2
    """
    return sum(entry in TOP for entry, _ in found)
