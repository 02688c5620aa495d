"""What write_shards refuses, as it and the jobs that come before it in a chain ask: before work is done for nothing."""

from collections.abc import Collection, Sequence

import pyarrow as pa
from pyspark.sql import SparkSession

from conf.schema.jobs import WriteShardsConfig
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.removal_lists import read_removals
from curation.core.schemas import LISTS, STORED
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.shards.benchmark_images import open_benchmarks
from curation.shards.caption_tables import by_datacomp, open_captions
from curation.shards.datacomp_keys import DATACOMP
from curation.shards.origin import Origin, stage_of
from curation.shards.scores import open_scores, stored_type
from curation.shards.shard_set import ShardSet
from curation.spark.sql_filter import check_filter
from jobs.second_concepts import is_balanced_again
from jobs.shard_settings import others_of, recipe_of
from jobs.signal_rules import boxes_column, embeddings_column, filter_of


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
        again = is_balanced_again(config, headroom)
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
    open_benchmarks(config.benchmark_images, config.benchmark_cosine is not None)
    others_of(config)
    scores = [field for table in open_scores(config.scores) for field in table.scores]
    scores += [pa.field(field.name, stored_type(field.type)) for field in coming]
    boxes_column(config, scores)
    embeddings_column(config, scores)
    if (expression := filter_of(config)) and spark:
        check_filter(spark, expression, pa.schema(scores))


def check_datacomp(config: WriteShardsConfig, carried: Collection[str]) -> None:
    """Raise HeadtailError if captions name images by a uid of DataComp that the pairs will not have."""
    if DATACOMP not in carried and by_datacomp(open_captions(config.captions)):
        raise HeadtailError(
            f"captions: a table has the key {DATACOMP}, and the pairs will not have this column: only those of a "
            "source that has it (source=datacomp) do"
        )
