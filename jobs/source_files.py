"""The source files of extract_pairs: they are checked before Spark starts, and the rows of tables are counted."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import SparkSession

from conf.schema.jobs import ExtractPairsConfig
from curation.core.amounts import counted
from curation.core.attempts import receipt_of_given_up
from curation.core.input_files import FileInfo
from curation.core.outcomes import is_unread
from curation.core.outputs import check_writable
from curation.core.parts import check_failed_share
from curation.core.progress import Stage, waiting
from curation.core.schemas import PAIRS
from curation.core.storage import join
from curation.core.tables import Table
from curation.extraction.check_inputs import check_files, check_rules
from curation.extraction.inputs import STAGE, check_reachable, count_recipe, list_sources
from curation.extraction.pair_parts import given_up
from curation.extraction.settings import ExtractionSettings
from curation.sources.caption_tables import CountTask, count_rows
from curation.spark.environment import is_local_run
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.extraction_settings import settings_of
from jobs.outputs import written_folders


def list_inputs(config: ExtractPairsConfig) -> list[FileInfo]:
    """Return the source files of a run; raises HeadtailError if there is none."""
    source, written = config.source, written_folders(config)
    with waiting("listing the source files"):
        return list_sources(source.paths, source.kind, source.prefix, source.absolute_paths, written)


def check_sources(config: ExtractPairsConfig) -> None:
    """Raise HeadtailError for what is wrong with the sources of a run that has no pairs yet."""
    if Table(config.pairs, PAIRS, None).parts():
        return
    files = list_inputs(config)
    if is_local_run(config.spark.master):
        check_reachable(files)
    check_start(config, settings_of(config), [file.path for file in files])


def check_start(config: ExtractPairsConfig, settings: ExtractionSettings, paths: Sequence[str]) -> None:
    """Raise HeadtailError for what would fail, or give no pair, after the work on these files has begun."""
    check_writable([config.pairs])
    check_rules(settings)
    with waiting("looking at the source files"):
        check_files(paths, settings, config.max_failed_share)


def start(config: ExtractPairsConfig, files: list[FileInfo]) -> SparkSession:
    """Start Spark, if the machines that read the files reach them: those of a cluster may reach more than this one."""
    if is_local_run(config.spark.master):
        check_reachable(files)
    return open_session(STAGE, **vars(config.spark))


def count_files(config: ExtractPairsConfig, files: list[FileInfo], settings: ExtractionSettings) -> list[int]:
    """Return the rows of each table; they are counted once and kept beside the pairs."""
    columns = settings.columns
    table, recipe = Table(join(config.pairs, "_rows")), count_recipe(files, columns, settings.rules)
    part = table.done(recipe)
    if part is None or (config.retry_failed_files and given_up([part])):
        check_start(config, settings, [file.path for file in files])
        stage = Stage(recipe.stage, counted(len(files), "files"))
        folder = table.begin(0)
        spark = start(config, files)
        tasks = [CountTask(file.path) for file in files]
        count = partial(count_rows, columns=columns, rules=settings.rules)
        receipts = run_tasks(spark, count, tasks, folder, lambda task: receipt_of_given_up(task.input))
        if is_unread(receipts):
            check_failed_share([], config.max_failed_share, receipts, len(files))
        counts = [receipt.rows_out for receipt in receipts]
        part = table.commit(0, recipe, receipts, stage.seconds, counts=counts)
        stage.end(part.receipt)
    return part.manifest["counts"]
