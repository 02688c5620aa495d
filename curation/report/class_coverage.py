"""How far the classes of benchmarks are covered: their counts in texts, after balancing and in shards, and distances.

The distance is that of the first paper's appendix A.4 (Demystifying CLIP Data, arXiv 2309.16671): the divergence
KL(task || data) of a task that asks for each of its n classes equally often from the shares q of the matches that data
has on them, -ln n - (1/n) sum ln q, in nats. A class without a match makes it infinite.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.balancing.counts import CountFiles
from curation.balancing.entry_table import EXPECTED_UNIT, EntryNumbers
from curation.balancing.targets import EntryTargets
from curation.report.class_lists import ClassList
from curation.report.class_lookup import ABSENT, CASE, ENTRY, PART, FoundClass, numbers_of

SHOWN_CLASSES = 1000
"""Classes of a task that are named, the rarest first: all of ImageNet-1k."""
ALERT_SHARE = 0.1
"""A task is an alert where this share of its classes, or more, has no text or sample."""

Values = dict[str, Any]


def divergence(counts: np.ndarray, total: float) -> float:
    """Return KL(task || data) in nats of classes with these counts, of `total` over all entries; 0 counts: infinite.

    In the first paper MNIST has 8.1 and CLEVR 8.3: ten and eight classes at t = 20,000 of 630 million.

    >>> [round(divergence(np.full(n, 20_000), 630e6), 2) for n in (10, 8)]
    [8.06, 8.28]
    """
    if not len(counts) or not total or counts.min() <= 0:
        return float("inf")
    return float(-np.log(len(counts)) - np.mean(np.log(counts / total)))


@dataclass(frozen=True)
class CoverageNumbers:
    """The numbers of entries by language: texts, thresholds, and texts expected and samples in shards where known."""

    raw: CountFiles
    t: Mapping[str, float | None]
    expected: CountFiles | None = None
    in_shards: CountFiles | None = None
    targets: EntryTargets | None = None
    _sums: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        raw: CountFiles,
        thresholds: Mapping[str, Values],
        added: EntryNumbers | None,
        targets: EntryTargets | None = None,
    ) -> "CoverageNumbers":
        """Return the numbers of a run: `thresholds` are rows of the table, `added` the numbers of table `entries`.

        `targets` are those of entries.
        """
        t = {lang: row["t"] for lang, row in thresholds.items()}
        known = added or EntryNumbers()
        return cls(raw, t, known.expected, known.in_shards, targets)

    def stages(self, lang: str, ids: np.ndarray) -> dict[str, tuple[np.ndarray, float]]:
        """Return by stage the counts of entries of a language, and the sum over all its entries.

        The stages are `raw`, `balanced` (min(count, t)), `expected` and `in_shards`, as far as they are known.
        """
        found = {"raw": self._raw(lang, ids)}
        if (t := self.t.get(lang)) is not None:
            ts = self._thresholds(lang, t)
            own = ts if isinstance(ts, float) else numbers_of(ts, ids)
            found["balanced"] = (np.minimum(found["raw"][0], own), self._balanced_sum(lang, ts))
        for name, files, unit in (("expected", self.expected, EXPECTED_UNIT), ("in_shards", self.in_shards, 1)):
            if files:
                values = files.load(lang)
                counts = numbers_of(values, ids)
                found[name] = (counts / unit if unit > 1 else counts, self._sum(name, lang, values) / unit)
        return found

    def _raw(self, lang: str, ids: np.ndarray) -> tuple[np.ndarray, float]:
        values = self.raw.load(lang)
        return numbers_of(values, ids), self._sum("raw", lang, values)

    def _thresholds(self, lang: str, t: float) -> float | np.ndarray:
        """Return the threshold of a language, or those of its entries where some have targets."""
        targeted = self.targets and lang in self.targets.by_lang
        return self.targets.thresholds(lang, t, len(self.raw.load(lang))) if targeted and self.targets else t

    def _balanced_sum(self, lang: str, t: float | np.ndarray) -> float:
        key = ("balanced", lang)
        if key not in self._sums:
            self._sums[key] = float(np.minimum(self.raw.load(lang), t).sum())
        return self._sums[key]

    def _sum(self, name: str, lang: str, values: np.ndarray) -> float:
        if (name, lang) not in self._sums:
            self._sums[name, lang] = float(values.sum())
        return self._sums[name, lang]


def coverage_values(
    lists: Iterable[ClassList], found: Iterable[Mapping[str, Any]], numbers: CoverageNumbers
) -> list[Values]:
    """Return a row of report.json for each task and language that has an entry list; `found` are `FoundClass` dicts."""
    by_name = {(each["lang"], each["name"]): FoundClass(**each) for each in found}
    langs = {lang for lang, _ in by_name}
    return [
        _row(each, [by_name[each.lang, name] for name in each.names], numbers) for each in lists if each.lang in langs
    ]


def _row(task: ClassList, classes: Sequence[FoundClass], numbers: CoverageNumbers) -> Values:
    stages = numbers.stages(task.lang, np.array([each.entry_id for each in classes]))
    last = next(name for name in ("in_shards", "expected", "raw") if name in stages)
    order = np.argsort(stages[last][0], kind="stable").tolist()
    zero = int((stages[last][0] <= 0).sum())
    rarest = {"class": classes[order[0]].name, "exposures": _plain(stages[last][0][order[0]])}
    return {
        "task": task.task,
        "lang": task.lang,
        "classes": len(classes),
        **{f"{kind}_classes": sum(each.match == kind for each in classes) for kind in (ENTRY, CASE, PART, ABSENT)},
        "stages": {name: _stage(*stage) for name, stage in stages.items()},
        "zero": zero,
        "zero_in": last,
        "alert": zero >= ALERT_SHARE * len(classes),
        "rarest": None if last == "raw" else rarest,
        "names": [
            {
                "class": classes[k].name,
                "match": classes[k].match,
                "entry": classes[k].entry,
                **{name: _plain(counts[k]) for name, (counts, _) in stages.items()},
            }
            for k in order[:SHOWN_CLASSES]
        ],
    }


def _stage(counts: np.ndarray, total: float) -> Values:
    """Return the classes without a count, and the divergence: of all classes, and of those that have a count."""
    whole, counted = divergence(counts, total), divergence(counts[counts > 0], total)
    return {
        "zero": int((counts <= 0).sum()),
        "kl": round(whole, 6) if np.isfinite(whole) else None,
        "kl_counted": round(counted, 6) if np.isfinite(counted) else None,
    }


def _plain(value: Any) -> float | int:
    """Return a number as JSON has it: a count as an integer, an expectation with three decimals."""
    return int(value) if value == int(value) else round(float(value), 3)


def alerts(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each task many of whose classes have no text or sample."""
    where = {"in_shards": "have no sample in the shards", "expected": "keep no text", "raw": "have no text"}
    return [
        f"{row['task']}: {row['zero']:,} of {row['classes']:,} classes {where[row['zero_in']]}"
        for row in rows
        if row["alert"]
    ]


def divergence_text(stage: Mapping[str, Any]) -> str:
    """Return a divergence with two decimals; an infinite one with that of the classes that have a count.

    >>> divergence_text({"kl": 8.055, "kl_counted": 8.055}), divergence_text({"kl": None, "kl_counted": 7.1})
    ('8.05', '∞ (7.10)')
    """
    if stage["kl"] is not None:
        return f"{stage['kl']:.2f}"
    return "∞" if stage["kl_counted"] is None else f"∞ ({stage['kl_counted']:.2f})"
