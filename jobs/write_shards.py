"""Write WebDataset shards of the downloaded images, ready for training."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from headtail.start import launch
from conf.schema.jobs import WriteShardsConfig
from curation.core.amounts import counted
from curation.core.choices import Faces
from curation.core.errors import HeadtailError
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable, warn_of_space
from curation.core.progress import Amount, Stage, say
from curation.core.recipes import Recipe, recipe_settings
from curation.core.removal_lists import divide_sources, read_removals
from curation.core.schemas import LISTS, STORED
from curation.core.storage import list_files
from curation.core.tables import Part, Table, sum_receipts
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.matching.entry_store import EntryStore
from curation.shards.caption_join import join_captions, refuse_same_keys, with_samples
from curation.shards.caption_tables import by_datacomp, list_captions, open_captions
from curation.shards.consume import (
    WARNING,
    begin_consuming,
    check_images_left,
    end_consuming,
    plan_consuming,
    write_and_consume,
)
from curation.shards.datacomp_keys import DATACOMP, pairs_with_uids
from curation.shards.duplicates import UniqueRules
from curation.shards.energon import MAX_SQLITE_SAMPLES, has_energon, has_sqlite, write_sqlite
from curation.shards.entry_words import copy_words
from curation.shards.join_text import join_text
from curation.shards.origin import ORIGIN, Origin, matches_of, stage_of
from curation.shards.readme import CAPTIONS
from curation.shards.sample_json import BLURRED, ENTRY_WORDS, NEWEST, JsonForm, SampleForm
from curation.shards.score_join import ScoreSettings
from curation.shards.scores import SCORE_COLUMNS, open_scores, score_files, stored_type
from curation.shards.second_balance import FirstBalance
from curation.shards.selection import ImageFilters, check_inputs
from curation.shards.shard_set import STAGE, ShardSet, describe_set
from curation.shards.steps import SelectionSteps
from curation.shards.write import LOGIC_VERSION, ShardSize, plan_shard_tasks, write_shard
from curation.spark.selection import SelectionSettings, balance_again, select_samples
from curation.spark.session import open_session
from curation.spark.sql_filter import check_filter
from curation.spark.tasks import run_tasks
from jobs.entries import find_words
from jobs.outputs import writing
from jobs.signal_rules import blur_quality, boxes_column, face_recipe, filter_of

SAMPLELESS = "see download_status, filters, filter, removals"
"""Where to look if no image becomes a sample."""


def folders_of(config: WriteShardsConfig) -> list[str]:
    """Return the folders that the job writes."""
    return [config.shards] if config.keep_downloads else [config.shards, config.downloads]


@writing(STAGE, folders_of)
def run(config: WriteShardsConfig, before: Origin | None = None, store: EntryStore | None = None) -> None:
    """Select among the downloaded images, balance again if the settings say so, and write shards in the final order.

    `before` is the origin of the finished set; None: its manifest or the tables tell. `store` are the entry lists, for
    the words that no table has.
    """
    lists = Table(config.lists, LISTS, STORED.names).require("download_images")[0]
    downloads = Downloads(config.downloads)
    downloads.require("download_images")
    ranges = Ranges(**lists.manifest["settings"])
    status = downloads.status_files(ranges)
    shards = ShardSet(config.shards)
    first = FirstBalance.of_settings(lists.manifest["balance"])
    again = first.goal.headroom < 1.0 if config.second_balance is None else config.second_balance
    version, recipe = recipe_of(config, shards, again, [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        samples = counted(part.receipt.rows_out, "samples")
        say(STAGE, f"is done: {samples} in {counted(len(part.files), 'shards')} in {shards.path}")
        if config.captions_strict:
            refuse_same_keys(part.manifest.get(CAPTIONS, {}))
        make_searchable(config, part)
        return
    origin = Origin.of_tables(lists, downloads.parts())
    if not config.overwrite:
        shards.refuse_to_replace(recipe, origin, origin_of_set(config) or before)
    check_inputs(lists, status)
    captions = open_captions(config.captions)
    pairs = pairs_with_uids(config.pairs) if by_datacomp(captions) else []
    downloads.check_images(recipe.id)
    for finished in shards.parts():
        say(STAGE, f"replaces a set: {describe_set(finished)}")
    settings = selection_settings(config, shards.removal_lists())
    check_writable([shards.path])
    stored = sum_receipts(downloads.parts()).facts["image_bytes"]
    warn_of_space(STAGE, shards.path, stored, "shards of all downloaded images")
    stage = Stage(
        STAGE, f"{counted(lists.receipt.rows_out, 'images')} of {counted(ranges.count, 'lists')} to {shards.path}"
    )
    spark = open_session(STAGE, **vars(config.spark))
    check_start(config, spark)
    steps = SelectionSteps(ranges, lists.path, shards.work_folder(recipe), status)
    (selection, scored), texts, facts = select_samples(spark, steps, settings), lists.path, dict[str, Any]()
    if scored:
        facts["scores"] = scored
    if again and selection.rows_out:
        selection, facts["second_balance"] = balance_again(spark, steps, first, selection)
        texts = steps.folder("drawn")
    if not config.allow_empty:
        shards.refuse_to_empty(selection, steps.work)
    refuse_nothing(selection, "sample", SAMPLELESS, config.allow_empty)
    form = SampleForm(version)
    if version > 1:
        form = SampleForm(version, copy_words(find_words(STAGE, config.entries, matches_of(lists), store), steps.work))
        facts[ENTRY_WORDS] = bool(form.words)
    size = ShardSize(config.samples_per_shard, config.max_shard_bytes)
    in_sidecars = bool(scored) and settings.scores.in_sidecars
    if in_sidecars:
        facts[SCORE_COLUMNS] = settings.scores.wanted.names
    if config.faces == Faces.blur:
        facts[SCORE_COLUMNS] = [*facts.get(SCORE_COLUMNS, ()), BLURRED]
    tasks = plan_shard_tasks(shards.path, steps, texts, selection, size, form, in_sidecars, blur_quality(config))
    check_images_left(tasks, downloads)
    if captions:
        run_each = partial(run_tasks, spark, folder=steps.work)
        ways = (config.syn_json, config.captions_strict)
        tasks, facts[CAPTIONS] = join_captions(run_each, tasks, captions, pairs, steps.work, *ways)
    shards.retract()
    if config.keep_downloads:
        receipts = run_tasks(spark, write_shard, tasks, shards.path, amount=Amount(selection.rows_out, "samples"))
    else:
        say(STAGE, WARNING)
        begin_consuming(downloads, recipe.id)
        amount = Amount(selection.rows_out, "samples")
        receipts = run_tasks(spark, write_and_consume, plan_consuming(tasks), shards.path, amount=amount)
        end_consuming(downloads)
    if captions:
        facts[CAPTIONS] = with_samples(facts[CAPTIONS], receipts)
        say_captions(facts[CAPTIONS])
    facts[ORIGIN] = origin.to_json()
    part = shards.publish(recipe, steps.work, receipts, selection, stage.seconds, **facts)
    make_searchable(config, part)
    stage.end(part.receipt)


def say_captions(counts: Mapping[str, Mapping[str, Any]]) -> None:
    """Say how many captions of each name were joined, and what was not."""
    for name, mine in counts.items():
        say(STAGE, f"captions.{name}: {join_text(mine, 'it')}")


def make_searchable(config: WriteShardsConfig, part: Part) -> None:
    """Write Energon's index of keys beside a complete set, if the settings ask for it and it is not there."""
    if not config.energon_sqlite or has_sqlite(part.path):
        return
    if part.receipt.rows_out > MAX_SQLITE_SAMPLES:
        say(STAGE, f"writes no index.sqlite: the set has more than {MAX_SQLITE_SAMPLES:,} samples")
    elif not has_energon(part.path):
        say(STAGE, "writes no index.sqlite: the set has no sample, or an older version wrote shards of it")
    else:
        write_sqlite(part)


