"""Putting an entry list together: the papers' rules, the order of the sources, what each of them gave.

The order is that of Demystifying CLIP Data (arXiv 2309.16671, Table 1): the numbers "0" to "99", WordNet, unigrams,
bigrams, titles. An entry keeps the place where it stands first; a source's cap counts what it newly adds.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from curation.core.choices import BigramScore

LOGIC_VERSION = 1
"""To be raised when the same input gives other lists."""

LIST = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
    ]
)
"""An entry list: the row number is the id. `source` is custom, number, wordnet, unigram, bigram or title, with the
wiki behind it where that is not the list's own (`unigram:zh_yue`). `score` is the number of synsets, the count, the
bigram's score, the views."""

SOURCES = ("wordnet", "unigram", "bigram", "title")
PMI_STEPS = 4096
"""Percentiles of PMI are taken in steps of 1/4096 bit, downwards, so that no sorting of all bigrams is needed."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Rules:
    """What of each source becomes an entry.

    Unigrams: at least `unigram_min_count`, the `unigram_top_share` most frequent, at most `max_unigrams`. Bigrams: at
    least `bigram_min_count` and `bigram_min_pmi`, by `bigram_score` (`pmi`, or `count_pmi`: (count + 1)^0.7 times what
    the PMI is above its `bigram_pmi_percentile`), at most `max_bigrams`. Titles: at least `title_min_views`, the
    `title_top_share` most viewed, at most `max_titles`. A maximum of 0 is none.
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
        """How many entries a source may add; 0: no limit."""
        return {"unigram": self.max_unigrams, "bigram": self.max_bigrams, "title": self.max_titles}.get(source, 0)

    def top_share(self, source: str) -> float:
        """The share of a source's rows that is looked at, best first."""
        return {"unigram": self.unigram_top_share, "title": self.title_top_share}.get(source, 1.0)

    def describe(self, source: str) -> str:
        """The rule of a source in words."""
        least = {
            "unigram": ("count", self.unigram_min_count),
            "bigram": ("count", self.bigram_min_count),
            "title": ("views", self.title_min_views),
        }
        if source not in least:
            return "all"
        name, minimum = least[source]
        told = [f"{name} >= {minimum}"] if minimum > 1 else []
        if source == "bigram":
            told += [] if self.bigram_min_pmi is None else [f"PMI >= {self.bigram_min_pmi:g}"]
            percentile = f"{self.bigram_pmi_percentile:.0%}"
            by_count = f"(count+1)^0.7 * (PMI - its {percentile} percentile) > 0"
            told.append("by PMI" if self.bigram_score == BigramScore.pmi else f"by {by_count}")
        if self.top_share(source) < 1:
            told.append(f"top {self.top_share(source):.0%}")
        if self.cap(source):
            told.append(f"at most {self.cap(source):,}")
        return ", ".join(told) or "all"


@dataclass
class SourceRow:
    """What one source gave to one list: a row of the table.

    `available` are its distinct terms, `chosen` those its rule takes, of which `added` are new; `drops` says what
    became of the others. `note` names what a reader would otherwise take for a fault.
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
    """An entry list in the making."""

    texts: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    rows: list[SourceRow] = field(default_factory=list)

    def add(self, row: SourceRow, terms: Iterable[tuple[str, float | None]], cap: int, max_characters: int) -> None:
        """Append the new ones of a source's terms, best first, until `cap` (0: no limit) are added.

        `row.chosen` of them are looked at; what the cap leaves is the drop `over_cap`.
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
        """Yield the list, a row an entry, in the order of ids."""
        texts = pa.array(self.texts, pa.string())
        sources = pa.array([source for source, _ in self.texts.values()], pa.string())
        scores = pa.array([score for _, score in self.texts.values()], pa.float64())
        yield from pa.Table.from_arrays([texts, sources, scores], schema=LIST).to_batches(65536)


def unusable(text: str, max_characters: int) -> str:
    """Say why a term can be no entry: `blank`, `too_long`, `control_characters`, `punctuation`; empty if it can.

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
    """Whether a term holds nothing but punctuation, ASCII's symbols and blanks.

    >>> is_punctuation("... !"), is_punctuation("♥")
    (True, False)
    """
    return all(
        character.isspace() or unicodedata.category(character)[0] == "P" or character in "$+<=>^`|~～"
        for character in text
    )


def build_list(
    rules: Rules, wordnet: Counter[str], found: dict[str, Iterable[tuple[str, float]]], rows: dict[str, SourceRow]
) -> EntryTable:
    """Return the list of one wiki.

    `wordnet` holds the names of its synsets, in their order; `found` the terms of the other sources that may be
    chosen, best first, each with its score; `rows` a row for each source, with what is known of it.
    """
    table = EntryTable()
    numbers = SourceRow("number", f'"0" to "{rules.numbers - 1}"', rules.numbers, rules.numbers)
    table.add(numbers, ((str(number), None) for number in range(rules.numbers)), 0, rules.max_characters)
    names = rows.get("wordnet", SourceRow("wordnet", rules.describe("wordnet")))
    names.available = names.chosen = len(wordnet)
    table.add(names, wordnet.items(), 0, rules.max_characters)
    for source in SOURCES[1:]:
        row = rows.get(source, SourceRow(source, rules.describe(source)))
        table.add(row, found.get(source, ()), rules.cap(source), rules.max_characters)
    return table


def chosen_count(top_share: float, passing: int) -> int:
    """Return how many of the terms that pass a source's minima are considered: its top share, rounded up.

    >>> chosen_count(0.1, 25)
    3
    """
    return math.ceil(top_share * passing - 1e-9)


def percentile_rank(share: float, rows: int) -> int:
    """The rank, from 1, of the nearest lower percentile among `rows` sorted values.

    >>> percentile_rank(0.3, 11)
    4
    """
    return int(share * (rows - 1)) + 1
