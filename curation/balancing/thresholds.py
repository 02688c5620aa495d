"""Thresholds: what the user wishes, as a t for every language."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.distributions import Distribution, Distributions
from curation.balancing.probabilities import entry_probabilities
from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.schemas import THRESHOLDS
from curation.core.tables import Part


@dataclass(frozen=True)
class Rule:
    """How a reference threshold becomes the thresholds of all languages.

    `others` is `tail_share` (each language at the reference's tail share) or `same_t`; `t_by_language` overrides
    both for the languages it names. Given `tail_share`, every language, the reference among them, has that share.
    """

    reference: str = "en"
    others: str = "tail_share"
    t_by_language: Mapping[str, float] = field(default_factory=dict)

    def thresholds(self, distributions: Distributions, ts: Iterable[float]) -> dict[str, np.ndarray]:
        """Return {lang: float64 array}: every language's t for each reference t of `ts`."""
        grid = np.array(list(ts), np.float64)
        reference = distributions.reference(self.reference)
        shares = [reference.tail_share(t) for t in grid]
        return distributions.each(lambda lang, found: self._one(lang, found, grid, shares))

    def _one(self, lang: str, found: Distribution, grid: np.ndarray, shares: list[float]) -> np.ndarray:
        if lang in self.t_by_language:
            return np.full(len(grid), float(self.t_by_language[lang]))
        if lang == self.reference or self.others == "same_t":
            return grid
        return np.array([found.t_of_share(share) for share in shares])

    def thresholds_of_share(self, distributions: Distributions, share: float) -> dict[str, float]:
        """Return {lang: t} for a tail share that is the same in every language."""
        return distributions.each(lambda lang, found: float(self.t_by_language.get(lang, found.t_of_share(share))))


@dataclass(frozen=True)
class Wish:
    """What the user asks for: `t` of the reference language, a `tail_share` for every language, or `target_images`.

    `headroom` is the share of images assumed to survive download and filters. t speaks of the counts of what
    survives, so the first pass, on the counts before, draws with t / headroom; target_images are survivors too, and
    `solved_t` the first pass's t of the reference language at which they are expected. A tail share is the same before
    and after an even loss, and leads to the threshold before as it is.
    """

    rule: Rule
    t: float | None = None
    tail_share: float | None = None
    target_images: float | None = None
    headroom: float = 1.0
    solved_t: float | None = None

    @property
    def first_rule(self) -> Rule:
        """The rule in counts of the first pass."""
        given = {lang: t / self.headroom for lang, t in self.rule.t_by_language.items()}
        return replace(self.rule, t_by_language=given)

    def thresholds(self, distributions: Distributions) -> dict[str, float]:
        """Return the first pass's t of every language, in the order of their codes."""
        first_t = self.solved_t if self.t is None else self.t / self.headroom
        if first_t is not None:
            found = self.first_rule.thresholds(distributions, [first_t])
            return {lang: float(ts[0]) for lang, ts in found.items()}
        if self.tail_share is None:
            raise ValueError("a wish for images has to be solved first: it has no t")
        return self.first_rule.thresholds_of_share(distributions, self.tail_share)

    def describe(self, t: Mapping[str, float]) -> str:
        """Return what was asked and what it came to, for the stage's line."""
        name = next(name for name in ("t", "tail_share", "target_images") if getattr(self, name) is not None)
        asked = f"{name}={getattr(self, name):,.10g}"
        reference = self.rule.reference
        came = f", first pass t={t[reference]:,.8g} for {reference}" if reference in t else ""
        return f"{asked}{came}, {len(t)} languages"


def write_thresholds(
    counts: CountFiles, t: Mapping[str, float], expected: Mapping[str, Mapping[str, float]], folder: str
) -> Receipt:
    """Write `thresholds`: what each language's t means, and what it is expected to keep."""
    rows = [
        {
            "lang": lang,
            "t": t[lang],
            "tail_share": found.tail_share(t[lang]),
            "entries": len(found.counts),
            "matches": found.matches,
            "expected_pairs": expected["expected_pairs"].get(lang, 0.0),
            "expected_images": expected["expected_images"].get(lang, 0.0),
        }
        for lang in counts.langs()
        for found in [Distribution(counts.load(lang))]
    ]
    with storage.ParquetSink(storage.join(folder, "thresholds.parquet"), THRESHOLDS) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, THRESHOLDS))
    return Receipt(folder, rows_in=len(rows), rows_out=len(rows), outputs=[sink.output()])


def write_probabilities(counts: CountFiles, thresholds: Part, folder: str) -> None:
    """Write `<lang>.npy` for each language, unless they are those of these thresholds: float32, indexed by entry_id.

    Beyond the end of an array the probability is 1. `thresholds.json` beside them, written last, tells what they are.
    """
    rows = [row for file in thresholds.files for batch in storage.read_batches(file) for row in batch.to_pylist()]
    told = {"id": thresholds.id, "t": {row["lang"]: row["t"] for row in rows}}
    path = storage.join(folder, "thresholds.json")
    with suppress(FileNotFoundError):
        if storage.read_json(path) == told:
            return
    storage.remove(path)
    for name in storage.list_folder(folder):
        if name.endswith(".npy"):  # of an older run; whatever else a user keeps there stays
            storage.remove(storage.join(folder, name))
    for lang, t in told["t"].items():
        probabilities = entry_probabilities(counts.load(lang), t)
        save_array(storage.join(folder, f"{lang}.npy"), probabilities.astype(np.float32))
    storage.write_json(path, told)