def origin_of_set(config: WriteShardsConfig) -> Origin | None:
    """Return the origin of the finished set, if there is one and its manifest or the tables tell."""
    lists, downloads = Table(config.lists, LISTS, STORED.names).parts(), Downloads(config.downloads).parts()
    origins = [Origin.of_set(part, next(iter(lists), None), downloads) for part in ShardSet(config.shards).parts()]
    return next(iter(origins), None)


def check_finished_set(config: WriteShardsConfig, upstream: Sequence[Recipe], headroom: float) -> Origin | None:
    """Return the origin of the finished set, before the stages `upstream` run again.

    Raises HeadtailError if their settings, or those of write_shards, make another set, unless overwrite=true.
    """
    before = origin_of_set(config)
    if not config.overwrite:
        again = headroom < 1.0 if config.second_balance is None else config.second_balance
        shards = ShardSet(config.shards)
        _, recipe = recipe_of(config, shards, again)
        now = Origin({stage: made for each in upstream for stage, made in stage_of(each).items()})
        shards.refuse_to_replace(recipe, now, before)
    return before


def check_start(config: WriteShardsConfig, spark: SparkSession | None = None, coming: Sequence[pa.Field] = ()) -> None:
    """Raise HeadtailError for a removal list, score table or filter that the job would refuse; reads no image.

    The filter is left out without a session of Spark. `coming` are columns of a score table that is yet to be written.
    """
    read_removals(tuple(config.removals))
    open_captions(config.captions)
    scores = [field for table in open_scores(config.scores) for field in table.scores]
    scores += [pa.field(field.name, stored_type(field.type)) for field in coming]
    boxes_column(config, scores)
    if (expression := filter_of(config)) and spark:
        check_filter(spark, expression, pa.schema(scores))


