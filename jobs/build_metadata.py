"""Build the entry lists of any Wikipedia languages from WordNet, dumps and page views."""

from dataclasses import fields

from pyspark.sql import SparkSession

from headtail.start import launch
from conf.schema.jobs import BuildMetadataConfig
from curation.core.amounts import counted
from curation.core.outputs import check_writable
from curation.core.progress import Stage, say
from curation.core.recipes import kept
from curation.core.storage import join, remove
from curation.core.tables import MANIFEST, Table
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.outputs import writing
from metadata.lists.counts import article_recipe, list_recipe, title_recipe
from metadata.lists.inputs import fetched, list_inputs
from metadata.lists.manifest import finished, refuse_numbers, refuse_other_lists, render_table, write_manifest
from metadata.lists.rules import Rules
from metadata.lists.write import check_custom, merge_lists, plan_wikis
from metadata.sources.articles import DumpSettings
from metadata.sources.ngrams import COUNTS
from metadata.sources.page_views import VIEWS, TitleSettings
from metadata.spark.count import count_articles, count_titles
from metadata.spark.gather import gather_terms, set_partitions
from metadata.spark.write_lists import write_wiki_lists

NAME = "build_metadata"


@writing(NAME, lambda config: [config.ngrams, config.page_views, config.entry_lists])
def run(config: BuildMetadataConfig) -> None:
    """Count the inputs that are not counted yet, then write the lists unless the same inputs and rules made them."""
    refuse_other_lists(config.entry_lists, NAME)
    chosen = config.metadata
    rules = Rules(**{each.name: getattr(chosen, each.name) for each in fields(Rules)})
    inputs = list_inputs(
        config.languages,
        [*config.dumps, *fetched(config.sources, "dumps")],
        [*config.pageviews, *fetched(config.sources, "pageviews")],
        [*config.wordnet, *fetched(config.sources, "wordnet")],
        config.custom_before,
        config.custom_after,
    )
    dumps = DumpSettings(config.max_page_bytes)
    titles = TitleSettings(tuple(inputs.codes), chosen.title_min_row_views, chosen.title_any_colon, inputs.namespaces)
    check_custom(file.path for _, file in [*inputs.custom_before, *inputs.custom_after])

    def session() -> SparkSession:
        check_writable([config.ngrams, config.page_views, config.entry_lists])
        return open_session(NAME, **vars(config.spark))

    table = Table(config.ngrams, COUNTS)
    if not config.overwrite:
        dumps = kept(dumps, "rules", [part.manifest for part in table.parts()])
    counting = article_recipe(inputs.articles, config.range_bytes, dumps)
    ngrams = count_articles(session, table, counting, dumps, config.files_per_part, config.overwrite)
    views = count_titles(session, Table(config.page_views, VIEWS), title_recipe(inputs.page_views, titles), titles)
    recipe = list_recipe(inputs, rules, ngrams, views)
    if manifest := finished(config.entry_lists, recipe):
        say(NAME, f"is done: {counted(len(manifest['lists']), 'lists')} in {config.entry_lists}")
        return
    stage = Stage(NAME, f"lists of {', '.join(inputs.codes)}")
    spark = session()
    set_partitions(spark, ngrams.rows + views.rows)
    terms = gather_terms(spark, ngrams.files, views.files, inputs.codes, rules)
    plans = plan_wikis(inputs.wordnet, terms.rows, rules)
    wikis = write_wiki_lists(spark, terms.terms, plans, rules, config.entry_lists)
    failures = ngrams.failures + views.failures
    if not config.allow_empty:
        refuse_numbers(inputs, config.entry_lists, [wiki.task for wiki in wikis], failures)
    remove(join(config.entry_lists, MANIFEST))
    lists = run_tasks(spark, merge_lists, inputs.merges(config.entry_lists), config.entry_lists)
    manifest = write_manifest(config.entry_lists, recipe, inputs, [wiki.task for wiki in wikis], lists, failures)
    print(render_table(manifest))  # noqa: T201
    for note in manifest["notes"]:
        say(NAME, note)
    entries = sum(row["entries"] for row in manifest["lists"])
    stage.close(counted(entries, "entries"), entries=entries)


if __name__ == "__main__":
    launch(run)
