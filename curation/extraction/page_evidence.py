"""The language of a page's longer texts: evidence for its short ones."""

import numpy as np

from curation.extraction.language_rule import CODES, LONG_LETTERS, MIN_LONG_TEXTS, NO_CODE, SURE, Classified


class PageLanguages:
    """Counts the longer texts of pages by language; the order in which texts are added does not matter."""

    def __init__(self) -> None:
        self._votes = np.zeros(0, np.int64)
        self._counts = np.zeros(0, np.int64)

    def add(self, texts: Classified, pages: np.ndarray) -> None:
        """Add texts with the numbers of their pages (int64, n), which are not negative."""
        owned = texts.owner != NO_CODE
        speaks = (texts.scripts.letters >= LONG_LETTERS) & (
            owned | (texts.known & texts.written & (texts.score >= SURE))
        )
        codes = np.where(owned, texts.owner, texts.code)
        rows = np.flatnonzero(speaks[texts.place])
        votes = pages[rows].astype(np.int64) * len(CODES) + codes[texts.place[rows]]
        joined = np.concatenate([np.repeat(self._votes, self._counts), votes])
        self._votes, self._counts = np.unique(joined, return_counts=True)

    def of(self, pages: np.ndarray) -> np.ndarray:
        """Return the language of each page (int16, numbers in CODES), NO_CODE for a page without one.

        >>> PageLanguages().of(np.array([0, 1])).tolist()
        [-1, -1]
        """
        voted, codes = np.divmod(self._votes, len(CODES))
        distinct, place = np.unique(voted, return_inverse=True)
        sums = np.zeros(len(distinct), np.int64)
        np.add.at(sums, place, self._counts)
        wins = (self._counts * 2 > sums[place]) & (self._counts >= MIN_LONG_TEXTS)
        winners = np.full(len(distinct), NO_CODE, np.int16)
        winners[place[wins]] = codes[wins]
        at = np.searchsorted(distinct, pages)
        inside = at < len(distinct)
        found = np.full(len(pages), NO_CODE, np.int16)
        matching = np.flatnonzero(inside)[distinct[at[inside]] == pages[inside]]
        found[matching] = winners[at[matching]]
        return found
