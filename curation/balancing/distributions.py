"""Distributions of entry counts: the tail share of a threshold, and the threshold of a tail share."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TypeVar

import numpy as np

from curation.balancing.counts import CountFiles
from curation.balancing.targets import EntryTargets
from curation.core.errors import HeadtailError

SMALLEST_T = 1e-9


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
    def entries(self) -> int:
        """Return the number of entries with a count above 0."""
        return len(self.counts)

    @property
    def matches(self) -> int | float:
        """Return the sum of all counts."""
        return self._cumulated[-1].item()

    @property
    def shared_matches(self) -> int | float:
        """Return the matches of which a tail share is a share: those of entries without a t of their own."""
        return self._cumulated[-1].item()

    def tail_share(self, t: float) -> float:
        """Return the share of all matches that are matches of entries with count < t."""
        below = self._below(t)
        return float(self._shares[below - 1]) if below else 0.0

    def entries_below(self, t: float) -> int:
        """Return how many entries have 0 < count < t."""
        return self._below(t)

    def _below(self, t: float) -> int:
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

    def t_of_capped(self, wished: float) -> float:
        """Return the t at which `matches_capped` is `wished`; next to 0, or just above all counts, where none is.

        >>> found = Distribution(np.array([2, 4, 10]))
        >>> [found.t_of_capped(wished) for wished in (3.0, 6.0, 8.0, 16.0)], found.t_of_capped(17.0) > 10
        ([1.0, 2.0, 3.0, 10.0], True)
        """
        before, slopes, capped = self._ramp
        at = int(np.searchsorted(capped, wished, side="left"))
        if at == len(capped):
            return float(np.nextafter(self.counts[-1], np.inf))
        return max(self._smallest_t, float((wished - before[at]) / slopes[at]))

    @property
    def _smallest_t(self) -> float:
        return SMALLEST_T

    @cached_property
    def _ramp(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`matches_capped` up to each count: the line's value at t = 0, its slope, and its value at the count."""
        slopes = self._slopes()
        before = np.append(0, self._cumulated[:-1])[: len(slopes)] + self._constant()
        return before, slopes, before + slopes * self.counts[: len(slopes)]

    def _slopes(self) -> np.ndarray:
        """Return by how much `matches_capped` grows with t up to each count."""
        return np.arange(len(self.counts), 0, -1, dtype=np.float64)

    def _constant(self) -> float:
        """Return the part of `matches_capped` that does not depend on t."""
        return 0.0


class TargetedDistribution(Distribution):
    """The counts of one language some of whose entries have targets (targets.py).

    `counts` are the effective ones, count / weight, of the entries without a t of their own: tail shares and thresholds
    are read from these. Where all entries have a t of their own, t decides nothing, and is read from all counts.
    """

    def __init__(self, counts: np.ndarray, values: np.ndarray) -> None:
        met = counts > 0
        if not met.any():
            raise ValueError("a distribution needs a count above 0")
        counts, values = counts[met], values[met]
        own = values < 0
        self._own_counts, self._own_ts = counts[own], -values[own]
        self._free = not own.all()
        self._largest_weight = float(values.max())
        if self._free:
            counts, values = counts[~own], values[~own]
        effective = counts / np.abs(values) if self._free else counts.astype(np.float64)
        order = np.argsort(effective, kind="stable")
        self.counts = effective[order]
        self._cumulated = np.cumsum(counts[order])
        self._shares = self._cumulated / self._cumulated[-1]
        self._weights = np.append(np.cumsum(np.abs(values)[order][::-1])[::-1], 0.0)

    @property
    def entries(self) -> int:
        """Return the number of entries with a count above 0."""
        return len(self._own_counts) + (len(self.counts) if self._free else 0)

    @property
    def matches(self) -> int | float:
        """Return the sum of all counts."""
        return self._own_counts.sum().item() + (super().matches if self._free else 0)

    def entries_below(self, t: float) -> int:
        """Return how many entries have a count below their own t, or else an effective count below t."""
        return int((self._own_counts < self._own_ts).sum()) + (self._below(t) if self._free else 0)

    def matches_capped(self, t: float) -> float:
        """Return the sum of min(count, threshold of the entry)."""
        own = float(np.minimum(self._own_counts, self._own_ts).sum())
        if not self._free:
            return own
        below = self._below(t)
        return own + float(self._cumulated[below - 1] if below else 0) + float(self._weights[below]) * t

    @property
    def _smallest_t(self) -> float:
        return SMALLEST_T / max(1.0, self._largest_weight)

    def _slopes(self) -> np.ndarray:
        return self._weights[:-1] if self._free else np.zeros(0)

    def _constant(self) -> float:
        return float(np.minimum(self._own_counts, self._own_ts).sum())


Value = TypeVar("Value")


class Distributions:
    """The distributions of all languages, one in memory at a time; `load` returns the counts of a language.

    `targets` are in the same counts.
    """

    def __init__(
        self, langs: Iterable[str], load: Callable[[str], np.ndarray], targets: EntryTargets | None = None
    ) -> None:
        self.langs = sorted(langs)
        self._load = load
        self._targets = targets
        self.smallest_t = SMALLEST_T / (targets.largest_weight if targets else 1.0)
        """The t at which next to nothing is kept, of entries with the largest weight as well."""

    @classmethod
    def of_files(cls, counts: CountFiles, targets: EntryTargets | None = None) -> "Distributions":
        """Return the distributions of the counts in files."""
        return cls(counts.langs(), counts.load, targets)

    def __getitem__(self, lang: str) -> Distribution:
        counts = self._load(lang)
        if self._targets and lang in self._targets.by_lang:
            return TargetedDistribution(counts, self._targets.values(lang, len(counts)))
        return Distribution(counts)

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
