"""Extract image-text pairs from archives, and detect their languages."""

from dataclasses import asdict
from functools import partial

from conf.schema import ExtractPairsConfig
from curation.caption_tables import TableColumns
from curation.extraction import LOGIC_VERSION, ExtractionSettings, extract_file, list_paths, sample_files
from curation.language import LanguageRules
from curation.progress import Stage, say
from curation.remote import list_sources
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from curation.storage import join, list_files
from curation.tables import Recipe, Table, check_failed_share, sum_receipts
from curation.text_rules import TextRules
from curation.urls import UrlRules
from jobs.cli import launch

NAME = "extract_pairs"


SUFFIXES = {
    "wat": (".wat", ".wat.gz"),
    "warc": (".warc", ".warc.gz", ".arc", ".arc.gz"),  # ARCs are not read: the failures say so
    "table": (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz"),
    "webdataset": (".tar", ".tar.gz", ".tgz"),  # packed ones are not read: the failures say so
}
"""What is taken of a folder."""


def settings_of(config: ExtractPairsConfig) -> ExtractionSettings:
    """Return the settings of extraction as plain values."""
    source, text = config.source, vars(config.text)
    columns = TableColumns(
        source.url_column,
        tuple(sorted(source.text_columns.items())) or TableColumns.texts,
        tuple(sorted(source.carry.items())),
        tuple(source.names),
    )
    return ExtractionSettings(
        source=source.kind.value,
        entities=source.entities.value,
        crawl=source.crawl,
        urls=UrlRules(**{name: tuple(values) for name, values in vars(config.urls).items()}),
        texts=TextRules(**{**text, "emails": text["emails"].value}),
        language=LanguageRules(languages=tuple(config.languages), **vars(config.language)),
        columns=columns,
    )


def run(config: ExtractPairsConfig) -> None:
    """Write the parts of `pairs` that are not there yet: one Parquet file for each input file."""
    settings = settings_of(config)
    listed = list_sources(config.source.paths, SUFFIXES[settings.source], settings.source, config.source.prefix)
    files = [vars(file) for file in sample_files(listed, config.source.limit, config.seed)]
    lists = [vars(file) for file in list_files(list_paths(settings))]
    table = Table(config.pairs)
    recipe = Recipe(NAME, LOGIC_VERSION, {**asdict(settings), "lists": lists}, files)
    parts, plans = table.plan_parts(recipe, config.files_per_part, config.overwrite)
    if not plans:
        say(NAME, f"is done: {sum_receipts(parts).rows_out:,} pairs of {len(files):,} files in {table.path}")
    for number, part in plans:
        stage = Stage(NAME, f"{len(part.inputs):,} files, part {number}")
        spark = open_session(NAME, **vars(config.spark))
        folder = table.begin(number)
        tasks = [
            {"input": file["path"], "output": join(folder, f"{index:05d}.parquet")}
            for index, file in enumerate(part.inputs)
        ]
        receipts = run_tasks(spark, partial(extract_file, settings=settings), tasks)
        parts.append(table.commit(number, part, receipts, stage.seconds))
        stage.end(parts[-1].receipt)
    check_failed_share(parts, config.max_failed_share)


if __name__ == "__main__":
    launch(run)
