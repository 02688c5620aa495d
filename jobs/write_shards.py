"""Write WebDataset shards of the downloaded images, ready for training."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import WriteShardsConfig
from curation.core.amounts import counted
from curation.core.choices import Faces, ShardsBy
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable, warn_of_space
from curation.core.parts import Part, sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.schemas import LISTS, STORED
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.matching.entry_store import EntryStore
from curation.shards.caption_join import join_captions, refuse_same_keys, with_samples
from curation.shards.caption_tables import by_datacomp, open_captions
from curation.shards.clustered import refuse_clustered
from curation.shards.consume import check_images_left, write_set
from curation.shards.datacomp_keys import pairs_with_uids
from curation.shards.join_text import captions_text
from curation.shards.origin import ORIGIN, Origin
from curation.shards.readme import CAPTIONS
from curation.shards.sample_json import BLURRED, ENTRY_WORDS
from curation.shards.scores import SCORE_COLUMNS
from curation.shards.selection import check_inputs
from curation.shards.shard_set import STAGE, ShardSet, describe_set, make_searchable
from curation.shards.steps import SelectionSteps
from curation.shards.write import ShardSize, plan_shard_tasks
from curation.spark.selection import choose_samples
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.clustered_shards import with_clusters, write_clustered
from jobs.outputs import writing
from jobs.shard_checks import check_start, origin_of_set
from jobs.shard_settings import SAMPLELESS, form_of, recipe_of, second_balance_of, selection_settings
from jobs.signal_rules import blur_quality


def folders_of(config: WriteShardsConfig) -> list[str]:
    """Return the folders that the job writes."""
    return [config.shards] if config.keep_downloads else [config.shards, config.downloads]


@writing(STAGE, folders_of)
def run(config: WriteShardsConfig, before: Origin | None = None, store: EntryStore | None = None) -> None:
    """Select among the downloaded images, balance again if the settings say so, and write shards in the final order.

    `before` is the origin of the finished set; None: its manifest or the tables tell. `store` are the entry lists, for
    the words that no table has.
    """
    config = with_clusters(config)
    if config.by == ShardsBy.coarse:
        write_clustered(config, before, store)
        return
    refuse_clustered(config.shards)
    lists = Table(config.lists, LISTS, STORED.names).require("download_images")[0]
    downloads = Downloads(config.downloads)
    downloads.require("download_images")
    ranges = Ranges(**lists.manifest["settings"])
    status = downloads.status_files(ranges)
    shards = ShardSet(config.shards)
    second = second_balance_of(config, lists)
    version, recipe = recipe_of(config, shards, second is not None, [lists.input(), *downloads.inputs()])
    if part := shards.done(recipe):
        finish_again(config, part)
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
    chosen = choose_samples(spark, steps, settings, second)
    selection, facts = chosen.receipt, chosen.facts
    if not config.allow_empty:
        shards.refuse_to_empty(selection, steps.work)
    refuse_nothing(selection, "sample", SAMPLELESS, config.allow_empty)
    form = form_of(config, version, lists, store, steps.work)
    if version > 1:
        facts[ENTRY_WORDS] = bool(form.words)
    size = ShardSize(config.samples_per_shard, config.max_shard_bytes)
    in_sidecars = "scores" in facts and settings.scores.in_sidecars
    if in_sidecars:
        facts[SCORE_COLUMNS] = settings.scores.wanted.names
    if config.faces == Faces.blur:
        facts[SCORE_COLUMNS] = [*facts.get(SCORE_COLUMNS, ()), BLURRED]
    blur = blur_quality(config)
    tasks = plan_shard_tasks(shards.path, steps, chosen.texts, selection, size, form, in_sidecars, blur)
    check_images_left(tasks, downloads)
    if captions:
        run_each = partial(run_tasks, spark, folder=steps.work)
        ways = (config.syn_json, config.captions_strict)
        tasks, facts[CAPTIONS] = join_captions(run_each, tasks, captions, pairs, steps.work, *ways)
    shards.retract()
    run_each = partial(run_tasks, spark, folder=shards.path, amount=Amount(selection.rows_out, "samples"))
    receipts = write_set(run_each, tasks, downloads, recipe.id, config.keep_downloads)
    if captions:
        facts[CAPTIONS] = with_samples(facts[CAPTIONS], receipts)
        for line in captions_text(facts[CAPTIONS]):
            say(STAGE, line)
    facts[ORIGIN] = origin.to_json()
    part = shards.publish(recipe, steps.work, receipts, selection, stage.seconds, **facts)
    if config.energon_sqlite:
        make_searchable(part)
    stage.end(part.receipt)


def finish_again(config: WriteShardsConfig, part: Part) -> None:
    """Tell that the set is done, and do what its recipe does not hold: refuse captions, or write the index of keys."""
    samples = counted(part.receipt.rows_out, "samples")
    say(STAGE, f"is done: {samples} in {counted(len(part.files), 'shards')} in {part.path}")
    if config.captions_strict:
        refuse_same_keys(part.manifest.get(CAPTIONS, {}))
    if config.energon_sqlite:
        make_searchable(part)


if __name__ == "__main__":
    launch(run)
