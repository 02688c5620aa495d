"""Run the whole chain: archives in, balanced shards and a report out."""

from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession

from headtail.start import launch
from conf.schema.jobs import CurateConfig
from curation.core.amounts import counted
from curation.core.choices import Faces
from curation.core.outputs import check_writable
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.seeds import run_seed
from curation.core.storage import join, read_json
from curation.core.tables import Table
from curation.images.downloads import Downloads, download_recipe
from curation.matching.entry_store import EntryStore
from curation.shards.origin import Origin
from curation.shards.readme import command_anywhere
from curation.shards.shard_set import SIZES
from curation.spark.session import on_start
from curation.spark.tasks import require_single_attempts
from jobs import (
    balance_pairs,
    balance_settings,
    count_entries,
    download_images,
    extract_pairs,
    match_pairs,
    report_stats,
    score_images,
    shard_checks,
    write_shards,
)
from jobs.concept_settings import Concepts
from jobs.download_settings import download_settings
from jobs.entries import entries_to_write
from jobs.entry_lists import lists_to_write, with_new_lists
from jobs.outputs import writing
from jobs.second_concepts import is_balanced_again, refuse_other_goals, refuse_unused
from jobs.signal_rules import filter_of, needs_embeddings
from jobs.source_files import check_sources
from jobs.written_images import refuse_deciding


def folders_of(config: CurateConfig) -> list[str]:
    """Return the folders that the jobs write."""
    folders = list(dict.fromkeys([*signal_folders(config), *balance_pairs.folders_of(config)]))
    if config.forecast:
        return folders
    images = [config.lists, config.hosts, config.downloads, config.shards] if config.download_images else []
    signals = [config.image_signals] if config.download_images and config.signals else []
    return [*folders, *images, *signals, config.report]


def signal_folders(config: CurateConfig) -> list[str]:
    """Return the folders that the jobs up to the counts write."""
    tables = [config.pairs, config.matches, config.entry_counts]
    return [*tables, *lists_to_write(config), *entries_to_write(config.entries)]


@writing("curate", folders_of)
def run(config: CurateConfig) -> None:
    """Run each job in turn; a job whose work is done says so and costs nothing."""
    config = with_new_lists(config, partial(match_pairs.has_matches, config), partial(check_before_lists, config))
    store = match_pairs.open_lists(config)
    sampled = [config.pairs] if config.source.limit is not None else []
    run_seed(config.output, config.seed, [*sampled, config.curated, config.lists, config.downloads])
    writes = config.download_images and not config.forecast
    shards = with_signals(config)
    before = shard_checks.check_finished_set(shards, upstream(config), config.balance.headroom) if writes else None
    with on_start(partial(check_chain, config, store)):
        run_chain(config, store, before)


@writing("curate", signal_folders)
def run_signals(config: CurateConfig) -> None:
    """Run the jobs up to the counts, on which all balances of a sweep rest."""
    config = with_new_lists(config, partial(match_pairs.has_matches, config), partial(check_before_lists, config))
    store = match_pairs.open_lists(config)
    run_seed(config.output, config.seed, [config.pairs] if config.source.limit is not None else [])

    def check(_: SparkSession) -> None:
        store.check_entries(config.languages)
        balance_settings.check_reference(config, config.languages or store.languages)
        balance_settings.check_targets(config, store, config.languages or store.languages)
        check_writable([config.pairs, config.matches, config.entry_counts, config.thresholds, config.curated])

    with on_start(check):
        extract_pairs.run(config)
        match_pairs.run(config, store)
        count_entries.run(config)


def check_before_lists(config: CurateConfig) -> None:
    """Raise HeadtailError for what needs no entry lists and no Spark to be found wrong."""
    check_sources(config)
    balance_settings.target_table(config)
    check_writable(folders_of(config))
    if config.download_images and not config.forecast:
        coming = coming_columns(config)
        refuse_deciding(config, [field.name for field in coming])
        shard_checks.check_start(without_signals(config), coming=coming)


