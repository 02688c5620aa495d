"""What other thresholds would keep: the forecast of a report, with the run's own threshold among its points.

It is that of `balance_pairs forecast=true` (curation/balancing/forecast.py). A large run is forecast from some of its
buckets: an image's bucket is the beginning of its hash, so they are a random sample, and their sums are scaled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from curation.balancing.counts import BucketsTask, plan_counting
from curation.balancing.forecast import Expectation, ForecastGrid, add_forecasts
from curation.balancing.forecast_table import ForecastPlan, ForecastPoints, Rates, forecast_rows, grid_with_goal
from curation.report.run_tables import RunTables, StageTotals
from curation.shards.second_balance import CONCEPTS, FirstBalance

MAX_IMAGES = 4_000_000
"""Of more matched images than this, about so many are read: some six core-seconds."""

Values = dict[str, Any]


@dataclass(frozen=True)
class WhatIf:
    """The plan of the forecast of a run: its balance, the points, and the place of the run's thresholds among them."""

    tables: RunTables
    first: FirstBalance
    points: list[float]
    ts: Mapping[str, np.ndarray]
    place: int

    @classmethod
    def make(cls, tables: RunTables) -> Self | None:
        """Return the plan; None where nothing matched, the thresholds are gone, or concepts decided with them."""
        t = {lang: row["t"] for lang, row in tables.thresholds().items()}
        langs = tables.counts.langs()
        if not langs or set(langs) - set(t):
            return None
        manifest = tables.parts["balance_pairs"][-1].manifest
        if CONCEPTS in manifest["settings"]:  # a forecast does not know them
            return None
        solution = {key: manifest[key] for key in ("solved_t", "yields") if key in manifest}
        first = FirstBalance.of_settings(manifest["settings"] | solution)
        if first.goal.rule.reference not in langs:  # a tail share needs no reference language
            matches = {lang: row["matches"] for lang, row in tables.thresholds().items() if lang in langs}
            rule = replace(first.goal.rule, reference=min(langs, key=lambda lang: (-matches[lang], lang)))
            first = replace(first, goal=replace(first.goal, rule=rule))
        return cls(tables, first, *grid_with_goal(first.goal, tables.distributions(), t))

    @property
    def grid(self) -> ForecastGrid:
        """The grid for `forecast_buckets`."""
        matches = self.tables.matches
        counts = self.tables.counts.folder
        merged = (matches.max_texts, matches.salt)
        return ForecastGrid(self.first.unit, self.first.seed, counts, self.ts, *merged, self.tables.targets())

    @property
    def buckets(self) -> Sequence[list[str]]:
        """The files of the buckets that are read."""
        every, images = self.tables.matches.buckets, self.tables.matched["images"]
        return every if images <= MAX_IMAGES else every[: max(1, len(every) * MAX_IMAGES // images)]

    def tasks(self, parallelism: int, work: str) -> list[BucketsTask]:
        """Return the tasks for `forecast_buckets`, which write to the folder `work`."""
        return plan_counting(self.buckets, parallelism, work)

    def values(self, outputs: Sequence[str], stages: Mapping[str, StageTotals], assumed: Rates) -> Values:
        """Return the forecast as report.json has it, from the files of the tasks.

        Disk and time are those of this run where it has shards and downloads, else as `assumed`.
        """
        share = len(self.tables.matches.buckets) / len(self.buckets)
        nothing = Expectation(*[np.zeros(len(self.points))] * 4)  # of a language that the sample does not hold
        found = dict.fromkeys(self.ts, nothing)
        found |= {lang: _scaled(each, share) for lang, each in add_forecasts(outputs).items()}
        rates, is_measured = self._rates(stages, assumed)
        goal = self.first.goal
        points = ForecastPoints(self.points, self.ts, found)
        rows = forecast_rows(self.tables.distributions(), points, ForecastPlan((), rates, {}), goal)
        survive = self._survivors(stages)
        overall = [row for row in rows if row["lang"] == "all"]
        reference = goal.rule.reference
        return {
            "reference": reference,
            "place": self.place,
            "kept_images": stages["balance_pairs"].receipt.rows_out,
            "sampled": share > 1,
            "limit": bool(self.tables.parts["balance_pairs"][-1].manifest["settings"].get("max_per_domain")),
            "measured": is_measured,
            "images_per_second": rates.images_per_second,
            "bytes_per_image": rates.bytes_per_image,
            "survivors": survive,
            "points": [
                {
                    "t": row["reference_t"],
                    "tail_share": row["tail_share"],
                    "texts": row["expected_pairs"],
                    "images": row["expected_images"],
                    "samples": row["expected_images"] * survive,
                    "bytes": row["expected_images"] * survive * rates.bytes_per_image,
                    "seconds": row["hours"] * 3600,
                }
                for row in overall
            ],
        }

    def _survivors(self, stages: Mapping[str, StageTotals]) -> float:
        """The share of kept images that become samples: that of this run, unless a second balance drew again."""
        shards = stages.get("write_shards")
        if shards and shards.receipt.rows_in and not self.tables.second_balance():
            return shards.receipt.rows_out / shards.receipt.rows_in
        return self.first.goal.headroom

    @staticmethod
    def _rates(stages: Mapping[str, StageTotals], assumed: Rates) -> tuple[Rates, bool]:
        shards, downloads = stages.get("write_shards"), stages.get("download_images")
        if not (shards and shards.receipt.rows_out and downloads and downloads.seconds and downloads.receipt.rows_in):
            return assumed, False
        return Rates(downloads.receipt.rows_in / downloads.seconds, shards.bytes / shards.receipt.rows_out), True


def _scaled(found: Expectation, factor: float) -> Expectation:
    pairs, images = found.pairs * factor, found.images * factor
    return Expectation(pairs, found.pairs_deviation * factor**0.5, images, found.images_deviation * factor**0.5)
