"""Thresholds: from the goal of balancing to a t for every language."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.distributions import Distribution, Distributions
from curation.balancing.probabilities import entry_probabilities, entry_repeats
from curation.balancing.targets import EntryTargets
from curation.core import storage
from curation.core.choices import Others
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import added
from curation.core.schemas import THRESHOLDS
from curation.core.table_reader import read_rows

Number = TypeVar("Number", float, np.ndarray)
REPEATS = "repeats"
"""The folder of repeats in the folder of entry probabilities."""


@dataclass(frozen=True)
class ThresholdRule:
    """How a threshold of the reference language becomes the thresholds of all languages.

    With `others=tail_share` each language gets the t at which its tail share is the reference's; with `same_t` each
    gets the reference's t; with `shares` each gets the t that keeps, of its images, those of the reference times the
    quotient of their `shares` (1 where none is given), or all that it has (language_shares.py). `t_by_language`
    overrides these for the languages that it names. Where the goal is a tail share, every language has that share, the
    reference among them; with `shares` the reference alone.

    `yields` are the images that are kept for each of min(count, t), by language; 1 where they are not solved yet.
    """

    reference: str
    others: Others
    t_by_language: Mapping[str, float]
    shares: Mapping[str, float] = added({}, default_factory=dict)
    yields: Mapping[str, float] = added({}, default_factory=dict)

    def thresholds(self, distributions: Distributions, ts: Iterable[float]) -> dict[str, np.ndarray]:
        """Return {lang: float64 array}: every language's t for each reference t of `ts`."""
        grid = np.array(list(ts), np.float64)
        reference = distributions.reference(self.reference)
        if self.others == Others.shares:
            wished = self._scale(reference, grid)
            return distributions.each(lambda lang, counts: self._of_scale(lang, counts, grid, wished))
        shares = [reference.tail_share(t) for t in grid]
        return distributions.each(lambda lang, counts: self._one(lang, counts, grid, shares))

    def _scale(self, reference: Distribution, grid: np.ndarray) -> np.ndarray:
        """Return the images that a language with a share of 1 is to keep at each reference t of `grid`.

        They follow from those of the reference, which has no more above its largest count. From there on they grow as
        t does, so that languages that have more can go on.
        """
        largest = float(reference.counts[-1])
        kept = np.array([reference.matches_capped(min(t, largest)) * max(1.0, t / largest) for t in grid])
        return kept * self.yields.get(self.reference, 1.0) / self.shares.get(self.reference, 1.0)

    def _of_scale(self, lang: str, counts: Distribution, grid: np.ndarray, wished: np.ndarray) -> np.ndarray:
        if lang in self.t_by_language:
            return np.full(len(grid), float(self.t_by_language[lang]))
        if lang == self.reference:
            return grid
        capped = wished * self.shares.get(lang, 1.0) / self.yields.get(lang, 1.0)
        return np.array([counts.t_of_capped(one) for one in capped])

    def scale(self, distributions: Distributions, t: float) -> float:
        """Return the images that a language with a share of 1 is to keep at a reference t, where it has so many."""
        return float(self._scale(distributions.reference(self.reference), np.array([t]))[0])

    def t_of_all(self, distributions: Distributions) -> float:
        """Return the reference t from which on all languages keep all that they have, where `others` is `shares`."""
        reference = distributions.reference(self.reference)
        largest = float(reference.counts[-1])
        (unit,) = self._scale(reference, np.array([largest]))
        most = distributions.each(
            lambda lang, counts: (
                counts.matches_capped(2 * counts.counts[-1]) * self.yields.get(lang, 1.0) / self.shares.get(lang, 1.0)
            )
        )
        return largest * max(1.0, max(most.values()) / unit)

    def _one(self, lang: str, counts: Distribution, grid: np.ndarray, shares: list[float]) -> np.ndarray:
        if lang in self.t_by_language:
            return np.full(len(grid), float(self.t_by_language[lang]))
        if lang == self.reference or self.others == Others.same_t:
            return grid
        return np.array([counts.t_of_share(share) for share in shares])

    def thresholds_of_share(self, distributions: Distributions, share: float) -> dict[str, float]:
        """Return {lang: t} for a tail share that is the same in every language."""
        return distributions.each(lambda lang, counts: float(self.t_by_language.get(lang, counts.t_of_share(share))))


