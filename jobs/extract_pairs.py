"""Extract image-text pairs from archives, and detect their languages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from headtail.start import launch
from conf.schema.jobs import ExtractPairsConfig
from curation.core.amounts import counted
from curation.core.attempts import GIVEN_UP, receipt_of_given_up
from curation.core.choices import LanguageRule
from curation.core.credentials import failed_place
from curation.core.meter import BYTES
from curation.core.outcomes import is_unread, refuse_nothing
from curation.core.outputs import check_writable
from curation.core.progress import Amount, Stage, say, waiting
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, kept, recipe_settings
from curation.core.schemas import PAIRS
from curation.core.seeds import run_seed
from curation.core.storage import FileInfo, join, list_files
from curation.core.tables import Part, Table, check_failed_share, describe_growth, last_failures, sum_receipts
from curation.extraction.check_inputs import check_files, check_rules, pairless_advice
from curation.extraction.extract import (
    LOGIC_VERSION,
    RULES,
    ExtractionSettings,
    ExtractTask,
    extract_file,
    give_up_file,
)
from curation.extraction.inputs import (
    WITH_ROW_SAMPLES,
    Inputs,
    check_reachable,
    count_recipe,
    draw_files,
    draw_rows,
    list_paths,
    list_sources,
)
from curation.extraction.language import UNKNOWN_BY_DEFAULT, LanguageRules
from curation.extraction.text_rules import TextRules
from curation.extraction.urls import UrlRules
from curation.sources.caption_tables import DEFAULT_TEXTS, CountTask, TableColumns, count_rows
from curation.spark.environment import is_local_run
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.outputs import writing, written_folders

NAME = "extract_pairs"


def settings_of(config: ExtractPairsConfig) -> ExtractionSettings:
    """Return the settings of extraction as plain values, with the newest rules."""
    source = config.source
    language = LanguageRules(
        config.language.model,
        tuple(config.languages),
        config.language.min_score,
        config.language.rule or LanguageRule.careful,
        config.language.unknown,
        tuple(tuple(code.strip() for code in group.split("+")) for group in config.language.merge),
    )
    if not language.is_careful:
        language = replace(language, rule=LanguageRule.published, unknown=UNKNOWN_BY_DEFAULT)
    texts, carry = tuple(sorted(source.text_columns.items())), tuple(sorted(source.carry.items()))
    return ExtractionSettings(
        source=source.kind,
        entities=source.entities,
        crawl=source.crawl,
        max_file_bytes=source.max_file_bytes,
        record_seconds=source.record_seconds,
        rules=RULES[source.kind],
        image_addresses=source.image_addresses,
        page_metadata=source.page_metadata,
        urls=UrlRules(**{name: tuple(values) for name, values in vars(config.urls).items()}),
        texts=TextRules(**vars(config.text)),
        language=language,
        columns=TableColumns(
            source.url_column,
            texts or DEFAULT_TEXTS,
            carry,
            tuple(source.names),
            source.csv_escape.value,
            source.lang_column,
        ),
    )


def as_begun(settings: ExtractionSettings, config: ExtractPairsConfig, parts: Sequence[Part]) -> ExtractionSettings:
    """Return the settings with the rules by which the run was begun, where the configuration leaves them open."""
    manifests = [part.manifest for part in parts]
    settings = kept(settings, "rules", manifests)
    if config.language.rule is None and manifests:
        begun = [{"settings": manifest["settings"].get("language", {})} for manifest in manifests]
        rule = LanguageRule(kept(settings.language, "rule", begun).rule)
        if rule is LanguageRule.published and not settings.columns.lang:
            config.language.refuse_unknown()
            settings = replace(settings, language=replace(settings.language, rule=rule, unknown=UNKNOWN_BY_DEFAULT))
    return settings


def plan_inputs(
    config: ExtractPairsConfig, files: list[FileInfo], settings: ExtractionSettings, seed: int
) -> tuple[Inputs, Recipe]:
    """Return the files and rows to read, and the recipe of their pairs."""
    limit = config.source.limit
    if limit is not None and settings.source in WITH_ROW_SAMPLES:
        inputs = draw_rows(files, count_files(config, files, settings), limit, seed)
    else:
        inputs = draw_files(files, limit, seed)
    lists = [vars(file) for file in list_files(list_paths(settings))]
    decisive = {**recipe_settings(settings), "lists": lists, **inputs.settings}
    return inputs, Recipe(NAME, LOGIC_VERSION, decisive, [vars(file) for file in inputs.files])


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


def bytes_of(inputs: Sequence[dict[str, Any]]) -> Amount:
    """Return the bytes of input files as an amount of work; those of files on the web are not known before."""
    sizes = [file.get("size", -1) for file in inputs]
    return Amount(sum(sizes) if min(sizes, default=0) > 0 else None, BYTES)


def start(config: ExtractPairsConfig, files: list[FileInfo]) -> SparkSession:
    """Start Spark, if the machines that read the files reach them: those of a cluster may reach more than this one."""
    if is_local_run(config.spark.master):
        check_reachable(files)
    return open_session(NAME, **vars(config.spark))


def check_start(config: ExtractPairsConfig, settings: ExtractionSettings, paths: Sequence[str]) -> None:
    """Raise HeadtailError for what would fail, or give no pair, after the work on these files has begun."""
    check_writable([config.pairs])
    check_rules(settings)
    with waiting("looking at the source files"):
        check_files(paths, settings, config.max_failed_share)


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


def given_up(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return the failures of the files that were given up when they were last read."""
    return [failure for failure in last_failures(parts) if failure.get("reason") == GIVEN_UP]


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
    settings = as_begun(newest, config, table.parts())
    inputs, recipe = plan_inputs(config, files, settings, seed)
    if config.overwrite and settings != newest and table.differs(recipe):
        # All is made again. The rules alone are no reason for that: `overwrite` may be meant for a later stage.
        settings = newest
        inputs, recipe = plan_inputs(config, files, settings, seed)
    retry = {failed_place(failure) for failure in given_up(table.parts())} if config.retry_failed_files else ()

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
    told_seed = None if limit is None else seed
    made: list[Receipt] = []
    held: list[tuple[int, Recipe, list[Receipt], float]] = []
    for number, part in plans:
        stage = Stage(NAME, f"{counted(len(part.inputs), 'files')}, part {number}", number)
        spark = start(config, inputs.files)
        folder = table.begin(number)
        tasks = [
            ExtractTask(file["path"], join(folder, f"{index:05d}.parquet"), inputs.row_samples.get(file["path"]))
            for index, file in enumerate(part.inputs)
        ]
        work, give_up = partial(extract_file, settings=settings), partial(give_up_file, settings=settings)
        receipts = run_tasks(spark, work, tasks, folder, give_up, bytes_of(part.inputs))
        made.append(merge_receipts(folder, receipts))
        if made[-1].rows_out:
            parts.append(table.commit(number, part, receipts, stage.seconds, seed=told_seed))
        else:  # finished only if the run as a whole is no failure
            held.append((number, part, receipts, stage.seconds))
        stage.end(made[-1])
        pending = [receipt for _, _, receipts, _ in held for receipt in receipts]
        check_failed_share(parts, config.max_failed_share, pending, total)
    if sum_receipts(parts).rows_out:
        parts += [table.commit(*each, seed=told_seed) for each in held]
        held = []
    if plans:
        account = merge_receipts(NAME, made)
        refuse_nothing(account, "pair", pairless_advice(settings, account), config.allow_empty)
    parts += [table.commit(*each, seed=told_seed) for each in held]
    if lost := {failed_place(failure): failure["file"] for failure in given_up(parts)}:
        named = f"{min(lost.values())}{', ...' if len(lost) > 1 else ''}"
        say(NAME, f"gave up {counted(len(lost), 'files')} ({named}): retry_failed_files=true reads such again")
    check_failed_share(parts, config.max_failed_share)


if __name__ == "__main__":
    launch(run)
