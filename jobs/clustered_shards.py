"""How write_shards writes a set of shards for each coarse cluster (by=coarse), to train data experts."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from conf.schema.jobs import WriteShardsConfig
from curation.clusters.hierarchy import Hierarchy, read_hierarchy
from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Faces
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable, warn_of_space
from curation.core.parts import sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.receipts import Receipt
from curation.core.schemas import LISTS, STORED
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.matching.entry_store import EntryStore
from curation.shards.caption_join import join_captions, with_samples
from curation.shards.caption_tables import by_datacomp, open_captions
from curation.shards.clustered import (
    ClusteredSets,
    divide_range,
    plan_dividing,
    recipe_of_set,
    selections,
    set_name,
    with_receipts_in,
)
from curation.shards.consume import check_images_left
from curation.shards.datacomp_keys import pairs_with_uids
from curation.shards.expert_readme import expert_readme
from curation.shards.origin import ORIGIN, Origin
from curation.shards.readme import CAPTIONS
from curation.shards.sample_json import BLURRED, ENTRY_WORDS
from curation.shards.scores import SCORE_COLUMNS
from curation.shards.selection import check_inputs
from curation.shards.shard_set import README, SIZES, STAGE, ShardSet, make_searchable
from curation.shards.steps import SelectionSteps
from curation.shards.write import ShardSize, plan_shard_tasks, write_shard
from curation.spark.selection import choose_samples
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.shard_checks import check_start, origin_of_set
from jobs.shard_settings import SAMPLELESS, form_of, recipe_of, second_balance_of, selection_settings
from jobs.signal_rules import blur_quality


def write_clustered(config: WriteShardsConfig, before: Origin | None, store: EntryStore | None) -> None:
    """Select among the downloaded images as for one set, divide them by coarse cluster, and write a set of each.

    All sets have one selection, so an image of two clusters cannot be in two sets. The arguments are those of
    write_shards.
    """
    lists = Table(config.lists, LISTS, STORED.names).require("download_images")[0]
    downloads = Downloads(config.downloads)
    downloads.require("download_images")
    ranges = Ranges(**lists.manifest["settings"])
    status = downloads.status_files(ranges)
    hierarchy = read_hierarchy(config.clusters)
    folder, sets = ShardSet(config.shards), ClusteredSets(config.shards, hierarchy.coarse_count)
    sets.refuse_strangers()
    second = second_balance_of(config, lists)
    version, recipe = recipe_of(config, folder, second is not None, [lists.input(), *downloads.inputs()])
    if sets.done(recipe):
        say(STAGE, f"is done: {counted(len(sets.sets), 'sets')} in {folder.path}")
        finish(config, sets, hierarchy)
        return
    origin = Origin.of_tables(lists, downloads.parts())
    if not config.overwrite:
        for number, each in enumerate(sets.sets):
            known = origin_of_set(replace(config, shards=each.path)) or before
            each.refuse_to_replace(recipe_of_set(recipe, number), origin, known)
    check_inputs(lists, status)
    captions = open_captions(config.captions)
    pairs = pairs_with_uids(config.pairs) if by_datacomp(captions) else []
    downloads.check_images(recipe.id)
    settings = selection_settings(config, [path for each in sets.sets for path in each.removal_lists()])
    check_writable([folder.path])
    stored = sum_receipts(downloads.parts()).facts["image_bytes"]
    warn_of_space(STAGE, folder.path, stored, "shards of all downloaded images")
    images = counted(lists.receipt.rows_out, "images")
    stage = Stage(STAGE, f"{images} to {counted(len(sets.sets), 'sets')} in {folder.path}")
    spark = open_session(STAGE, **vars(config.spark))
    check_start(config, spark)
    steps = SelectionSteps(ranges, lists.path, folder.work_folder(recipe), status)
    run = partial(run_tasks, spark, folder=steps.work)
    chosen = choose_samples(spark, steps, settings, second)
    divided = run(divide_range, plan_dividing(steps, chosen.receipt, len(sets.sets)))
    mine = selections(chosen.receipt, divided, len(sets.sets))
    whole = Receipt(STAGE, mine[0].rows_in, sum(each.rows_out for each in mine), chosen.receipt.drops)
    whole.drops["no_cluster"] = mine[0].drops["no_cluster"]
    refuse_nothing(whole, "sample", f"{SAMPLELESS}, clusters", config.allow_empty)
    form = form_of(config, version, lists, store, steps.work)
    columns = [*settings.scores.wanted.names, *([BLURRED] if config.faces == Faces.blur else [])]
    facts = chosen.facts | {ENTRY_WORDS: bool(form.words), SCORE_COLUMNS: columns, ORIGIN: origin.to_json()}
    size = ShardSize(config.samples_per_shard, config.max_shard_bytes)
    planned = [
        plan_shard_tasks(each.path, steps, chosen.texts, selection, size, form, True, blur_quality(config))
        for each, selection in zip(sets.sets, mine, strict=True)
    ]
    tasks = [task for number, own in enumerate(planned) for task in with_receipts_in(own, set_name(number))]
    check_images_left(tasks, downloads)
    counts: dict[str, Any] = {}
    if captions:
        ways = (config.syn_json, config.captions_strict)
        tasks, counts = join_captions(run, tasks, captions, pairs, steps.work, *ways)
    for each in sets.sets:
        each.retract()
    amount = Amount(whole.rows_out, "samples")
    receipts = run_tasks(spark, write_shard, tasks, folder=steps.work, amount=amount)
    for number, each in enumerate(sets.sets):
        start = sum(map(len, planned[:number]))
        own = receipts[start : start + len(planned[number])]
        told = facts | ({CAPTIONS: with_samples(counts, own)} if counts else {})
        work = storage.join(steps.work, "published", set_name(number))
        each.publish(recipe_of_set(recipe, number), work, own, mine[number], stage.seconds, **told)
    storage.remove(steps.work)
    finish(config, sets, hierarchy)
    stage.end(whole.check())


def finish(config: WriteShardsConfig, sets: ClusteredSets, hierarchy: Hierarchy) -> None:
    """Write the README of all sets, and the indexes of keys if they are asked for."""
    sizes = [storage.read_json(storage.join(each.path, SIZES)) for each in sets.sets]
    folders = [set_name(number) for number in range(len(sizes))]
    text = expert_readme(sizes, _names(hierarchy, len(sizes)), folders)
    storage.write_bytes(storage.join(sets.path, README), text.encode())
    if config.energon_sqlite:
        for each in sets.sets:
            make_searchable(each.parts()[0])


def _names(hierarchy: Hierarchy, count: int) -> Sequence[Sequence[str]]:
    """Return the names of the coarse clusters, as far as hierarchy.json has some."""
    told = hierarchy.facts.get("coarse_names")
    rows = told if isinstance(told, list) else []
    found = [[word for word in row if isinstance(word, str)] if isinstance(row, list) else [] for row in rows[:count]]
    return found + [[] for _ in range(count - len(found))]


def with_clusters(config: WriteShardsConfig) -> WriteShardsConfig:
    """Return the settings with the table of clusters among the scores, as columns of the side-cars."""
    if not config.clusters:
        return config
    return replace(config, scores=[*config.scores, config.clusters], score_columns=True)
