"""How an entry list is made: the papers' rules, the order of the sources, and an account of each source.

The order is that of Demystifying CLIP Data (arXiv 2309.16671, Table 1): the numbers "0" to "99", WordNet, unigrams,
bigrams, titles. An entry keeps its first place; the cap of a source counts the entries that the source newly adds.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from curation.core.choices import BigramScore

LOGIC_VERSION = 1
"""Raise it when the same input gives other lists."""

LIST = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
    ]
)
"""An entry list: the row number is the id. `source` is custom, number, wordnet, unigram, bigram or title; the code of
the wiki follows where it is not the code of the list (`unigram:zh_yue`). `score` is the number of synsets of a name,
the count of a word, the score of a bigram or the views of a title."""

SOURCES = ("wordnet", "unigram", "bigram", "title")
PMI_STEPS = 4096
"""Percentiles of PMI are rounded down to 1/4096 bit: a histogram gives them without sorting all bigrams."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Rules:
    """Which terms of each source become entries.

    Terms have at least the minimum of their source: `unigram_min_count`, `bigram_min_count` and `bigram_min_pmi`,
    `title_min_views`. Of words and titles the top share is considered, the most frequent or most viewed first. Bigrams
    are ranked by `bigram_score`: `pmi`, or `count_pmi`, (count + 1)^0.7 times the difference of the PMI and its
    `bigram_pmi_percentile`, where above 0. `max_unigrams`, `max_bigrams` and `max_titles` limit the added entries; a
    maximum of 0 is none.
    """

    numbers: int
    wordnet_first_only: bool
    unigram_min_count: int
    unigram_top_share: float
    max_unigrams: int
    bigram_score: BigramScore
    bigram_min_count: int
    bigram_min_pmi: float | None
    bigram_pmi_percentile: float
    max_bigrams: int
    title_min_views: int
    title_top_share: float
    max_titles: int
    max_characters: int

    def cap(self, source: str) -> int:
        """Return the maximum of entries that a source may add, 0 for no maximum."""
        return {"unigram": self.max_unigrams, "bigram": self.max_bigrams, "title": self.max_titles}.get(source, 0)

    def top_share(self, source: str) -> float:
        """Return the share of a source's terms that is considered, best first."""
        return {"unigram": self.unigram_top_share, "title": self.title_top_share}.get(source, 1.0)

    def describe(self, source: str) -> str:
        """Return the rule of a source in words."""
        minima = {
            "unigram": ("count", self.unigram_min_count),
            "bigram": ("count", self.bigram_min_count),
            "title": ("views", self.title_min_views),
        }
        if source not in minima:
            return "all"
        name, minimum = minima[source]
        conditions = [f"{name} >= {minimum}"] if minimum > 1 else []
        if source == "bigram":
            conditions += [] if self.bigram_min_pmi is None else [f"PMI >= {self.bigram_min_pmi:g}"]
            percentile = f"{self.bigram_pmi_percentile:.0%}"
            by_count = f"(count+1)^0.7 * (PMI - its {percentile} percentile) > 0"
            conditions.append("by PMI" if self.bigram_score == BigramScore.pmi else f"by {by_count}")
        if self.top_share(source) < 1:
            conditions.append(f"top {self.top_share(source):.0%}")
        if self.cap(source):
            conditions.append(f"at most {self.cap(source):,}")
        return ", ".join(conditions) or "all"


@dataclass
class SourceRow:
    """The account of one source of one list.

    `available` is the number of its distinct terms, `chosen` that of the terms that pass its rule, `added` that of the
    new entries among them; `drops` has the reasons of the others. `note` explains a source that gives nothing.
    """

    source: str
    rule: str
    available: int = 0
    chosen: int = 0
    added: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    note: str = ""

    def to_json(self) -> dict:
        """Return the row as plain values."""
        return {**vars(self), "drops": dict(sorted(self.drops.items()))}


@dataclass
class EntryTable:
    """An entry list while it is made: (source, score) by text in the order of ids, and the accounts of the sources."""

    texts: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    rows: list[SourceRow] = field(default_factory=list)

    def add(self, row: SourceRow, terms: Iterable[tuple[str, float | None]], cap: int, max_characters: int) -> None:
        """Append the new terms of a source, best first, until `cap` (0: no maximum) are added.

        The first `row.chosen` terms are considered; those that the cap leaves out are the drop `over_cap`.
        """
        for text, score in islice(terms, row.chosen):
            if row.added == cap > 0:
                break
            if text in self.texts:
                row.drops["already_there"] += 1
            elif reason := unusable(text, max_characters):
                row.drops[reason] += 1
            else:
                self.texts[text] = (row.source, score)
                row.added += 1
        if left := row.chosen - row.added - sum(row.drops.values()):
            row.drops["over_cap"] += left
        self.rows.append(row)

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the list in the order of ids, a row an entry."""
        texts = pa.array(self.texts, pa.string())
        sources = pa.array([source for source, _ in self.texts.values()], pa.string())
        scores = pa.array([score for _, score in self.texts.values()], pa.float64())
        yield from pa.Table.from_arrays([texts, sources, scores], schema=LIST).to_batches(65536)


def unusable(text: str, max_characters: int) -> str:
    """Return why a term cannot be an entry (`blank`, `too_long`, `control_characters`, `punctuation`), empty if it can.

    >>> unusable("¿?", 256), unusable("C++", 256)
    ('punctuation', '')
    """
    if not text.strip():
        return "blank"
    if len(text) > max_characters:
        return "too_long"
    if _CONTROL.search(text):
        return "control_characters"
    return "punctuation" if is_punctuation(text) else ""


def is_punctuation(text: str) -> bool:
    """Whether a term consists of punctuation, symbols of ASCII and blanks.

    >>> is_punctuation("... !"), is_punctuation("♥")
    (True, False)
    """
    return all(
        character.isspace() or unicodedata.category(character)[0] == "P" or character in "$+<=>^`|~～"
        for character in text
    )


def build_list(
    rules: Rules, wordnet: Counter[str], terms: Mapping[str, Iterable[tuple[str, float]]], rows: dict[str, SourceRow]
) -> EntryTable:
    """Return the list of one wiki.

    `wordnet` holds the names of its synsets in their order, `terms` the terms of the other sources with their scores,
    best first. `rows` are the accounts of the sources so far.
    """
    table = EntryTable()
    numbers = SourceRow("number", f'"0" to "{rules.numbers - 1}"', rules.numbers, rules.numbers)
    table.add(numbers, ((str(number), None) for number in range(rules.numbers)), 0, rules.max_characters)
    names = rows.get("wordnet", SourceRow("wordnet", rules.describe("wordnet")))
    names.available = names.chosen = len(wordnet)
    table.add(names, wordnet.items(), 0, rules.max_characters)
    for source in SOURCES[1:]:
        row = rows.get(source, SourceRow(source, rules.describe(source)))
        table.add(row, terms.get(source, ()), rules.cap(source), rules.max_characters)
    return table


def chosen_count(top_share: float, passing: int) -> int:
    """Return how many of the terms that pass a source's minima are considered: the top share, rounded up.

    >>> chosen_count(0.1, 25)
    3
    """
    return math.ceil(top_share * passing - 1e-9)