def check_chain(config: CurateConfig, store: EntryStore, spark: SparkSession) -> None:
    """Raise HeadtailError for what a later job of the chain would refuse after days of work of the first ones."""
    store.check_entries(config.languages)
    balance_settings.check_reference(config, config.languages or store.languages)
    concepts = Concepts.of(config)
    balance_settings.check_targets(config, store, config.languages or store.languages)
    outputs = [config.pairs, config.matches, config.entry_counts, *entries_to_write(config.entries)]
    if config.forecast:
        check_writable([*outputs, config.forecasts])
        return
    check_writable([*outputs, config.thresholds, config.curated, config.entry_probabilities, config.report])
    if config.download_images:
        check_writable([config.lists, config.downloads, config.shards])
        shard_checks.check_datacomp(config, config.source.carry)
        if not is_balanced_again(config, config.balance.headroom):
            refuse_unused(concepts.later, ())
        refuse_other_goals(config, [table.name for table in concepts.tables])
        require_single_attempts(spark)
        shard_checks.check_start(without_signals(config), spark, coming_columns(config))


def check_downloads(config: CurateConfig) -> None:
    """Raise HeadtailError if images were deleted: other images of this chain could not become shards with them."""
    if config.download_images and not config.forecast:
        downloads, settings = Downloads(config.downloads), download_settings(config)
        seed = run_seed(config.output, config.seed, [config.lists, config.downloads])
        if not (config.overwrite and downloads.changes(settings, seed)):
            downloads.check_images()


def run_chain(config: CurateConfig, store: EntryStore, before: Origin | None) -> None:
    """Run the jobs; `store` are the entry lists, `before` is the origin of the finished shards."""
    check = partial(check_downloads, config)
    extract_pairs.run(config, check)
    match_pairs.run(config, store, check)
    count_entries.run(config)
    balance_pairs.run(config, check)
    if config.forecast:
        return
    if config.download_images:
        download_images.run(config)
        if config.signals:
            score_images.run(config)
        write_shards.run(with_signals(config), before, store)
    report_stats.run(config)
    if config.download_images:
        sizes = read_json(join(config.shards, SIZES))
        samples = counted(sum(sizes.values()), "samples")
        say("curate", f"shards: {samples} in {counted(len(sizes), 'shards')} in {config.shards}")
        if sizes:
            say("curate", f"train on them: {command_anywhere(config.shards, sizes)}")
    say("curate", f"report: {config.report}/index.html")


def coming_columns(config: CurateConfig) -> list[pa.Field]:
    """Return the columns of signals that the chain writes. Raises HeadtailError for a model that cannot be run."""
    if not config.signals:
        return []
    return [*score_images.columns_of(config)]


def without_signals(config: CurateConfig) -> CurateConfig:
    """Return settings without the table of signals among the scores, if the chain is going to write it."""
    mine = config.image_signals.rstrip("/") if config.signals else None
    return replace(config, scores=[path for path in config.scores if path.rstrip("/") != mine])


def with_signals(config: CurateConfig) -> CurateConfig:
    """Return settings with the table of signals among the scores, if it is there and something reads it."""
    used = bool(filter_of(config) or config.score_columns or config.faces != Faces.keep or needs_embeddings(config))
    if not (config.signals and used and Table(config.image_signals).parts()):
        return without_signals(config)
    return replace(config, scores=[*without_signals(config).scores, config.image_signals])


def upstream(config: CurateConfig) -> list[Recipe]:
    """Return the recipes, without inputs, of the stages that run again on other settings without being asked to."""
    asked = download_settings(config)
    settings = Downloads(config.downloads).with_kept_rules(asked, config.overwrite)
    download = download_recipe(settings)
    return [balance_settings.recipe_of(config, []), download]


if __name__ == "__main__":
    launch(run)