@dataclass(frozen=True)
class BalanceGoal:
    """The goal of balancing: `t` of the reference language, a `tail_share` of every language, or `target_images`.

    The goal is set for the survivors, the images that are left after download and filters. `headroom` is the share of
    images assumed to survive, above 0 and at most 1. The first pass draws before the download, from counts that are
    larger by 1 / headroom, so a threshold has two values:

    | name | compared with counts of |
    |---|---|
    | `survivors_t` | survivors; this is the `t` that a user gives |
    | `first_pass_t` | all matches: survivors_t / headroom |

    `solved_t` is the `first_pass_t` at which `target_images` survivors are expected, once it is solved. A tail share
    needs no correction: an even loss does not change it. All arithmetic with headroom is in this class.
    """

    rule: ThresholdRule
    t: float | None
    tail_share: float | None
    target_images: float | None
    headroom: float
    solved_t: float | None = None

    @property
    def survivors_t(self) -> float | None:
        """The reference language's t in counts of survivors; None for a tail share or an unsolved target."""
        return self.t if self.solved_t is None else self.to_survivors(self.solved_t)

    @property
    def first_pass_t(self) -> float | None:
        """The reference language's t in counts of the first pass; None for a tail share or an unsolved target."""
        # Not computed from survivors_t: a solved t may be a count, which a product and a quotient would change.
        return self.solved_t if self.t is None else self.to_first_pass(self.t)

    @property
    def first_pass_rule(self) -> ThresholdRule:
        """The rule with its `t_by_language` in counts of the first pass."""
        given = {lang: self.to_first_pass(t) for lang, t in self.rule.t_by_language.items()}
        return replace(self.rule, t_by_language=given)

    def cautions(self, langs: Collection[str], max_per_domain: int | None, forecast: bool) -> list[str]:
        """Return a line where nothing matches at all, or where a setting does not do what one may expect of it.

        `langs` are the languages with matches. With `forecast` the images are only counted.

        >>> goal = BalanceGoal(ThresholdRule("en", Others.same_t, {"de": 5.0}), 20.0, None, None, 1.0)
        >>> goal.cautions(["en"], None, forecast=False)
        ['no text matches an entry in de: their balance.t_by_language is not used']
        >>> len(goal.cautions([], 100, forecast=True)), goal.cautions(["de", "en"], 100, forecast=False)
        (3, [])
        """
        lines = [] if langs else ["no text matches an entry: see entry_lists and languages of match_pairs"]
        if max_per_domain and (forecast or self.target_images is not None):
            lines.append("expects images without regard to balance.max_per_domain: where it drops some, fewer are kept")
        for name, given in (("t_by_language", self.rule.t_by_language), ("shares", self.rule.shares)):
            if unmatched := sorted(set(given) - set(langs)):
                lines.append(f"no text matches an entry in {', '.join(unmatched)}: their balance.{name} is not used")
        return lines

    def to_first_pass(self, t: float) -> float:
        """Return a threshold of survivors' counts as one of first-pass counts."""
        return t / self.headroom

    def first_pass_targets(self, targets: EntryTargets | None) -> EntryTargets | None:
        """Return targets of entries, whose own t are in counts of survivors, with these in counts of the first pass."""
        return targets.with_own(lambda ts: ts / self.headroom) if targets else None

    def to_survivors(self, t: float) -> float:
        """Return a threshold of first-pass counts as one of survivors' counts."""
        return t * self.headroom

    def expected_samples(self, images: Number) -> Number:
        """Return how many of `images` that are kept by the first pass are expected to survive."""
        return images * self.headroom

    @property
    def solution(self) -> dict[str, Any]:
        """What was solved, as the manifest of `curated` has it: `solved_t`, and `yields` if languages have shares."""
        yields = {"yields": dict(self.rule.yields)} if self.rule.yields else {}
        return {"solved_t": self.solved_t, **yields}

    def of_survivors(self) -> "BalanceGoal":
        """Return the same goal for counts of the survivors themselves, which lose nothing more."""
        return replace(self, t=self.survivors_t, target_images=None, headroom=1.0, solved_t=None)

    def thresholds(self, distributions: Distributions) -> dict[str, float]:
        """Return the first pass's t of every language, in the order of their codes."""
        if self.first_pass_t is not None:
            found = self.first_pass_rule.thresholds(distributions, [self.first_pass_t])
            return {lang: float(ts[0]) for lang, ts in found.items()}
        if self.tail_share is None:
            raise ValueError("target_images has to be solved first: there is no t yet")
        if self.rule.others == Others.shares:
            t = distributions.reference(self.rule.reference).t_of_share(self.tail_share)
            return {lang: float(ts[0]) for lang, ts in self.first_pass_rule.thresholds(distributions, [t]).items()}
        return self.first_pass_rule.thresholds_of_share(distributions, self.tail_share)

    def describe(self, t: Mapping[str, float]) -> str:
        """Return the goal and the first pass's thresholds `t` that it led to, for the stage's line.

        >>> BalanceGoal(ThresholdRule("en", Others.same_t, {}), None, None, 3_000, 1.0, 0.25).describe({"en": 0.25})
        'target_images=3,000, t=0.25 for en, 1 language; a t below 1 thins rare entries like frequent ones'
        """
        name = next(name for name in ("t", "tail_share", "target_images") if getattr(self, name) is not None)
        asked = f"{name}={getattr(self, name):,.10g}"
        found = t.get(self.rule.reference)
        first = "first pass " if self.headroom < 1.0 else ""  # else it is the only one
        came = f", {first}t={found:,.8g} for {self.rule.reference}" if found not in (None, self.t) else ""
        even = "; a t below 1 thins rare entries like frequent ones" if any(each < 1 for each in t.values()) else ""
        return f"{asked}{came}, {len(t)} {'language' if len(t) == 1 else 'languages'}{even}"


