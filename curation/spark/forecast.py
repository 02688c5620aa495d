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
from curation.balancing.solve_t import solve_goal
from curation.balancing.targets import EntryTargets
from curation.balancing.thresholds import BalanceGoal
from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Unit
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
        """Return the goal with its target of images solved for t; a goal without a target is returned unchanged."""
        if goal.target_images is None:
            return goal
        solved, found = solve_goal(goal, self.distributions, lambda ts: self.expect(ts)[ALL].images)
        note = "" if found.exact else f", the nearest below a jump to {found.next_images:,.0f}"
        t = f"t={solved.survivors_t:,.8g} of {goal.rule.reference}"
        say(STAGE, f"expects {counted(found.images, 'samples')} at {t}{note}")
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
