"""The files that a run reads: input files, all or a sample of them, and the lists and models of its rules."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core.choices import SourceKind
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.meter import BYTES
from curation.core.progress import Amount
from curation.core.recipes import Recipe, recipe_settings
from curation.core.remote import STARTING, RemoteError, is_http, look_up_host
from curation.core.removal_lists import divide_sources
from curation.core.storage import join
from curation.extraction.extract import ExtractTask
from curation.extraction.language import DEFAULT_MODEL, NO_MODEL
from curation.extraction.path_lists import ENDINGS, check_scheme, listed_paths
from curation.extraction.settings import LOGIC_VERSION, ExtractionSettings
from curation.extraction.text_rules import all_word_lists
from curation.extraction.user_lists import is_file
from curation.sources.archives import CRAWL_NAME
from curation.sources.caption_tables import TableColumns
from curation.sources.row_sample import RowSample, sample_rows

SUFFIXES = {
    SourceKind.wat: (".wat", ".wat.gz", ".wat.zst"),
    SourceKind.warc: (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz"),  # ARCs are not read: each gives a failure
    SourceKind.table: (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz"),
    SourceKind.webdataset: (".tar", ".tar.gz", ".tgz"),  # packed tars are not read: each gives a failure
}
"""The files that are taken from a folder, by source."""
WITH_ROW_SAMPLES = (SourceKind.table,)
"""Sources whose limit counts rows of all files together; the limit of the others counts files."""
STAGE = "extract_pairs"
COUNT_STAGE, COUNT_VERSION = "count_rows", 1


@dataclass(frozen=True)
class Inputs:
    """The input files of a run.

    `row_samples` holds, by path, which rows of a table are read; a file that is not in it is read whole. `settings` are
    the recipe's settings for a sample of rows: limit, seed and the rows of all files together.
    """

    files: list[FileInfo]
    row_samples: dict[str, RowSample] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def tasks(self, files: Sequence[Mapping[str, Any]], folder: str) -> list[ExtractTask]:
        """Return a task for each of the files of a part, which a recipe names; a task writes a file of `folder`."""
        return [
            ExtractTask(file["path"], join(folder, f"{index:05d}.parquet"), self.row_samples.get(file["path"]))
            for index, file in enumerate(files)
        ]


def list_sources(
    paths: Iterable[str], source: SourceKind, prefix: str, absolute_paths: bool = False, written: Sequence[str] = ()
) -> list[FileInfo]:
    """Return the input files that paths name, sorted: files, folders, globs, URLs, a crawl, or a list of paths.

    A crawl (`CC-MAIN-2024-22`) stands for its `wat.paths.gz` (or `warc.paths.gz`) under `prefix`. The lines of a file
    called `*.paths` or `*.paths.gz` are paths under `prefix`, and other paths only with `absolute_paths`. The size and
    version of these files and of http URLs stay unknown, because a request for each file would take too long. Tables of
    runs, and the folders `written` by this run, are left out of folders and globs unless a path names them. Raises
    HeadtailError for an address that sources are not read from.
    """
    files: dict[str, FileInfo] = {}
    for path in paths:
        crawl = ""
        if re.fullmatch(CRAWL_NAME, path):
            crawl, path = path, f"{prefix}crawl-data/{path}/{source.value}.paths.gz"
        check_scheme(path)
        if path.endswith(ENDINGS):
            named = [FileInfo(line, -1, "") for line in listed_paths(path, prefix, absolute_paths, crawl)]
        elif path.startswith(("http://", "https://")):
            named = [FileInfo(path, -1, "")]
        else:
            named = _list_local(path, source, written)
        for file in named:
            check_scheme(file.path, path)  # a name such as `a::b` in a folder would be read as a chain
        files |= {file.path: file for file in named}
    return [files[path] for path in sorted(files)]


def list_paths(settings: ExtractionSettings) -> list[str]:
    """Return the paths of the files that rules read: their content decides rows, too."""
    sources = [source for source in settings.urls.block_hosts if is_file(source)]
    sources += divide_sources(settings.urls.removals)[1]
    word_lists = settings.texts.word_lists
    model = settings.language.model
    models = [] if model in (DEFAULT_MODEL, NO_MODEL) else [model]
    return [*sources, *([all_word_lists(word_lists)] if word_lists else []), *models]


def count_recipe(files: Sequence[FileInfo], columns: TableColumns, rules: int) -> Recipe:
    """Return the recipe of the row counts of tables."""
    decisive: dict[str, Any] = {"names": columns.names}
    if rules > 1:
        decisive |= {"rules": rules, "csv_escape": columns.csv_escape}
    return Recipe(COUNT_STAGE, COUNT_VERSION, decisive, [vars(file) for file in files])


def check_reachable(files: Iterable[FileInfo]) -> None:
    """Look up the host of the first file that lies on the web, so that a machine without network says so at once.

    Raises HeadtailError if its name does not resolve. Behind a proxy, which looks names up itself, nothing is checked.
    """
    path = next((file.path for file in files if is_http(file.path)), None)
    if path is None:
        return
    try:
        STARTING.run(path, lambda: look_up_host(path))
    except RemoteError as error:
        raise HeadtailError(str(error)) from error


def draw_rows(files: Sequence[FileInfo], row_counts: Sequence[int], limit: int, seed: int) -> Inputs:
    """Return the files that hold the rows of a sample of `limit` rows, with the sample of each file.

    A file without any row stays: it may be damaged, and then the run reports it.
    """
    rows = sum(row_counts)
    if limit >= rows:
        return Inputs(list(files))
    samples = sample_rows([file.path for file in files], row_counts, limit, seed)
    drawn = [
        (file, sample)
        for file, sample, count in zip(files, samples, row_counts, strict=True)
        if sample.last >= 0 or not count
    ]
    settings = {"sample": {"limit": limit, "seed": seed, "of_rows": rows}}
    return Inputs([file for file, _ in drawn], {file.path: sample for file, sample in drawn}, settings)


def draw_files(files: list[FileInfo], limit: int | None, seed: int) -> Inputs:
    """Return `limit` of the files, drawn by seed without replacement, in their order; all files without a limit.

    A larger limit keeps every file of a smaller one.
    """
    if limit is None or limit >= len(files):
        return Inputs(files)
    order = np.argsort(hash64(seed, "sample", pa.array([file.path for file in files])), kind="stable")
    return Inputs([files[index] for index in sorted(order[:limit].tolist())])


def draw_inputs(
    files: list[FileInfo], source: SourceKind, limit: int | None, seed: int, count: Callable[[], Sequence[int]]
) -> Inputs:
    """Return the files and rows that a run reads; `count` returns the rows of each file, if they have to be known."""
    if limit is not None and source in WITH_ROW_SAMPLES:
        return draw_rows(files, count(), limit, seed)
    return draw_files(files, limit, seed)


def pairs_recipe(settings: ExtractionSettings, inputs: Inputs) -> Recipe:
    """Return the recipe of the pairs of these inputs."""
    lists = [vars(file) for file in list_files(list_paths(settings))]
    decisive = {**recipe_settings(settings), "lists": lists, **inputs.settings}
    return Recipe(STAGE, LOGIC_VERSION, decisive, [vars(file) for file in inputs.files])


def bytes_of(inputs: Sequence[dict[str, Any]]) -> Amount:
    """Return the bytes of input files as an amount of work; those of files on the web are not known before.

    >>> bytes_of([{"size": 5}, {"size": 7}]).total, bytes_of([{"size": 5}, {"size": -1}]).total
    (12, None)
    """
    sizes = [file.get("size", -1) for file in inputs]
    return Amount(sum(sizes) if min(sizes, default=0) > 0 else None, BYTES)


def _list_local(path: str, source: SourceKind, written: Sequence[str]) -> list[FileInfo]:
    """Return the files of a path; raises HeadtailError for one without files, and says how a crawl is spelt."""
    try:
        return list_files([path], SUFFIXES[source], written)
    except HeadtailError as error:
        if not re.match(r"cc.?main|\d{4}-\d\d?$", path, re.IGNORECASE):
            raise
        raise HeadtailError(f"{error}; a crawl is spelt CC-MAIN-2024-22, with its year and its week") from error
