"""Build the entry lists of any Wikipedia languages from WordNet, dumps and page views."""

from dataclasses import asdict
from enum import Enum
from functools import partial

from conf.schema.jobs import BuildMetadataConfig
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.storage import join, remove
from curation.core.tables import MANIFEST, Table
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.cli import launch
from metadata.lists.inputs import Counted, MetadataInputs, fetched, list_inputs, plan_articles
from metadata.lists.manifest import finished, render_table, write_manifest
from metadata.lists.rules import LOGIC_VERSION, Rules
from metadata.lists.write import merge_lists, plan_wikis
from metadata.sources.articles import LOGIC_VERSION as ARTICLES_VERSION
from metadata.sources.articles import DumpSettings, count_file
from metadata.sources.page_views import LOGIC_VERSION as TITLES_VERSION
from metadata.sources.page_views import TitleSettings, ViewsTask, count_views
from metadata.spark.gather import gather_terms, set_partitions
from metadata.spark.write_lists import write_wiki_lists

NAME = "build_metadata"


def run(config: BuildMetadataConfig) -> None:
    """Count what is not counted yet, then write the lists unless these very inputs and rules made them."""
    chosen = {key: value.value if isinstance(value, Enum) else value for key, value in vars(config.metadata).items()}
    row_rules = {"min_row_views": chosen.pop("title_min_row_views"), "any_colon": chosen.pop("title_any_colon")}
    rules = Rules(**chosen)
    inputs = list_inputs(
        config.languages,
        [*config.dumps, *fetched(config.sources, "dumps")],
        [*config.pageviews, *fetched(config.sources, "pageviews")],
        [*config.wordnet, *fetched(config.sources, "wordnet")],
        config.custom_before,
        config.custom_after,
    )
    ngrams = count_articles(config, inputs)
    views = count_titles(config, inputs, TitleSettings(tuple(inputs.codes), namespaces=inputs.namespaces, **row_rules))
    recipe = Recipe(
        NAME,
        LOGIC_VERSION,
        {"languages": inputs.codes, **asdict(rules)},
        [*ngrams.inputs, *views.inputs, *inputs.lists],
    )
    if manifest := finished(config.entry_lists, recipe):
        say(NAME, f"is done: {len(manifest['lists'])} lists in {config.entry_lists}")
        return
    stage = Stage(NAME, f"lists of {', '.join(inputs.codes)}")
    remove(join(config.entry_lists, MANIFEST))
    spark = open_session(NAME, **vars(config.spark))
    set_partitions(spark, ngrams.rows + views.rows)
    terms = gather_terms(spark, ngrams.files, views.files, inputs.codes, rules)
    plans = plan_wikis(inputs.wordnet, terms.rows, rules)
    wikis = write_wiki_lists(spark, terms.terms, plans, rules, config.entry_lists)
    lists = run_tasks(spark, merge_lists, inputs.merges(config.entry_lists), config.entry_lists)
    failures = ngrams.failures + views.failures
    manifest = write_manifest(config.entry_lists, recipe, inputs, [wiki.task for wiki in wikis], lists, failures)
    print(render_table(manifest))  # noqa: T201
    for note in manifest["notes"]:
        say(NAME, note)
    say(NAME, f"done: {sum(row['entries'] for row in manifest['lists']):,} entries, {stage.seconds:.1f} s")


def count_articles(config: BuildMetadataConfig, inputs: MetadataInputs) -> Counted:
    """Write the parts of `ngrams` that are not there yet; returns what the articles of these inputs gave."""
    settings = DumpSettings(max_page_bytes=config.max_page_bytes)
    wanted = [entry for articles in inputs.articles for entry in articles.ranges(config.range_bytes)]
    table = Table(config.ngrams)
    recipe = Recipe("count_articles", ARTICLES_VERSION, asdict(settings), wanted)
    parts, plans = table.plan_parts(recipe, config.files_per_part, config.overwrite)
    for number, part in plans:
        stage = Stage(NAME, f"words of {len(part.inputs):,} ranges of dumps, part {number}")
        spark = open_session(NAME, **vars(config.spark))
        folder = table.begin(number)
        tasks = plan_articles(part.inputs, folder)
        receipts = run_tasks(spark, partial(count_file, settings=settings), tasks, folder)
        parts.append(table.commit(number, part, receipts, stage.seconds))
        stage.end(parts[-1].receipt)
    return Counted.of(parts, {entry["path"] for entry in wanted})


def count_titles(config: BuildMetadataConfig, inputs: MetadataInputs, settings: TitleSettings) -> Counted:
    """Write `page_views` unless these very files and rules made it."""
    if not inputs.page_views:
        return Counted()
    table = Table(config.page_views)
    recipe = Recipe("count_titles", TITLES_VERSION, asdict(settings), [vars(file) for file in inputs.page_views])
    part = table.done(recipe)
    if part is None:
        stage = Stage(NAME, f"titles of {len(inputs.page_views):,} page-view files")
        spark = open_session(NAME, **vars(config.spark))
        folder = table.begin(0)
        tasks = [
            ViewsTask(file.path, join(folder, f"{index:05d}.parquet")) for index, file in enumerate(inputs.page_views)
        ]
        receipts = run_tasks(spark, partial(count_views, settings=settings), tasks, folder)
        part = table.commit(0, recipe, receipts, stage.seconds)
        stage.end(part.receipt)
    return Counted.of([part], {file.path for file in inputs.page_views})


if __name__ == "__main__":
    launch(run)
