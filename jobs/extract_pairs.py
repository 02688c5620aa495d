"""Extract image-text pairs from archives, and detect their languages."""

from dataclasses import asdict
from functools import partial

from conf.schema import ExtractPairsConfig
from curation.extraction import LOGIC_VERSION, ExtractionSettings, extract_file
from curation.language import LanguageRules
from curation.progress import Stage, say
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from curation.storage import join, list_files
from curation.tables import Recipe, Table, check_failed_share, sum_receipts
from curation.text_rules import TextRules
from curation.urls import UrlRules
from jobs.cli import launch

NAME = "extract_pairs"


def run(config: ExtractPairsConfig) -> None:
    """Write the parts of `pairs` that are not there yet: one Parquet file for each input file."""
    settings = ExtractionSettings(
        source=config.source.kind.value,
        entities=config.source.entities.value,
        crawl=config.source.crawl,
        urls=UrlRules(tuple(config.urls.allow_private_hosts)),
        texts=TextRules(**vars(config.text)),
        language=LanguageRules(languages=tuple(config.languages), **vars(config.language)),
    )
    files = [vars(file) for file in list_files(config.source.paths, (".wat", ".wat.gz"))]
    table = Table(config.pairs)
    recipe = Recipe(NAME, LOGIC_VERSION, asdict(settings), files)
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
