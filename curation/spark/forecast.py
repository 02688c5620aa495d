"""Passes over `matches` that only add up expectations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from pyspark.sql import SparkSession

from curation.balancing.counts import CountFiles, plan_counting
from curation.balancing.distributions import Distributions
from curation.balancing.forecast import ALL, Expectation, Grid, add_forecasts, forecast_buckets
from curation.balancing.forecast_table import ForecastPlan, default_grid, forecast_text, write_forecasts
from curation.balancing.solve_t import solve_target
from curation.balancing.thresholds import Wish
from curation.core import storage
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.matching.parts import MatchesTables
from curation.spark.tasks import run_tasks


@dataclass(frozen=True)
class Forecaster:
    """Says what thresholds would keep of `matches`; its tasks write to `folder`, which is removed after each pass."""

    spark: SparkSession
    matches: MatchesTables
    counts: CountFiles
    unit: str
    seed: int
    folder: str

    def expect(self, ts: Mapping[str, np.ndarray]) -> dict[str, Expectation]:
        """Return what is expected of each language, and of ALL, at each point; one pass over the data."""
        grid = Grid(self.unit, self.seed, self.counts.folder, ts, self.matches.max_texts)
        tasks = plan_counting(self.matches.buckets, self.spark.sparkContext.defaultParallelism, self.folder)
        run_tasks(self.spark, partial(forecast_buckets, grid=grid), tasks, self.folder)
        expected = add_forecasts([task["output"] for task in tasks])
        storage.remove(self.folder)
        return expected

    def solve(self, wish: Wish) -> Wish:
        """Return the wish with the first pass's t that a target of images leads to; one without a target as it is."""
        if wish.target_images is None:
            return wish
        distributions = Distributions.of_files(self.counts)
        counts = distributions.reference(wish.rule.reference).counts
        same = wish.rule.others == "same_t"
        largest = max(distributions.each(lambda _, found: found.counts[-1]).values()) if same else counts[-1]

        def expect(points: Sequence[float]) -> np.ndarray:
            return self.expect(wish.first_rule.thresholds(distributions, points))[ALL].images * wish.headroom

        found = solve_target(wish.target_images, counts, float(largest), expect)
        note = "" if found.exact else f", the nearest below a jump to {found.next_images:,.0f}"
        t = found.t * wish.headroom
        say("balance_pairs", f"expects {found.images:,.0f} samples at t={t:,.8g} of {wish.rule.reference}{note}")
        return replace(wish, solved_t=found.t)

    def forecast(
        self,
        wish: Wish,
        wished: Mapping[str, float],
        plan: ForecastPlan,
        list_sizes: Mapping[str, int],
        table: Table,
        recipe: Recipe,
    ) -> str:
        """Write the forecast of a grid and of the wish (its thresholds: `wished`), and return it as text."""
        distributions = Distributions.of_files(self.counts)
        largest = distributions.reference(wish.rule.reference).counts[-1]
        grid = sorted(set(plan.grid) or default_grid(float(largest) * wish.headroom))
        ts = wish.first_rule.thresholds(distributions, [t / wish.headroom for t in grid])
        # The wish stands among the grid: its thresholds need not follow from the reference's.
        mine = wished[wish.rule.reference] * wish.headroom
        place = int(np.searchsorted(grid, mine))
        if mine not in grid or any(values[place] != wished[lang] for lang, values in ts.items()):
            ts = {lang: np.insert(values, place, wished[lang]) for lang, values in ts.items()}
            grid.insert(place, mine)
        expected = self.expect(ts)
        folder = table.begin(0)
        receipt = write_forecasts(self.counts, grid, ts, expected, list_sizes, plan.rates, folder)
        part = table.commit(0, recipe, [receipt], 0.0)
        rows = [row for batch in storage.read_batches(part.files[0]) for row in batch.to_pylist()]
        return forecast_text(rows, place, wish.rule.reference)
