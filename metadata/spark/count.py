"""Partial counts on the cluster: of the articles and page views that no earlier run has counted."""

from collections.abc import Callable, Sequence
from functools import partial

from pyspark.sql import SparkSession

from curation.core.amounts import counted
from curation.core.parts import Part
from curation.core.progress import Stage
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.spark.tasks import Task, run_tasks
from metadata.lists.counts import Counted, plan_articles, plan_titles
from metadata.sources.articles import DumpSettings, count_file
from metadata.sources.page_views import TitleSettings, count_views

Session = Callable[[], SparkSession]
"""Opens the session; a run whose counts exist does not need one for them."""


def count_articles(
    session: Session, table: Table, recipe: Recipe, settings: DumpSettings, files_per_part: int, overwrite: bool
) -> Counted:
    """Write the missing parts of `ngrams`; returns the counts of the recipe's inputs."""
    # Counts of ranges that this call does not name stay for other calls; `Counted.of` does not take them.
    parts, plans = table.plan_parts(recipe, files_per_part, overwrite, add=True)
    count = partial(count_file, settings=settings)
    for number, part in plans:
        stage = Stage(recipe.stage, f"{counted(len(part.inputs), 'ranges')} of dumps, part {number}")
        parts.append(_write_part(session(), stage, table, number, part, plan_articles, count))
    return Counted.of(parts, recipe)


def count_titles(session: Session, table: Table, recipe: Recipe, settings: TitleSettings) -> Counted:
    """Write `page_views` unless the same files and rules made it; returns the counts of the recipe's inputs."""
    if not recipe.inputs:
        return Counted()
    part = table.done(recipe)
    if part is None:
        stage = Stage(recipe.stage, f"{len(recipe.inputs):,} page-view files")
        part = _write_part(session(), stage, table, 0, recipe, plan_titles, partial(count_views, settings=settings))
    return Counted.of([part], recipe)


def _write_part(
    spark: SparkSession,
    stage: Stage,
    table: Table,
    number: int,
    recipe: Recipe,
    plan: Callable[[Recipe, str], Sequence[Task]],
    count: Callable[[Task], Receipt],
) -> Part:
    folder = table.begin(number)
    receipts = run_tasks(spark, count, plan(recipe, folder), folder)
    part = table.commit(number, recipe, receipts, stage.seconds)
    stage.end(part.receipt)
    return part
