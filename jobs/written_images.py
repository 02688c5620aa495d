"""The images that score_images scores with `only_written`: those that become samples, as far as it is known before."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from pyspark.sql import SparkSession

from conf.schema.jobs import CurateConfig, ScoreImagesConfig, WriteShardsConfig
from curation.core.choices import Faces, NearDuplicates, OnlyWritten
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.removal_lists import divide_sources
from curation.core.schemas import LISTS, SAMPLES, STORED
from curation.core.storage import join
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards.duplicates import UniqueRules
from curation.shards.early_filter import EarlyFilter, early_filter
from curation.shards.face_boxes import COLUMNS
from curation.shards.sample_json import CLUSTER_IDS
from curation.shards.score_join import ScoreSettings
from curation.shards.scores import ScoreTable, named_in, open_scores, score_files
from curation.shards.second_balance import CONCEPTS, FirstBalance
from curation.shards.selection import ImageFilters
from curation.shards.shard_set import ShardSet
from curation.shards.steps import CHOSEN_FOLDER, SURVIVORS, SelectionSteps
from curation.signals.score import UID
from curation.signals.signals_table import STAGE
from curation.spark.selection import SelectionSettings, choose_samples, select_samples
from jobs.second_concepts import concept_recipe, is_balanced_again
from jobs.shard_settings import second_balance_of, selection_settings, shard_settings
from jobs.signal_rules import filter_of, needs_embeddings

FORM = ("samples_per_shard", "max_shard_bytes", "captions", "syn_json", "score_columns", "clusters", "by")
"""Settings of shards that decide no image."""


@dataclass(frozen=True)
class ExactSet:
    """The settings of the shards, and the first balance if the images are balanced again."""

    shards: WriteShardsConfig
    second: FirstBalance | None


@dataclass(frozen=True)
class WrittenImages:
    """Which images are scored with `only_written`: the part of the filter that knows no signal, and its score tables.

    `equal_files`: of equal files all are scored. `recipe` are the settings, and the id of the lists, that decide it.
    With `exact` only that decides.
    """

    early: EarlyFilter
    tables: tuple[ScoreTable, ...]
    equal_files: bool
    recipe: dict[str, Any]
    exact: ExactSet | None = None


def only_written(config: ScoreImagesConfig, columns: Sequence[str]) -> WrittenImages | None:
    """Return which images are scored; None: all are. `columns` are those of the signals."""
    if config.only_written == OnlyWritten.false:
        return None
    if config.only_written == OnlyWritten.exact:
        return _exactly_written(config, columns)
    paths = _other_scores(config) if config.filter else []
    tables = tuple(open_scores(paths))
    scores = [name for table in tables for name in table.scores.names]
    early = _early_part(config.filter, scores, columns)
    values, files = divide_sources(config.removals)
    removals = [*map(vars, list_files(files)), *values]
    read = score_files(paths) if named_in(early.expression, scores) else []
    # An image without an embedding is no image of a benchmark, even where an equal file is one.
    compared = isinstance(config, CurateConfig) and config.benchmark_cosine is not None
    equal_files = compared or not early.is_whole
    more = {"filter": early.expression, "scores": [*map(vars, read)], "equal_files": equal_files}
    recipe = {"filters": vars(filters_of(config)), "removals": removals, "lists": lists_of(config).id}
    # Recipes of before have none of them.
    return WrittenImages(early, tables, equal_files, recipe | {name: value for name, value in more.items() if value})


def _exactly_written(config: ScoreImagesConfig, columns: Sequence[str]) -> WrittenImages:
    """Return the images of the shards, all settings of which are part of the recipe.

    Raises HeadtailError where signals decide, and for concepts that only the settings of `curate` have.
    """
    refuse_deciding(config, columns)
    shards, lists = settings_of_shards(config), lists_of(config)
    balance = lists.manifest["balance"]
    again = is_balanced_again(shards, balance["headroom"])
    if again and balance.get(CONCEPTS) and not isinstance(config, CurateConfig):
        raise HeadtailError(
            "only_written=exact: the images were balanced with concepts, which score_images by itself does not read: "
            "run curate, or set only_written=true"
        )
    second = second_balance_of(shards, lists)
    scores = [name for table in open_scores(shards.scores) for name in table.scores.names]
    values = {name: value for name, value in shard_settings(shards).items() if name not in FORM}
    decide = named_in(filter_of(shards), scores) or shards.faces != Faces.keep or needs_embeddings(shards)
    values["scores"] = values["scores"] if decide else []
    values |= {"exact": True, "lists": lists.id, "second_balance": again} | (concept_recipe(shards) if again else {})
    return WrittenImages(EarlyFilter("", True), (), False, values, ExactSet(shards, second))


def refuse_deciding(config: ScoreImagesConfig, columns: Sequence[str]) -> None:
    """Raise HeadtailError if only_written=exact is asked for, and signals decide which images are written.

    `columns` are those of the signals. Something that changes from time to time is refused as well.
    """
    if config.only_written != OnlyWritten.exact or not columns:
        return
    shards = settings_of_shards(config)
    expression, early = filter_of(shards), _early_part(filter_of(shards), (), columns)
    boxes = [shards.face_boxes] if shards.face_boxes else COLUMNS
    deciding = {
        f"filter={expression}": early != early_filter(expression, (), ()) or not early.is_whole,
        f"faces={shards.faces}": shards.faces != Faces.keep and bool({*boxes} & {*columns}),
        f"comparing {shards.embedding_column}": needs_embeddings(shards) and shards.embedding_column in columns,
    }
    if found := [name for name, decides in deciding.items() if decides]:
        raise HeadtailError(
            f"only_written=exact: {found[0]} cannot be decided before images are scored, so the images that are "
            "written are not known: set only_written=true"
        )


def settings_of_shards(config: ScoreImagesConfig) -> WriteShardsConfig:
    """Return the settings of write_shards, without the signals; score_images by itself has some of them."""
    scores = _other_scores(config)
    if isinstance(config, WriteShardsConfig):
        return replace(config, scores=scores)
    names = ("output", "lists", "downloads", "filters", "removals", "filter", "allow_empty")
    given = {name: getattr(config, name) for name in names}
    return WriteShardsConfig(**given, scores=scores, shards=join(config.output, "shards"))


def _other_scores(config: ScoreImagesConfig) -> list[str]:
    """Return the score tables but that of the signals."""
    own = config.image_signals.rstrip("/")
    return [path for path in config.scores if path.rstrip("/") != own]


def _early_part(expression: str, scores: Sequence[str], columns: Sequence[str]) -> EarlyFilter:
    """Return the part of a filter that knows no column of the signals."""
    signals = [name for name in columns if name != UID.name]
    # Clusters are columns of write_shards alone, and differ between equal files.
    return early_filter(expression, [*SAMPLES.names, *scores, *CLUSTER_IDS], [*signals, *CLUSTER_IDS])


def lists_of(config: ScoreImagesConfig) -> Part:
    """Return the table of kept images; raises HeadtailError if there is none."""
    return Table(config.lists, LISTS, STORED.names).require("download_images")[0]


def filters_of(config: ScoreImagesConfig) -> ImageFilters:
    """Return the bounds on images."""
    return ImageFilters(**{each.name: getattr(config.filters, each.name) for each in fields(ImageFilters)})


def written_images(
    spark: SparkSession, config: ScoreImagesConfig, downloads: Downloads, work: str, only: WrittenImages
) -> dict[str, tuple[str, ...]]:
    """Return the files of the uids that become samples by bounds, filter, removal lists and equal files.

    They are by status file. Equal files stay where the rest of the filter, or a benchmark, may divide them. With
    `exact` they are those of all steps of write_shards.
    """
    lists = lists_of(config)
    ranges = Ranges(**lists.manifest["settings"])
    steps = SelectionSteps(ranges, lists.path, work, downloads.status_files(ranges))
    if only.exact:
        shards = only.exact.shards
        settings = selection_settings(shards, ShardSet(shards.shards).removal_lists())
        settings = replace(settings, scores=replace(settings.scores, in_sidecars=False))
        return steps.survivors_of_status(choose_samples(spark, steps, settings, only.exact.second).folder)
    if expression := only.early.expression:
        say(STAGE, f"scores images with {expression} only: the part of filter that knows no signal")
    unique = UniqueRules(NearDuplicates.false, tuple(config.removals))
    scores = ScoreSettings(only.tables if expression else (), False, expression)
    select_samples(spark, steps, SelectionSettings(filters_of(config), unique, scores))
    return steps.survivors_of_status(CHOSEN_FOLDER if only.equal_files else SURVIVORS)
