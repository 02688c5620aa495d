"""Cluster images by embeddings, or by the entries of their texts: fine clusters, and coarse ones of these."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import ClusterImagesConfig
from curation.clusters.assign import Given, assign_clusters
from curation.clusters.clusters_table import CENTRES_ID, STAGE, ClustersTable, plan_assigning
from curation.clusters.hierarchy import read_hierarchy
from curation.core.amounts import counted
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import describe_growth, sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.schemas import CLUSTERS
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cluster_sources import find_centres, sources_of
from jobs.outputs import writing


@writing(STAGE, lambda config: [config.clusters])
def run(config: ClusterImagesConfig) -> None:
    """Write `clusters`: look for centres, unless the table has some or they are given, and give each image its own."""
    table, sources = ClustersTable(config.clusters, CLUSTERS), sources_of(config)
    recipe = sources.recipe
    if config.overwrite:
        table.remove_without_centres(recipe, sources.check)
    parts, plans = table.plan_parts(recipe, max(len(recipe.inputs), 1), config.overwrite)
    if not plans:
        say(STAGE, f"is done: {counted(sum_receipts(parts).rows_out, 'images')} in {table.path}")
        return
    sources.check()
    check_writable([table.path])
    ((number, recipe),) = plans
    mine = sources.of(recipe)
    stage = Stage(STAGE, f"{counted(len(mine), 'files')} of {sources.described}")
    if growth := describe_growth(parts, plans, table.path, "inputs"):
        say(STAGE, f"{growth}, with the centres that are there")
    spark = open_session(STAGE, **vars(config.spark))
    folder = table.begin_or_resume(number, recipe)
    if not parts and not table.has_centres_of(recipe):
        find_centres(config, sources, table, recipe, partial(run_tasks, spark, folder=folder))
    hierarchy = read_hierarchy(table.path)
    table.check_centres(hierarchy.id)
    assign = partial(assign_clusters, given=Given(table.path, hierarchy.id, sources.weights))
    receipts = run_tasks(spark, assign, plan_assigning(mine, folder), folder, amount=Amount(None, "images"))
    part = table.commit(number, recipe, receipts, stage.seconds, **{CENTRES_ID: hierarchy.id})
    stage.end(part.receipt)
    refuse_nothing(sum_receipts(table.parts()), "image", "see the drops of clusters", config.allow_empty)


if __name__ == "__main__":
    launch(run)
