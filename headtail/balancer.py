"""Balancing of rows that come in a stream: a filter with fixed counts and thresholds."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from curation.balancing.probabilities import keep_probabilities
from curation.balancing.targets import EntryTargets
from curation.core.choices import Unit
from curation.core.draws import draw, keep
from curation.core.errors import HeadtailError
from curation.report.explain import Explanation, explain_text
from headtail.columns import TEXT, columns_of, strings
from headtail.entry_list import EntryList, Lists, StoreOfLists, lists_by_language
from headtail.goals import Goal, check_counts, check_seed, check_unit
from headtail.rows import RowNames, Rows, match_rows


class Balancer:
    """Keeps each row with the probability of its text, given counts and thresholds: a filter for streams.

    `entries` and the names of columns are those of `headtail.match`; a row needs a `uid` or `url`, the key of its draw.
    `counts` are {lang: int64 array by entry id}, of a sample of the stream or of a run. `t` is a threshold in texts of
    these counts, for all languages or {lang: t}. Each row is drawn on its own, by its uid and text (`unit="pair"`) or
    by its uid (`image`); a row whose text matches nothing is not kept. The same counts, t and seed keep the texts that
    `balance_pairs` keeps, and of a table with one text for each image the rows of `Matches.balance`. `targets` are
    those of a run (`Run.balancer`).

    An object can be called with a batch, so it is a function for `datasets`:

        dataset.filter(balancer, batched=True)
        dataset.map(balancer.annotate, batched=True)

    Raises HeadtailError where an argument is out of its range.

    >>> balancer = Balancer(EntryList(["dog", "cat"]), {"en": np.array([4, 1])}, t=1, seed=0)
    >>> batch = {"text": ["a dog", "dogs", "a cat", "dog"], "uid": ["a", "b", "c", "d"]}
    >>> balancer.keep_probability(batch).tolist(), balancer(batch)
    ([0.25, 0.0, 1.0, 0.25], [False, False, True, False])
    """

    def __init__(
        self,
        entries: Lists,
        counts: Mapping[str, np.ndarray],
        t: float | Mapping[str, float],
        seed: int = 0,
        *,
        unit: str = Unit.pair,
        text: Any = TEXT,
        url: Any = "",
        uid: Any = "",
        lang: Any = "",
        targets: EntryTargets | None = None,
    ) -> None:
        self.lists, self.seed = lists_by_language(entries), check_seed(seed)
        self.counts = check_counts(counts)
        Goal(t).check()
        self._targets = targets
        # Not computed at the first batch: `datasets` hashes the object, and its hash must not change by use.
        self._effective = {k: targets.effective(k, each) for k, each in self.counts.items()} if targets else self.counts
        self.t = {name: float(t[name] if isinstance(t, Mapping) else t) for name in self.counts if _has(t, name)}
        self.unit = check_unit(unit)
        self.names = RowNames(text, url, uid, lang)
        self._by_language = isinstance(entries, Mapping)

    def __call__(self, batch: Any) -> list[bool]:
        """Return whether each row of a batch is kept, for `Dataset.filter(balancer, batched=True)`."""
        return self.keep(batch).tolist()

    def keep(self, batch: Any, epoch: int | None = None) -> np.ndarray:
        """Return whether each row is kept: bool[n]. Each `epoch` draws anew; without one the draws are the jobs'."""
        rows = self._read(batch)
        if rows.uids is None:
            raise HeadtailError("the draw of a row is keyed by its image: name the column of its url or uid")
        purpose = "keep" if epoch is None else f"keep in epoch {epoch}"
        probabilities = self._probabilities(rows)[0]
        if self.unit == Unit.image:
            return draw(self.seed, purpose, rows.uids) < probabilities
        starts = np.arange(len(rows.texts) + 1)
        return keep(probabilities, self.seed, purpose, rows.uids, rows.texts.fill_null(""), starts)

    def keep_probability(self, batch: Any) -> np.ndarray:
        """Return the keep_probability of each row's text: float64[n], 0 where it matches nothing."""
        return self._probabilities(self._read(batch))[0]

    def annotate(self, batch: Any) -> dict[str, list]:
        """Return columns for `Dataset.map(..., batched=True)`: entry_ids (list of int), keep_probability, kept."""
        probabilities, ids = self._probabilities(self._read(batch))
        return {
            "entry_ids": ids.to_pylist(),
            "keep_probability": probabilities.tolist(),
            "kept": self.keep(batch).tolist(),
        }

    def explain(self, text: str, lang: str = "") -> Explanation:
        """Return why a text is kept: its entries with counts and probabilities. `print` shows it line by line."""
        return explain(text, lang, self.lists, self.counts, self.t, targets=self._targets)

    def columns(self, sample: Mapping[Any, Any]) -> list[Any]:
        """Return the names of the columns that draws read, of samples like this one."""
        return self.names.columns(sample, self._by_language)

    def _read(self, batch: Any) -> Rows:
        return self.names.read(columns_of(batch), self._by_language)

    def _probabilities(self, rows: Rows) -> tuple[np.ndarray, pa.ListArray]:
        ids, langs, _ = match_rows(rows, self.lists)
        offsets, flat = ids.offsets.to_numpy(), ids.flatten().to_numpy()
        offsets = offsets - offsets[0] if len(offsets) else np.zeros(1, np.int32)
        out = np.zeros(len(ids))
        encoded = langs.dictionary_encode()
        codes = encoded.indices.to_numpy()
        matched = np.diff(offsets) > 0
        for code, lang in enumerate(encoded.dictionary.to_pylist()):
            members = np.flatnonzero((codes == code) & matched).astype(np.int32)
            if lang in self.t:
                keep_probabilities(members, offsets, flat, self._effective[lang], self.t[lang], out)
            else:
                out[members] = 1.0  # an entry without a count is in the tail
        return out, ids


def explain(
    text: str,
    lang: str,
    lists: Mapping[str, EntryList],
    counts: Mapping[str, np.ndarray],
    t: Mapping[str, float],
    kept: Collection[str] = (),
    targets: EntryTargets | None = None,
) -> Explanation:
    """Return why a text is kept; without `lang` the lists must be of one language.

    `kept` are the languages that are kept, none if all are. `targets` are those of entries, in the same counts.
    """
    if not isinstance(text, str):
        raise HeadtailError(f"text must be a string, got {type(text).__name__}")
    strings(columns_of([text]), TEXT)  # refuses half of a surrogate pair
    if not lang and len(lists) > 1:
        raise HeadtailError(f"lang is needed: there are entry lists of {', '.join(list(lists)[:20])}")
    lang = lang or next(iter(lists))
    values = counts.get(lang, np.zeros(0, np.int64))
    met = np.flatnonzero(values)
    by_id = dict(zip(met.tolist(), values[met].tolist(), strict=True))
    return explain_text(text, lang, None, StoreOfLists(lists), by_id, t.get(lang), kept, targets)


def _has(t: float | Mapping[str, float], lang: str) -> bool:
    if isinstance(t, Mapping) and lang not in t:
        raise HeadtailError(f"t has no threshold of {lang}, for which there are counts")
    return True
