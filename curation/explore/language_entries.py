"""The entries of one language with their numbers, from the table `entries` of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.probabilities import entry_probabilities
from curation.balancing.targets import EntryTargets
from curation.core.schemas import ENTRIES
from curation.core.table_reader import open_table_file


class Band(StrEnum):
    """Entries by their counts: all, those with t or more, those below t, those without a match."""

    all = "all"
    head = "head"
    tail = "tail"
    none = "none"


@dataclass(frozen=True)
class EntryRow:
    """An entry; numbers that are not known are None."""

    lang: str
    entry_id: int
    entry: str
    source: str | None
    count: int | None
    expected: float | None
    in_shards: int | None
    probability: float | None


@dataclass(frozen=True)
class LanguageEntries:
    """The rows of one language, sorted by id; `t` is the threshold of the language, None without one.

    `targets` are those of entries, in the same counts.
    """

    lang: str
    rows: pa.Table
    t: float | None
    targets: EntryTargets | None = None

    @classmethod
    def read(cls, files: Sequence[str], lang: str, t: float | None, targets: EntryTargets | None = None) -> Self:
        """Read the rows of one language; row groups of other languages are not read."""
        found = [ENTRIES.empty_table()]
        for path in files:
            with open_table_file(path, ENTRIES, further=None) as file:
                for group in range(file.num_row_groups):
                    statistics = file.metadata.row_group(group).column(0).statistics
                    if statistics and statistics.has_min_max and not statistics.min <= lang <= statistics.max:
                        continue
                    rows = file.read_row_group(group, columns=ENTRIES.names)
                    found.append(rows.filter(pc.equal(rows["lang"], lang)).cast(ENTRIES))
        return cls(lang, pa.concat_tables(found).combine_chunks(), t, targets)

    def of_id(self, entry_id: int) -> EntryRow | None:
        """Return an entry; None if the language has none with this id."""
        ids = self.rows["entry_id"].to_numpy()
        at = int(np.searchsorted(ids, entry_id))
        return self._row(at) if at < len(ids) and ids[at] == entry_id else None

    def find(self, text: str, is_prefix: bool, band: Band, first: int, limit: int) -> tuple[list[EntryRow], int]:
        """Return entries that hold a text, or begin with it, the most frequent ones first, and how many there are.

        Upper and lower case are the same here.
        """
        match = pc.starts_with if is_prefix else pc.match_substring
        chosen = match(self.rows["entry"], text, ignore_case=True).to_numpy() if text else np.ones(len(self.rows), bool)
        counts = self._counts()
        if band is Band.none:
            chosen = chosen & (counts == 0)
        elif band is not Band.all:
            t = np.inf if self.t is None else self.t
            counts = counts if self.targets is None else self._relative(counts, t)
            chosen = chosen & (counts >= t if band is Band.head else (counts > 0) & (counts < t))
        places = np.flatnonzero(chosen)
        order = places[np.argsort(-self._counts()[places], kind="stable")]
        return [self._row(int(place)) for place in order[first : first + limit]], len(order)

    def _counts(self) -> np.ndarray:
        return self.rows["count"].fill_null(0).to_numpy()

    def _relative(self, counts: np.ndarray, t: float) -> np.ndarray:
        """Return the counts of the rows relative to t, where entries have targets."""
        assert self.targets is not None
        ids = self.rows["entry_id"].to_numpy()
        by_id = np.zeros(int(ids.max(initial=-1)) + 1)
        by_id[ids] = counts
        return self.targets.relative(self.lang, by_id, t)[ids]

    def _row(self, place: int) -> EntryRow:
        (row,) = self.rows.slice(place, 1).to_pylist()
        probability = None
        if row["count"] is not None and self.t is not None:
            own = self.targets.of_entry(self.lang, row["entry_id"], self.t) if self.targets else None
            probability = float(entry_probabilities(np.array([row["count"]]), self.t if own is None else own)[0])
        return EntryRow(**row, probability=probability)