def write_thresholds(
    distributions: Distributions, t: Mapping[str, float], expected: Mapping[str, Mapping[str, float]], folder: str
) -> Receipt:
    """Write `thresholds`: for each language its t, the tail share at t, and the expected pairs and images."""
    rows = [
        {
            "lang": lang,
            "t": t[lang],
            "tail_share": found.tail_share(t[lang]),
            "entries": found.entries,
            "matches": found.matches,
            "expected_pairs": expected["expected_pairs"].get(lang, 0.0),
            "expected_images": expected["expected_images"].get(lang, 0.0),
        }
        for lang in distributions.langs
        for found in [distributions[lang]]
    ]
    with ParquetSink(storage.join(folder, "thresholds.parquet"), THRESHOLDS) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, THRESHOLDS))
    return Receipt(folder, rows_in=len(rows), rows_out=len(rows), outputs=[sink.output()])


def write_probabilities(
    counts: CountFiles,
    thresholds: Part,
    folder: str,
    targets: EntryTargets | None = None,
    max_repeats: float | None = None,
) -> None:
    """Write `<lang>.npy` for each language, unless the files of these thresholds exist: float32, indexed by entry_id.

    Beyond the end of an array the probability is 1. `thresholds.json`, written last, holds the id of the thresholds and
    each language's t. `targets` are those of the first pass. With `max_repeats`, `repeats/<lang>.npy` holds the
    repeats of the tail, float32, 1 beyond the end.
    """
    rows = [row for file in thresholds.files for row in read_rows(file, THRESHOLDS).to_pylist()]
    ts: dict[str, float] = {row["lang"]: row["t"] for row in rows}
    description: dict[str, Any] = {"id": thresholds.id, "t": ts}
    if max_repeats is not None:
        description["max_repeats"] = max_repeats
    path = storage.join(folder, "thresholds.json")
    with suppress(FileNotFoundError):
        if storage.read_json(path) == description:
            return
    storage.remove(path)
    for name in storage.list_folder(folder):
        if name.endswith(".npy"):  # of an older run; other files in the folder stay
            storage.remove(storage.join(folder, name))
    storage.remove(storage.join(folder, REPEATS))
    for lang, t in ts.items():
        found = targets.effective(lang, counts.load(lang)) if targets else counts.load(lang)
        save_array(storage.join(folder, f"{lang}.npy"), entry_probabilities(found, t).astype(np.float32))
        if max_repeats is not None:
            repeats = entry_repeats(found, t, max_repeats).astype(np.float32)
            save_array(storage.join(folder, REPEATS, f"{lang}.npy"), repeats)
    storage.write_json(path, description)