def check_datacomp(config: WriteShardsConfig, carried: Collection[str]) -> None:
    """Raise HeadtailError if captions name images by a uid of DataComp that the pairs will not have."""
    if DATACOMP not in carried and by_datacomp(open_captions(config.captions)):
        raise HeadtailError(
            f"captions: a table has the key {DATACOMP}, and the pairs will not have this column: only those of a "
            "source that has it (source=datacomp) do"
        )


def selection_settings(config: WriteShardsConfig, removed: list[str]) -> SelectionSettings:
    """Return which images become samples; `removed` are the lists of samples that were removed from the set before.

    Raises HeadtailError for a removal list with an invalid line.
    """
    bounds = {name: value for name, value in vars(config.filters).items() if name != "near_duplicates"}
    unique = UniqueRules(config.filters.near_duplicates, (*config.removals, *removed))
    hashes = read_removals(unique.removals).count("phash")
    if hashes and not unique.near:
        say(STAGE, f"ignores {hashes:,} perceptual hashes in removals: filters.near_duplicates=true compares them")
    tables = tuple(open_scores(config.scores))
    boxes = boxes_column(config, [field for table in tables for field in table.scores])
    scores = ScoreSettings(tables, has_score_columns(config), filter_of(config), boxes)
    return SelectionSettings(ImageFilters(**bounds), unique, scores, config.faces)


def has_score_columns(config: WriteShardsConfig) -> bool:
    """Return whether the side-cars get the columns of scores: by default, if neither filter nor faces use them."""
    used = bool(filter_of(config)) or config.faces != Faces.keep
    wanted = not used if config.score_columns is None else config.score_columns
    return wanted and bool(config.scores)


def recipe_of(
    config: WriteShardsConfig, shards: ShardSet, again: bool, inputs: Sequence[dict[str, Any]] = ()
) -> tuple[int, Recipe]:
    """Return the version of the samples' json, and the recipe of the set; `again`: there is a second balance."""
    settings = shard_settings(config) | {"second_balance": again}
    recipes = {
        version: Recipe(STAGE, LOGIC_VERSION, settings | recipe_settings(JsonForm(version)), list(inputs))
        for version in range(1, NEWEST + 1)
    }
    newest = "captions need" if config.captions else "faces=blur needs" if config.faces == Faces.blur else ""
    if newest and config.json_version == 1:
        raise HeadtailError(f"{newest} json_version=2: json_version=1 has no place for what it writes")
    asked = NEWEST if newest else config.json_version
    version = shards.json_version(asked, recipes, config.overwrite)
    return version, recipes[version]


def shard_settings(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the settings that decide the shards, and the files that they name; the form of the json is no part."""
    values, lists = divide_sources(config.removals)
    files: dict[str, list] = {
        "removals": [*(vars(file) for file in list_files(lists)), *values],
        "scores": [vars(file) for file in score_files(config.scores)],
    }
    plain = {name: getattr(config, name) for name in ("samples_per_shard", "max_shard_bytes")}
    plain["filter"] = filter_of(config)
    if config.syn_json and not config.captions:
        raise HeadtailError("syn_json=true needs captions: captions.<name>=table.parquet")
    captions = {name: [vars(file) for file in listed] for name, listed in list_captions(config.captions).items()}
    more = {
        **face_recipe(config),
        "captions": captions,
        "syn_json": config.syn_json,
        "score_columns": has_score_columns(config),
    }
    more = {name: value for name, value in more.items() if value}  # recipes of before have none of them
    return {"filters": recipe_settings(config.filters), **plain, **files, **more}


if __name__ == "__main__":
    launch(run)
