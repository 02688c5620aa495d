"""Targets: entries whose threshold is not the t of their language.

| target | keep probability of an entry with this count | of before |
|---|---|---|
| `weight` w | w t / max(count, w t) | w = 1 |
| `t` of its own, t_e | t_e / max(count, t_e) | t_e = t of the language |

Concepts have targets, too: a namespace stands in the place of the language, as `concepts.<name>`.

With a weight, count / w is the effective count of an entry: its probability is that of an entry with this count. So all
that is kept at t is kept at a larger t, and t is solved for as without targets. An own t does not depend on t.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountFiles
from curation.core.kept_targets import SETTING, TARGETS, keep_targets, kept_targets
from curation.core.parts import Part

_SMALLEST = 1e-300
NAMESPACE = "concepts."
"""What the name of a namespace of concepts begins with, in the place of a language."""


@dataclass(frozen=True)
class EntryTargets:
    """The targets of entries by language: (entry ids int32[k], ascending, values float64[k]).

    A value above 0 is a weight, one below 0 is minus an own t. Those of concepts stand under `concepts.<name>`, until
    `of_concepts` gives them the names of their namespaces.
    """

    by_lang: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return sum(len(ids) for ids, _ in self.by_lang.values())

    @property
    def largest_weight(self) -> float:
        """The largest weight of an entry, at least 1, which is that of entries without a target."""
        return max([1.0, *(float(values.max(initial=1.0)) for _, values in self.of_entries().by_lang.values())])

    def of_entries(self) -> "EntryTargets":
        """Return the targets of entries alone."""
        return EntryTargets({lang: each for lang, each in self.by_lang.items() if not lang.startswith(NAMESPACE)})

    def of_concepts(self) -> "EntryTargets":
        """Return the targets of concepts alone, by namespace."""
        return EntryTargets(
            {lang[len(NAMESPACE) :]: each for lang, each in self.by_lang.items() if lang.startswith(NAMESPACE)}
        )

    @classmethod
    def of_rows(cls, rows: pa.Table) -> "EntryTargets":
        """Return the targets of rows as TARGETS has them; an entry has at most one row."""
        found = {}
        for lang in sorted(pc.unique(rows["lang"]).to_pylist()):
            own = rows.filter(pc.equal(rows["lang"], lang)).sort_by("entry_id")
            t, weight = (own[name].fill_null(0.0).to_numpy() for name in ("t", "weight"))
            found[lang] = (own["entry_id"].to_numpy(), np.where(t > 0, -t, weight))
        return cls(found)

    def rows(self) -> pa.Table:
        """Return the targets as TARGETS has them, ordered by (lang, entry_id)."""
        tables = [TARGETS.empty_table()]
        for lang, (ids, values) in sorted(self.by_lang.items()):
            t, weight = (pa.array(np.abs(values), mask=mask) for mask in (values > 0, values < 0))
            langs = pc.fill_null(pa.nulls(len(ids), pa.string()), lang)
            tables.append(pa.table([langs, ids, t, weight], schema=TARGETS))
        return pa.concat_tables(tables)

    def with_own(self, change: Callable[[np.ndarray], np.ndarray]) -> "EntryTargets":
        """Return the targets with each own t changed, such as to counts of the first pass."""
        found = {}
        for lang, (ids, values) in self.by_lang.items():
            found[lang] = (ids, np.where(values < 0, -change(np.abs(values)), values))
        return EntryTargets(found)

    def values(self, lang: str, size: int) -> np.ndarray:
        """Return the value of each entry id below `size`: float64, 1 where there is no target."""
        found = np.ones(size)
        if lang in self.by_lang:
            ids, values = self.by_lang[lang]
            found[ids[ids < size]] = values[ids < size]
        return found

    def effective(self, lang: str, counts: np.ndarray) -> np.ndarray:
        """Return what probabilities are computed from: counts / weights, and -t / count where the entry has its own t.

        The result is float64, or `counts` where no entry of the language has a target.
        """
        if lang not in self.by_lang:
            return counts
        ids, values = self.by_lang[lang]
        end = int(np.searchsorted(ids, len(counts)))
        ids, values = ids[:end], values[:end]
        found = counts.astype(np.float64)
        found[ids] /= values
        is_own = values < 0
        own = ids[is_own]
        with np.errstate(divide="ignore"):
            found[own] = np.minimum(values[is_own] / counts[own], -_SMALLEST)  # 0 would be no own t
        return found

    def tail(self, lang: str, counts: np.ndarray, t: float) -> np.ndarray:
        """Return whether each entry id is below its threshold: count < own t, or count / weight < t, as forecasts do.

        The product weight * t is rounded in another way, so it must not decide.
        """
        values = self.values(lang, len(counts))
        return np.where(values < 0, counts < -values, counts / np.abs(values) < t)

    def relative(self, lang: str, counts: np.ndarray, t: float) -> np.ndarray:
        """Return the counts that are to t, the threshold of the language, what these are to those of the entries."""
        if lang not in self.by_lang:
            return counts
        values = self.values(lang, len(counts))
        with np.errstate(invalid="ignore"):  # t is infinite where there is none
            of_own = counts * (t / -values)
        of_own = np.where(counts < -values, np.minimum(of_own, np.nextafter(t, 0.0)), np.maximum(of_own, t))
        return np.where(values < 0, np.where(counts > 0, of_own, 0.0), counts / np.abs(values))

    def of_entry(self, lang: str, entry_id: int, t: float) -> float | None:
        """Return the threshold of an entry that has a target, given that of the language; None if it has none."""
        ids, values = self.by_lang.get(lang, (np.zeros(0, np.int32), np.zeros(0)))
        at = int(np.searchsorted(ids, entry_id))
        if at == len(ids) or ids[at] != entry_id:
            return None
        return float(values[at] * t if values[at] > 0 else -values[at])

    def thresholds(self, lang: str, t: float, size: int) -> np.ndarray:
        """Return the threshold of each entry id below `size`, given that of the language: float64."""
        values = self.values(lang, size)
        return np.where(values < 0, -values, values * t)


@dataclass(frozen=True)
class EffectiveCounts(Mapping[str, np.ndarray]):
    """The counts of CountFiles, or of a mapping, with targets: `effective` of each language, computed once."""

    counts: CountFiles | Mapping[str, np.ndarray]
    targets: EntryTargets

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", {})

    def __getitem__(self, lang: str) -> np.ndarray:
        found: dict[str, np.ndarray] = vars(self)["_found"]
        if lang not in found:
            found[lang] = self.targets.effective(lang, self.counts[lang])
        return found[lang]

    def __iter__(self) -> Iterator[str]:
        return iter(self.counts.langs() if isinstance(self.counts, CountFiles) else self.counts)

    def __len__(self) -> int:
        return len(list(iter(self)))


Counts = CountFiles | Mapping[str, np.ndarray]
"""Counts by language: what `text_probabilities` takes."""


def with_targets(counts: Counts, targets: EntryTargets | None) -> Counts:
    """Return counts from which the probabilities with these targets are computed; the counts themselves without any."""
    return EffectiveCounts(counts, targets) if targets else counts


def write_targets(targets: EntryTargets | None, folder: str) -> None:
    """Keep the targets of a balance in the folder of a part of its tables."""
    if targets:
        keep_targets(targets.rows(), folder)


def targets_of(part: Part, balance: Mapping[str, Any] | None = None) -> EntryTargets | None:
    """Return the targets that are kept with a part; None if the balance had none.

    Their own t are in counts of the first pass with a part of `thresholds`, as its t, else in counts of survivors.
    `balance` are the settings of the balance; None: those of the part.
    """
    settings = part.manifest["settings"] if balance is None else balance
    return EntryTargets.of_rows(kept_targets(part.path)) if SETTING in settings else None
