"""Why a text is kept or dropped: its language, the entries that it matches, and their counts and probabilities."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.probabilities import entry_probabilities
from curation.balancing.targets import EntryTargets
from curation.core.schemas import ENTRY_COUNTS, THRESHOLDS
from curation.core.table_reader import read_batches, read_rows
from curation.matching.engines import Matcher
from curation.matching.entry_lists import EntryList

BY = {"model": "the classifier", "script": "its script", "unknown": "nothing (language.unknown)"}
"""How the careful rule decides the language of a text without a page, in words."""


class Lists(Protocol):
    """The entry lists that a text is matched with; an EntryStore is one."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a list, sorted."""
        ...

    def entry_list(self, lang: str) -> EntryList:
        """Return the list of a language."""
        ...

    def matcher(self, lang: str) -> Matcher:
        """Return the matcher of a language."""
        ...


@dataclass(frozen=True)
class MatchedEntry:
    """An entry that a text matches; `count` is None without entry counts, `probability` without a threshold.

    `t` is the threshold of the entry by its target; None: that of its language.
    """

    entry_id: int
    entry: str
    source: str | None
    count: int | None = None
    probability: float | None = None
    t: float | None = None


@dataclass(frozen=True)
class Explanation:
    """The matched entries of a text; `entries` is None if the language has none in the run, `t` without a threshold.

    `dropped` says why the run drops the whole language, empty if it does not. `by` says how the careful rule decided
    the language without a page, empty under other rules.
    """

    text: str
    lang: str
    lang_score: float | None
    entries: list[MatchedEntry] | None
    t: float | None = None
    dropped: str = ""
    by: str = ""

    def __str__(self) -> str:
        return "\n".join(explanation_lines(self))

    @property
    def keep_probability(self) -> float | None:
        """1 - prod(1 - entry_probability) over the matched entries; 0 without entries, None without a threshold."""
        if self.entries is None or self.t is None:
            return None
        missed = 1.0
        for entry in self.entries:
            missed *= 1.0 - (entry.probability or 0.0)
        return 1.0 - missed


def explain_text(
    text: str,
    lang: str,
    lang_score: float | None,
    store: Lists,
    counts: Mapping[int, int] | None,
    t: float | None,
    kept: Collection[str] = (),
    targets: EntryTargets | None = None,
) -> Explanation:
    """Match one text, and look up the count and probability of its entries.

    `counts` (by entry id) and `t` are those of the language; None without a run. `kept` are the languages of the run,
    none if it keeps all. `targets` are those of entries, in these counts.
    """
    if lang not in store.languages:
        lists = ", ".join(store.languages[:20])
        line = f"language {lang} has no entry list (no_metadata); the lists are {lists}"
        return Explanation(text, lang, lang_score, None, dropped=line)
    if kept and lang not in kept:
        line = f"language {lang}: the run keeps only {', '.join(sorted(kept))} (languages)"
        return Explanation(text, lang, lang_score, None, dropped=line)
    entry_list = store.entry_list(lang)
    (ids,) = store.matcher(lang).match(pa.array([text])).to_pylist()
    entries = []
    for entry_id in ids:
        count = None if counts is None else counts.get(entry_id, 0)
        own = targets.of_entry(lang, entry_id, t) if targets and t is not None else None
        wanted = t if own is None else own
        probability = None
        if count is not None and wanted is not None:
            probability = float(entry_probabilities(np.array([count]), wanted)[0])
        entry, source = entry_list.texts[entry_id].as_py(), entry_list.sources[entry_id].as_py()
        entries.append(MatchedEntry(entry_id, entry, source, count, probability, own))
    return Explanation(text, lang, lang_score, entries, None if counts is None else t)


def read_counts(files: list[str], lang: str) -> dict[int, int]:
    """Return the counts of one language by entry id, from the files of `entry_counts`."""
    counts: dict[int, int] = {}
    for file in files:
        for batch in read_batches(file, ENTRY_COUNTS):
            rows = batch.filter(pc.equal(batch.column("lang"), lang))
            counts.update(zip(rows.column("entry_id").to_pylist(), rows.column("count").to_pylist(), strict=True))
    return counts


def read_threshold(files: list[str], lang: str) -> float | None:
    """Return the t of one language, from the files of `thresholds`; None if the language has no threshold."""
    rows = [row for file in files for row in read_rows(file, THRESHOLDS).to_pylist()]
    return next((row["t"] for row in rows if row["lang"] == lang), None)


def explanation_lines(found: Explanation) -> Iterator[str]:
    """Yield an explanation line by line, the rarest entries first: they decide whether the text is kept."""
    score = "" if found.lang_score is None else f", score {found.lang_score:.2f}"
    yield f"text              {found.text}"
    by = f", decided by {BY.get(found.by, found.by)}; its page may decide otherwise" if found.by else ""
    yield f"language          {found.lang}{score}{by}"
    if found.entries is None:
        yield f"dropped           {found.dropped}"
        return
    if not found.entries:
        yield "dropped           no entry occurs in the text (unmatched)"
        return
    if found.t is not None:
        but = ", but for those with a target (t)" if any(entry.t is not None for entry in found.entries) else ""
        yield f"t                 {found.t:,.6g}: entries with fewer matches are the tail{but}"
    rows = [["id", "entry", "source", "count", "t", "entry_probability"]]
    for entry in sorted(found.entries, key=lambda entry: (entry.count or 0, entry.entry_id)):
        count = "" if entry.count is None else f"{entry.count:,}"
        probability = "" if entry.probability is None else f"{entry.probability:.6g}"
        t = "" if entry.t is None else f"{entry.t:,.6g}"
        rows.append([str(entry.entry_id), entry.entry, entry.source or "", count, t, probability])
    shown = [column for column in range(6) if any(row[column] for row in rows[1:])]
    widths = {column: max(len(row[column]) for row in rows) for column in shown}
    for row in rows:
        yield "  " + "  ".join(row[column].ljust(widths[column]) for column in shown).rstrip()
    if found.keep_probability is not None:
        yield f"keep_probability  {found.keep_probability:.6g}: each entry is drawn once, one success keeps the text"
