"""Entry counts in memory: how many texts hold each entry."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa

from curation.balancing.distributions import Distributions
from headtail.entry_list import EntryList, words_of
from headtail.goals import Goal, check_counts, find_thresholds


class Counts(Mapping[str, np.ndarray]):
    """The counts of each language: {lang: int64 array by entry id}. Beyond the end of an array a count is 0.

    A text counts an entry once, and a text that an image has several times counts once. A language without a match has
    no counts. Raises HeadtailError where counts are no such arrays.

    >>> counts = Counts({"en": np.array([0, 3, 10])}, {"en": EntryList(["a", "b", "c"])})
    >>> counts.table()["entry"].to_pylist(), counts.tail_share(t=10)
    (['c', 'b'], 0.23076923076923078)
    """

    def __init__(self, counts: Mapping[str, np.ndarray], lists: Mapping[str, EntryList] | None = None) -> None:
        self._counts = {lang: values for lang, values in check_counts(counts).items() if values.any()}
        self._lists = lists or {}

    def __getitem__(self, lang: str) -> np.ndarray:
        return self._counts[lang]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        told = ", ".join(f"{lang} {np.count_nonzero(values):,}" for lang, values in self._counts.items())
        return f"Counts(entries with a match: {told or 'none'})"

    @cached_property
    def distributions(self) -> Distributions:
        """The sorted counts of each language."""
        return Distributions(self._counts, self._counts.__getitem__)

    def tail_share(self, t: float, lang: str = "") -> float:
        """Return the share of all matches that entries with count < t have, in [0, 1].

        Without `lang` the counts must be of one language. Demystifying CLIP Data, arXiv 2309.16671.
        """
        return self.distributions.reference(Goal(reference=lang).rule(self.distributions).reference).tail_share(t)

    def thresholds(
        self,
        *,
        t: float | Mapping[str, float] | None = None,
        tail_share: float | None = None,
        reference: str = "",
        others: str = Goal.others,
    ) -> dict[str, float]:
        """Return the threshold t of each language, in texts, for a `t` or a `tail_share`.

        `t` is that of the language `reference` (`en`, or the only one). The others get the t at which their tail has
        the reference's share of matches (`others="tail_share"`, Meta CLIP 2, arXiv 2507.22062), or the same t
        (`same_t`). A `tail_share`, in [0, 1], is that of every language. Raises HeadtailError without a match, and
        unless one of the two is given.

        >>> Counts({"en": np.array([1, 9]), "de": np.array([2, 98])}).thresholds(t=5)
        {'de': 2.0, 'en': 5.0}
        """
        return find_thresholds(Goal(t, tail_share, None, reference, others), self.distributions)

    def table(self) -> pa.Table:
        """Return the counts above 0, the largest first: lang, entry_id (int32), entry (null where unknown), count."""
        found = []
        for lang, values in self._counts.items():
            ids = np.flatnonzero(values).astype(np.int32)
            one_each = pa.ListArray.from_arrays(pa.array([0, len(ids)], pa.int32()), pa.array(ids))
            texts = self._lists[lang].texts if lang in self._lists else pa.array([], pa.string())
            columns = [pa.array([lang] * len(ids)), pa.array(ids), words_of(one_each, texts).flatten()]
            found.append(pa.table([*columns, pa.array(values[ids])], names=COLUMNS.names))
        order = [("count", "descending"), ("lang", "ascending"), ("entry_id", "ascending")]
        return pa.concat_tables([COLUMNS.empty_table(), *found]).sort_by(order).combine_chunks()


COLUMNS = pa.schema([("lang", pa.string()), ("entry_id", pa.int32()), ("entry", pa.string()), ("count", pa.int64())])
"""The columns of `Counts.table`."""
