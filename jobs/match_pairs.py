"""Match texts against the entry lists, and gather each image's matched texts."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from headtail.start import launch
from conf.schema.jobs import MatchPairsConfig
from curation.core import progress
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import Part, sum_receipts
from curation.core.progress import Stage, say
from curation.core.schemas import MATCHES, PAIRS
from curation.core.seeds import run_seed, salt_of
from curation.core.table_reader import check_file
from curation.core.tables import Table
from curation.matching.buckets import count_buckets
from curation.matching.entry_store import EntryStore
from curation.matching.match import MatchSettings, describe_dropped, languages_of, plan_matching
from curation.matching.parts import MATCHLESS, MatchesPlan, kept_buckets, kept_salt, matches_recipe
from curation.spark.matching import match_to_buckets, merge_buckets
from curation.spark.session import open_session
from jobs.entries import entries_to_write, write_words
from jobs.entry_lists import lists_to_write, with_new_lists
from jobs.outputs import writing

NAME = "match_pairs"


def open_lists(config: MatchPairsConfig) -> EntryStore:
    """Return the entry lists; raises HeadtailError if they do not exist, or lack one of `languages`."""
    store = EntryStore.open(config.entry_lists, config.matching.edges)
    store.check_languages()
    if missing := sorted(set(config.languages) - set(store.languages)):
        existing = ", ".join(sorted(store.languages)[:20])
        raise HeadtailError(
            f"languages: there is no entry list of {', '.join(missing)} in {config.entry_lists}, only of {existing}"
        )
    return store


def check_kept(config: MatchPairsConfig, store: EntryStore, pairs: list[Part]) -> None:
    """Say which of the languages to match extract_pairs has dropped; raises HeadtailError if that is all of them."""
    kept = languages_of([part.manifest["settings"] for part in pairs])
    line = describe_dropped(config.pairs, kept, config.languages or store.languages)
    if line and config.languages:
        say(NAME, line)


def check_inputs(config: MatchPairsConfig, store: EntryStore, pairs: list[Part]) -> None:
    """Raise HeadtailError if pairs or entry lists could not be matched, before finished matches are deleted."""
    check_kept(config, store, pairs)
    for part in pairs:
        check_file(part.files[0], PAIRS, further=None)
    with progress.waiting("reading the entry lists"):
        store.check_entries(config.languages)
    check_writable([config.matches])


def check_start(
    config: MatchPairsConfig,
    store: EntryStore,
    plan: MatchesPlan,
    pairs: Mapping[str, Part],
    check_later: Callable[[], None],
) -> None:
    """Say what is left out and what is added; raise HeadtailError for what would fail after work has begun.

    `pairs` are the parts of pairs by id.
    """
    check_kept(config, store, list(pairs.values()))
    if dropped := store.describe_drops(config.languages):
        say(NAME, dropped)
    for _, _, single in plan.to_match:
        check_file(pairs[single.inputs[0]["id"]].files[0], PAIRS, further=None)
    if plan.growth:
        check_later()
        say(NAME, plan.growth)
    with progress.waiting("reading the entry lists"):
        store.check_entries(config.languages)
    check_writable([config.matches, *entries_to_write(config.entries)])


def has_matches(config: MatchPairsConfig) -> bool:
    """Return whether the run has matches already."""
    return bool(Table(config.matches, MATCHES).parts())


def chosen_buckets(config: MatchPairsConfig, pairs: Iterable[Part]) -> int:
    """Return the number of buckets: as set, or else that of the matches that the run has, or else by the pairs."""
    kept = None if config.buckets else kept_buckets(config.matches)
    return config.buckets or kept or count_buckets(sum(part.manifest["rows_out"] for part in pairs))


@writing(NAME, lambda config: [config.matches, *lists_to_write(config), *entries_to_write(config.entries)])
def run(
    config: MatchPairsConfig, store: EntryStore | None = None, check_later: Callable[[], None] = lambda: None
) -> None:
    """Match the parts of `pairs` that are not in `matches` yet, and merge them into it.

    `store` are the entry lists, if the caller has opened them. `check_later` raises HeadtailError if a later job could
    not go on from other matches than the finished ones.
    """
    tables = Table(config.pairs, PAIRS, None)
    config = with_new_lists(config, partial(has_matches, config), partial(tables.require, "extract_pairs"))
    store = store or open_lists(config)
    seed, kept = run_seed(config.output, config.seed), kept_salt(config.matches)
    salt = salt_of(seed) if kept is None else kept
    settings = MatchSettings(config.matching.matcher, tuple(config.languages), config.matching.max_texts, salt)
    pairs = {part.id: part for part in tables.require("extract_pairs")}
    buckets = chosen_buckets(config, pairs.values())
    table = Table(config.matches, MATCHES)
    recipe = matches_recipe(store.edges, store.hash, settings, buckets, list(pairs.values()))

    def check() -> None:
        check_inputs(config, store, list(pairs.values()))
        check_later()

    plan = MatchesPlan.make(table, recipe, config.overwrite, config.add, check)
    if not plan.to_match and not plan.merge:
        receipt = table.parts()[0].receipt
        images = counted(receipt.facts["images"], "images")
        say(NAME, f"is done: {counted(receipt.rows_out, 'texts')} of {images} in {table.path}")
        return
    check_start(config, store, plan, pairs, check_later)
    spark = open_session(NAME, **vars(config.spark))
    for target, number, single in plan.to_match:
        part = pairs[single.inputs[0]["id"]]
        stage = Stage(NAME, f"{counted(part.manifest['rows_out'], 'pairs')} of {part.path}", number)
        folder = target.begin(number)
        tasks = plan_matching(part.manifest["files"], part.path)
        pairs_here = part.manifest["rows_out"]
        receipt = match_to_buckets(spark, tasks, store, settings, buckets, folder, pairs_here)
        if not plan.merge:
            refuse_nothing(receipt, "match", MATCHLESS, config.allow_empty)
            write_words(NAME, config.entries, store, config.languages)
        stage.end(target.commit(number, single, [receipt], stage.seconds).receipt)
    if plan.merge:
        if waiting := plan.waiting.parts():
            refuse_nothing(sum_receipts(waiting), "match", MATCHLESS, config.allow_empty)
        write_words(NAME, config.entries, store, config.languages)
        merge = plan.begin_merge()
        stage = Stage(NAME, f"merging {counted(len(merge.parts), 'parts')} in {counted(buckets, 'buckets')}")
        receipts = merge_buckets(spark, merge, buckets, settings)
        stage.end(merge.commit(receipts, stage.seconds).receipt)


if __name__ == "__main__":
    launch(run)
