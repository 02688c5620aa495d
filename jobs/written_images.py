"""The images that score_images scores with `only_written`: those that would become samples."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pyspark.sql import SparkSession

from conf.schema.jobs import CurateConfig, ScoreImagesConfig
from curation.core.choices import NearDuplicates
from curation.core.progress import say
from curation.core.removal_lists import divide_sources
from curation.core.schemas import LISTS, SAMPLES, STORED
from curation.core.storage import list_files
from curation.core.tables import Part, Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards.duplicates import UniqueRules
from curation.shards.early_filter import EarlyFilter, early_filter
from curation.shards.sample_json import CLUSTER_IDS
from curation.shards.score_join import ScoreSettings
from curation.shards.scores import ScoreTable, named_in, open_scores, score_files
from curation.shards.selection import ImageFilters
from curation.shards.steps import CHOSEN_FOLDER, SURVIVORS, SelectionSteps
from curation.signals.score import UID
from curation.signals.signals_table import STAGE
from curation.spark.selection import SelectionSettings, select_samples


@dataclass(frozen=True)
class OnlyWritten:
    """Which images are scored with `only_written`: the part of the filter that knows no signal, and its score tables.

    `equal_files`: of equal files all are scored. `recipe` are the settings, and the id of the lists, that decide it.
    """

    early: EarlyFilter
    tables: tuple[ScoreTable, ...]
    equal_files: bool
    recipe: dict[str, Any]


def only_written(config: ScoreImagesConfig, columns: Sequence[str]) -> OnlyWritten | None:
    """Return which images are scored; None: all are. `columns` are those of the signals."""
    if not config.only_written:
        return None
    own = config.image_signals.rstrip("/")
    paths = [path for path in config.scores if path.rstrip("/") != own] if config.filter else []
    tables = tuple(open_scores(paths))
    scores = [name for table in tables for name in table.scores.names]
    signals = [name for name in columns if name != UID.name]
    # Clusters are columns of write_shards alone, and differ between equal files.
    early = early_filter(config.filter, [*SAMPLES.names, *scores, *CLUSTER_IDS], [*signals, *CLUSTER_IDS])
    values, files = divide_sources(config.removals)
    removals = [*map(vars, list_files(files)), *values]
    read = score_files(paths) if named_in(early.expression, scores) else []
    # An image without an embedding is no image of a benchmark, even where an equal file is one.
    compared = isinstance(config, CurateConfig) and config.benchmark_cosine is not None
    equal_files = compared or not early.is_whole
    more = {"filter": early.expression, "scores": [*map(vars, read)], "equal_files": equal_files}
    recipe = {"filters": vars(filters_of(config)), "removals": removals, "lists": lists_of(config).id}
    # Recipes of before have none of them.
    return OnlyWritten(early, tables, equal_files, recipe | {name: value for name, value in more.items() if value})


def lists_of(config: ScoreImagesConfig) -> Part:
    """Return the table of kept images; raises HeadtailError if there is none."""
    return Table(config.lists, LISTS, STORED.names).require("download_images")[0]


def filters_of(config: ScoreImagesConfig) -> ImageFilters:
    """Return the bounds on images."""
    return ImageFilters(**{each.name: getattr(config.filters, each.name) for each in fields(ImageFilters)})


def written_images(
    spark: SparkSession, config: ScoreImagesConfig, downloads: Downloads, work: str, only: OnlyWritten
) -> dict[str, tuple[str, ...]]:
    """Return the files of the uids that become samples by bounds, filter, removal lists and equal files.

    They are by status file. Equal files stay where the rest of the filter, or a benchmark, may divide them.
    """
    if expression := only.early.expression:
        say(STAGE, f"scores images with {expression} only: the part of filter that knows no signal")
    lists = lists_of(config)
    ranges = Ranges(**lists.manifest["settings"])
    steps = SelectionSteps(ranges, lists.path, work, downloads.status_files(ranges))
    unique = UniqueRules(NearDuplicates.false, tuple(config.removals))
    scores = ScoreSettings(only.tables if expression else (), False, expression)
    select_samples(spark, steps, SelectionSettings(filters_of(config), unique, scores))
    return steps.survivors_of_status(CHOSEN_FOLDER if only.equal_files else SURVIVORS)
