"""The settings of shards that a configuration asks for, and the recipe of the set."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from conf.schema.jobs import WriteShardsConfig
from curation.balancing.targets import targets_of
from curation.core.choices import Faces, NearDuplicates, ShardsBy
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.recipes import Recipe, recipe_settings
from curation.core.removal_lists import divide_sources, read_removals
from curation.matching.entry_store import EntryStore
from curation.shards.benchmark_images import BenchmarkRules, open_benchmarks, version_of
from curation.shards.caption_tables import list_captions
from curation.shards.duplicates import UniqueRules
from curation.shards.entry_words import copy_words
from curation.shards.origin import matches_of
from curation.shards.other_sets import OtherSets, open_others
from curation.shards.sample_json import NEWEST, JsonForm, SampleForm
from curation.shards.score_join import ScoreSettings
from curation.shards.scores import open_scores, score_files
from curation.shards.second_balance import CONCEPTS, FirstBalance
from curation.shards.selection import ImageFilters
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.write import LOGIC_VERSION
from curation.spark.selection import SelectionSettings
from jobs.entries import find_words
from jobs.second_concepts import concept_recipe, is_balanced_again, refuse_unused, second_concepts_of
from jobs.signal_rules import boxes_column, embeddings_column, face_recipe, filter_of, needs_embeddings

SAMPLELESS = "see download_status, filters, filter, removals"
"""Where to look if no image becomes a sample."""


def selection_settings(config: WriteShardsConfig, removed: list[str]) -> SelectionSettings:
    """Return which images become samples; `removed` are the lists of samples that were removed from the set before.

    Raises HeadtailError for a removal list with an invalid line.
    """
    bounds = {each.name: getattr(config.filters, each.name) for each in fields(ImageFilters)}
    files = open_benchmarks(config.benchmark_images, config.benchmark_cosine is not None)
    benchmarks = BenchmarkRules(files, config.benchmark_distance, version_of(files), config.benchmark_cosine)
    removals = (*config.removals, *removed)
    hashes = read_removals(removals).count("phash")
    unique = UniqueRules(config.filters.near_duplicates, removals, benchmarks, hashes > 0)
    if hashes and not unique.versions:
        say(STAGE, f"ignores {hashes:,} perceptual hashes in removals: filters.near_duplicates=hash compares them")
    tables = tuple(open_scores(config.scores))
    columns = [field for table in tables for field in table.scores]
    scores = ScoreSettings(
        tables, has_score_columns(config), filter_of(config), boxes_column(config, columns),
        embeddings_column(config, columns),
    )  # fmt: skip
    near = config.filters.near_duplicates == NearDuplicates.embedding
    cosine = config.filters.near_cosine if near else None
    return SelectionSettings(ImageFilters(**bounds), unique, scores, config.faces, cosine, others_of(config))


def others_of(config: WriteShardsConfig) -> OtherSets:
    """Return the other sets whose images are left out. Raises HeadtailError for one that cannot be compared."""
    near = config.filters.near_duplicates
    version = UniqueRules(near, ()).near_version
    if config.shards.rstrip("/") in [path.rstrip("/") for path in config.against]:
        raise HeadtailError(f"against: {config.shards} is the set to write: name others")
    return open_others(config.against, near, version, config.embedding_column)


def has_score_columns(config: WriteShardsConfig) -> bool:
    """Return whether the side-cars get the columns of scores: by default, if neither filter nor faces use them."""
    used = bool(filter_of(config)) or config.faces != Faces.keep or needs_embeddings(config)
    wanted = not used if config.score_columns is None else config.score_columns
    return wanted and bool(config.scores)


def second_balance_of(config: WriteShardsConfig, lists: Part) -> FirstBalance | None:
    """Return the first balance, with the targets of entries, by which survivors are drawn again; None: they are not.

    Raises HeadtailError where the concepts are not those of the first balance, or others would have no part.
    """
    balance = lists.manifest["balance"]
    first = FirstBalance.of_settings(balance, targets_of(lists, balance))
    if not is_balanced_again(config, first.goal.headroom):
        refuse_unused(config.concepts, balance.get(CONCEPTS, ()))
        return None
    return replace(first, concepts=second_concepts_of(config, balance))


def recipe_of(
    config: WriteShardsConfig, shards: ShardSet, again: bool, inputs: Sequence[dict[str, Any]] = ()
) -> tuple[int, Recipe]:
    """Return the version of the samples' json, and the recipe of the set; `again`: there is a second balance."""
    settings = shard_settings(config) | {"second_balance": again} | (concept_recipe(config) if again else {})
    recipes = {
        version: Recipe(STAGE, LOGIC_VERSION, settings | recipe_settings(JsonForm(version)), list(inputs))
        for version in range(1, NEWEST + 1)
    }
    newest = "captions need" if config.captions else "faces=blur needs" if config.faces == Faces.blur else ""
    newest = newest or ("clusters need" if config.clusters else "")
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
        "clusters": bool(config.clusters),
        "by": "" if config.by == ShardsBy.none else config.by.value,
    }
    if config.benchmark_images:
        more["benchmark_images"] = [vars(file) for file in open_benchmarks(config.benchmark_images)]
        more["benchmark_distance"] = config.benchmark_distance
        more["benchmark_cosine"] = config.benchmark_cosine
    if needs_embeddings(config):
        more["embedding_column"] = config.embedding_column
    more["against"] = list(others_of(config).named)
    more = {name: value for name, value in more.items() if value}  # recipes of before have none of them
    return {"filters": filter_recipe(config), **plain, **files, **more}


def filter_recipe(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the filters as the recipe of a set holds them: those of before as they were, true and false as such."""
    values = recipe_settings(config.filters)
    cosine, near = values.pop("near_cosine"), config.filters.near_duplicates
    values["near_duplicates"] = {NearDuplicates.false: False, NearDuplicates.true: True}.get(near, str(near))
    if near == NearDuplicates.embedding:
        values["near_cosine"] = cosine
    return values


def form_of(config: WriteShardsConfig, version: int, lists: Part, store: EntryStore | None, work: str) -> SampleForm:
    """Return the form of the samples' json; the newer ones hold the words of entries, which are copied to `work`."""
    if version == 1:
        return SampleForm(version)
    words = copy_words(find_words(STAGE, config.entries, matches_of(lists), store), work)
    return SampleForm(version, words, bool(config.clusters))
