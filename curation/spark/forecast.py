"""Forecasts on the cluster: passes over `matches` that add up expectations and draw nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyspark.sql import SparkSession

from curation.balancing.concepts import ConceptDraw
from curation.balancing.counts import CountFiles, plan_counting
from curation.balancing.distributions import Distributions
from curation.balancing.forecast import ALL, Expectation, ForecastGrid, add_forecasts, forecast_buckets
from curation.balancing.forecast_table import (
    FORECASTS,
    ForecastPlan,
    ForecastPoints,
    forecast_text,
    grid_with_goal,
    write_forecasts,
)
from curation.balancing.language_shares import solve_shares
from curation.balancing.solve_t import solve_goal
from curation.balancing.targets import EntryTargets
from curation.balancing.thresholds import BalanceGoal
from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Others, Unit
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.table_reader import read_rows
from curation.core.tables import Table
from curation.matching.parts import MatchesTables
from curation.spark.tasks import run_tasks

STAGE = "balance_pairs"


@dataclass(frozen=True)
class Forecaster:
    """Computes how much of `matches` given thresholds keep.

    Its tasks write to `folder`, which is removed after each pass. `targets` are in counts of the first pass.
    `concepts` draw images as well.
    """

    spark: SparkSession
    matches: MatchesTables
    counts: CountFiles
    unit: Unit
    seed: int
    folder: str
    targets: EntryTargets | None = None
    concepts: ConceptDraw | None = None

    @property
    def distributions(self) -> Distributions:
        """The counts of each language, with the targets of the first pass."""
        return Distributions.of_files(self.counts, self.targets)

    def expect(self, ts: Mapping[str, np.ndarray]) -> dict[str, Expectation]:
        """Return the expectations of each language, and of ALL, at each point; reads `matches` once."""
        merged = (self.matches.max_texts, self.matches.salt)
        grid = ForecastGrid(self.unit, self.seed, self.counts.folder, ts, *merged, self.targets, self.concepts)
        tasks = plan_counting(self.matches.buckets, self.spark.sparkContext.defaultParallelism, self.folder)
        run_tasks(self.spark, partial(forecast_buckets, grid=grid), tasks, self.folder)
        expected = add_forecasts([task.output for task in tasks])
        storage.remove(self.folder)
        return expected

    def solve(self, goal: BalanceGoal) -> BalanceGoal:
        """Return the goal with its shares of languages and its target of images solved; another one is unchanged."""
        if goal.rule.others == Others.shares:
            return self._solve_shares(goal)
        if goal.target_images is None:
            return goal
        solved, found = solve_goal(goal, self.distributions, lambda ts: self.expect(ts)[ALL].images)
        note = "" if found.exact else f", the nearest below a jump to {found.next_images:,.0f}"
        t = f"t={solved.survivors_t:,.8g} of {goal.rule.reference}"
        say(STAGE, f"expects {counted(found.images, 'samples')} at {t}{note}")
        return solved

    def _solve_shares(self, goal: BalanceGoal) -> BalanceGoal:
        def expect(ts: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            return {lang: found.images for lang, found in self.expect(ts).items() if lang != ALL}

        solved, found = solve_shares(goal, self.distributions, expect)
        near = "" if found.is_exact else f"; the farthest language is {found.distance:.1%} off"
        say(STAGE, f"gives languages their shares of the images, in {counted(found.passes, 'passes')}{near}")
        return solved

    def forecast(
        self, goal: BalanceGoal, t: Mapping[str, float], plan: ForecastPlan, table: Table, recipe: Recipe
    ) -> str:
        """Write the forecast of a grid and of the goal, whose first-pass thresholds are `t`; return it as text."""
        grid, ts, place = grid_with_goal(goal, self.distributions, t, plan.grid)
        points = ForecastPoints(grid, ts, self.expect(ts))
        receipt = write_forecasts(self.distributions, points, plan, goal, table.begin(0))
        part = table.commit(0, recipe, [receipt], 0.0)
        return forecast_text(read_rows(part.files[0], FORECASTS).to_pylist(), place, goal.rule.reference)
