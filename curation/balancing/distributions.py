"""Distributions of entry counts: the tail share of a threshold, and the threshold of a tail share."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from curation.balancing.counts import CountFiles
from curation.core.errors import HeadtailError


class Distribution:
    """The sorted counts of one language, from which tail shares and thresholds are read.

    Counts are int64, or float64 where they are estimates. Zeros are left out: with them, a language with few matches
    would get t = 0 and lose everything. Raises ValueError without a count above 0.
    """

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = np.sort(counts[counts > 0])
        if not len(self.counts):
            raise ValueError("a distribution needs a count above 0")
        self._cumulated = np.cumsum(self.counts)
        self._shares = self._cumulated / self._cumulated[-1]

    @property
    def matches(self) -> int | float:
        """Return the sum of all counts."""
        return self._cumulated[-1].item()

    def tail_share(self, t: float) -> float:
        """Return the share of all matches that are matches of entries with count < t."""
        below = self.entries_below(t)
        return float(self._shares[below - 1]) if below else 0.0

    def entries_below(self, t: float) -> int:
        """Return how many entries have 0 < count < t."""
        return int(np.searchsorted(self.counts, t, side="left"))

    def t_of_share(self, share: float) -> float:
        """Return the count whose cumulative share is nearest to `share`, the lower count on ties.

        Meta CLIP 2 (arXiv 2507.22062, section 3.3) gives every language the t at which its tail has the share of
        matches that English's tail has. Counts are cumulated in ascending order. Equal counts have different
        cumulative shares, but lead to the same t. So the tail share at the returned t is not `share` itself: it leaves
        out the entries with count = t.
        """
        above = int(np.searchsorted(self._shares, share, side="left"))
        near = [index for index in (above - 1, above) if 0 <= index < len(self.counts)]
        nearest = min(near, key=lambda index: abs(self._shares[index] - share))
        return float(self.counts[nearest])

    def matches_capped(self, t: float) -> float:
        """Return the sum of min(count, t); often taken for the size of the data set, but only an upper bound."""
        below = self.entries_below(t)
        return float(self._cumulated[below - 1] if below else 0) + (len(self.counts) - below) * t


Value = TypeVar("Value")


class Distributions:
    """The distributions of all languages, one in memory at a time; `load` returns the counts of a language."""

    def __init__(self, langs: Iterable[str], load: Callable[[str], np.ndarray]) -> None:
        self.langs = sorted(langs)
        self._load = load

    @classmethod
    def of_files(cls, counts: CountFiles) -> "Distributions":
        """Return the distributions of the counts in files."""
        return cls(counts.langs(), counts.load)

    def __getitem__(self, lang: str) -> Distribution:
        return Distribution(self._load(lang))

    def reference(self, lang: str) -> Distribution:
        """Return the reference language's distribution; raises HeadtailError with the languages that have matches."""
        if not self.langs:
            raise HeadtailError(
                "no text matches an entry in any language: see entry_lists and languages of match_pairs, and the "
                "report or the line of match_pairs for the reasons"
            )
        if lang not in self.langs:
            langs = ", ".join(self.langs[:20]) + (" ..." if len(self.langs) > 20 else "")
            raise HeadtailError(
                f"no text matches an entry in the reference language {lang}: set balance.reference to one of: {langs}"
            )
        return self[lang]

    def each(self, function: Callable[[str, Distribution], Value]) -> dict[str, Value]:
        """Return {lang: function(lang, its distribution)}, in the order of the languages' codes."""
        return {lang: function(lang, self[lang]) for lang in self.langs}
