"""Extract image-text pairs from archives, and detect their languages."""

from dataclasses import asdict
from functools import partial

from conf.schema.jobs import ExtractPairsConfig
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.schemas import PAIRS
from curation.core.storage import FileInfo, join, list_files
from curation.core.tables import Table, check_failed_share, sum_receipts
from curation.extraction.extract import LOGIC_VERSION, ExtractionSettings, extract_file
from curation.extraction.inputs import list_paths, list_sources, sample_files
from curation.extraction.language import LanguageRules
from curation.extraction.text_rules import TextRules
from curation.extraction.urls import UrlRules
from curation.sources.caption_tables import TableColumns, count_rows
from curation.sources.row_sample import sample_rows
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
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
        max_file_bytes=source.max_file_bytes,
        urls=UrlRules(**{name: tuple(values) for name, values in vars(config.urls).items()}),
        texts=TextRules(**{**text, "emails": text["emails"].value}),
        language=LanguageRules(languages=tuple(config.languages), **vars(config.language)),
        columns=columns,
    )


def draw_sample(
    config: ExtractPairsConfig, listed: list[FileInfo], settings: ExtractionSettings
) -> tuple[list[FileInfo], dict[str, dict], dict]:
    """Return the files to read, of a table the sample of rows of each by path, and what decides those rows."""
    limit, seed = config.source.limit, config.seed
    if settings.source != "table" or limit is None:
        return sample_files(listed, limit, seed), {}, {}
    counts = count_files(config, listed, settings.columns)
    if limit >= sum(counts):
        return listed, {}, {}
    samples = sample_rows([file.path for file in listed], counts, limit, seed)
    # A file without any row stays: it may be one that cannot be read.
    kept = [(file, one) for file, one, rows in zip(listed, samples, counts, strict=True) if one.last >= 0 or not rows]
    drawn = {"sample": {"limit": limit, "seed": seed, "of_rows": sum(counts)}}
    return [file for file, _ in kept], {file.path: asdict(one) for file, one in kept}, drawn


def count_files(config: ExtractPairsConfig, listed: list[FileInfo], columns: TableColumns) -> list[int]:
    """Return the rows of each file, counted once: they are kept beside the pairs."""
    table = Table(join(config.pairs, "_rows"))
    recipe = Recipe("count_rows", 1, {"names": columns.names}, [vars(file) for file in listed])
    part = table.done(recipe)
    if part is None:
        stage = Stage("count_rows", f"{len(listed):,} files")
        table.begin(0)
        spark = open_session(NAME, **vars(config.spark))
        receipts = run_tasks(spark, partial(count_rows, columns=columns), [{"input": file.path} for file in listed])
        counts = [receipt.rows_out for receipt in receipts]
        part = table.commit(0, recipe, receipts, stage.seconds, counts=counts)
        stage.end(part.receipt)
    return part.manifest["counts"]


def run(config: ExtractPairsConfig) -> None:
    """Write the parts of `pairs` that are not there yet: one Parquet file for each input file."""
    settings = settings_of(config)
    listed = list_sources(config.source.paths, SUFFIXES[settings.source], settings.source, config.source.prefix)
    lists = [vars(file) for file in list_files(list_paths(settings))]
    files, samples, drawn = draw_sample(config, listed, settings)
    table = Table(config.pairs, PAIRS, None)
    recipe = Recipe(NAME, LOGIC_VERSION, {**asdict(settings), "lists": lists, **drawn}, [vars(file) for file in files])
    parts, plans = table.plan_parts(recipe, config.files_per_part, config.overwrite)
    if not plans:
        say(NAME, f"is done: {sum_receipts(parts).rows_out:,} pairs of {len(files):,} files in {table.path}")
    for number, part in plans:
        stage = Stage(NAME, f"{len(part.inputs):,} files, part {number}")
        spark = open_session(NAME, **vars(config.spark))
        folder = table.begin(number)
        tasks = [
            {
                "input": file["path"],
                "output": join(folder, f"{index:05d}.parquet"),
                "sample": samples.get(file["path"]),
            }
            for index, file in enumerate(part.inputs)
        ]
        receipts = run_tasks(spark, partial(extract_file, settings=settings), tasks, folder)
        parts.append(table.commit(number, part, receipts, stage.seconds))
        stage.end(parts[-1].receipt)
    check_failed_share(parts, config.max_failed_share)
    if not sum_receipts(parts).rows_out:
        say(NAME, f"found no pair: are these files what source.kind={config.source.kind.value} says?")


if __name__ == "__main__":
    launch(run)
