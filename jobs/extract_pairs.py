"""Extract image-text pairs from archives, and detect their languages."""

from collections.abc import Callable
from functools import partial

from headtail.start import launch
from conf.schema.jobs import ExtractPairsConfig
from curation.core.amounts import counted
from curation.core.outcomes import refuse_nothing
from curation.core.parts import check_failed_share, describe_growth, sum_receipts
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.schemas import PAIRS
from curation.core.seeds import run_seed
from curation.core.tables import Table
from curation.extraction.check_inputs import pairless_advice
from curation.extraction.extract import extract_file, give_up_file
from curation.extraction.inputs import STAGE, Inputs, bytes_of, draw_inputs, pairs_recipe
from curation.extraction.pair_parts import PairParts, describe_given_up, places_given_up
from curation.extraction.settings import ExtractionSettings
from curation.spark.tasks import run_tasks
from jobs.extraction_settings import as_begun, settings_of
from jobs.outputs import writing
from jobs.source_files import check_start, count_files, list_inputs, start

NAME = STAGE


@writing(NAME, lambda config: [config.pairs])
def run(config: ExtractPairsConfig, check_later: Callable[[], None] = lambda: None) -> None:
    """Write the missing parts of `pairs`: one Parquet file for each input file.

    `check_later` raises HeadtailError if a later job could not go on from other pairs than the finished ones.
    """
    settings, limit = settings_of(config), config.source.limit
    files = list_inputs(config)
    # Without a limit the seed decides no row, and pairs of any run can be used.
    seed = run_seed(config.output, config.seed, [] if limit is None else [config.pairs])
    table, newest = Table(config.pairs, PAIRS, None), settings

    def plan(settings: ExtractionSettings) -> tuple[Inputs, Recipe]:
        count = partial(count_files, config, files, settings)
        inputs = draw_inputs(files, settings.source, limit, seed, count)
        return inputs, pairs_recipe(settings, inputs)

    settings = as_begun(newest, config, table.parts())
    inputs, recipe = plan(settings)
    if config.overwrite and settings != newest and table.differs(recipe):
        # All is made again. The rules alone are no reason for that: `overwrite` may be meant for a later stage.
        settings = newest
        inputs, recipe = plan(settings)
    retry = places_given_up(table.parts()) if config.retry_failed_files else ()

    def check() -> None:
        check_later()
        check_start(config, settings, [file.path for file in inputs.files])

    parts, plans = table.plan_parts(recipe, config.files_per_part, config.overwrite, config.add, retry, check)
    if plans:
        if parts:
            check_later()
        check_start(config, settings, [file["path"] for _, part in plans for file in part.inputs])
    else:
        files_done = sum(len(part.inputs()) for part in parts)
        found = counted(sum_receipts(parts).rows_out, "pairs")
        say(NAME, f"is done: {found} of {counted(files_done, 'files')} in {table.path}")
    if growth := describe_growth(parts, plans, table.path, "files"):
        say(NAME, growth)
    total = sum(len(part.inputs()) for part in parts) + sum(len(part.inputs) for _, part in plans)
    made = PairParts(table, parts, None if limit is None else seed)
    for number, part in plans:
        stage = Stage(NAME, f"{counted(len(part.inputs), 'files')}, part {number}", number)
        spark = start(config, inputs.files)
        folder = table.begin(number)
        work = partial(extract_file, settings=settings, seed=seed)
        give_up = partial(give_up_file, settings=settings)
        tasks = inputs.tasks(part.inputs, folder)
        receipts = run_tasks(spark, work, tasks, folder, give_up, bytes_of(part.inputs))
        stage.end(made.add(number, part, receipts, stage.seconds))
        made.check(config.max_failed_share, total)
    made.finish_beside_pairs()
    if plans:
        account = made.account(NAME)
        refuse_nothing(account, "pair", pairless_advice(settings, account), config.allow_empty)
    made.finish()
    if line := describe_given_up(made.finished):
        say(NAME, line)
    check_failed_share(made.finished, config.max_failed_share)


if __name__ == "__main__":
    launch(run)
