"""Which files a run reads: named, listed, or drawn as a sample; and the files that its rules read beside them."""

import gzip
import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.remote import open_patiently
from curation.core.removal_lists import divide_sources
from curation.core.storage import FileInfo, list_files
from curation.extraction.extract import ExtractionSettings
from curation.extraction.language import DEFAULT_MODEL, NO_MODEL
from curation.extraction.user_lists import is_file


def list_paths(settings: ExtractionSettings) -> list[str]:
    """Return the paths of the files that rules read beside the input: what is in them decides rows too."""
    sources = [source for source in settings.urls.block_hosts if is_file(source)]
    sources += divide_sources(settings.urls.removals)[1]
    word_lists = settings.texts.word_lists
    model = settings.language.model
    models = [] if model in (DEFAULT_MODEL, NO_MODEL) else [model]
    return [*sources, *([word_lists.replace("{lang}", "*")] if word_lists else []), *models]


def sample_files(files: list[FileInfo], limit: int | None, seed: int) -> list[FileInfo]:
    """Return `limit` of the files, drawn by seed without replacement, in their order; all without a limit.

    A larger limit keeps every file that a smaller one took.
    """
    if limit is None or limit >= len(files):
        return files
    order = np.argsort(hash64(seed, "sample", pa.array([file.path for file in files])), kind="stable")
    return [files[index] for index in sorted(order[:limit].tolist())]


COMMON_CRAWL = "https://data.commoncrawl.org/"
_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}")


def list_sources(
    paths: Iterable[str], suffixes: tuple[str, ...], kind: str = "wat", prefix: str = COMMON_CRAWL
) -> list[FileInfo]:
    """Return the input files that paths name, sorted: files, folders, globs, URLs, a crawl, or a list of paths.

    A crawl (`CC-MAIN-2024-22`) stands for its `wat.paths.gz` (or `warc.paths.gz`) under `prefix`; the lines of a
    file called `*.paths` or `*.paths.gz` are paths under `prefix`, unless they are absolute. For these and for http
    URLs no request is made for each file: their size and version stay unknown.
    """
    found: dict[str, FileInfo] = {}
    for path in paths:
        if _CRAWL.fullmatch(path):
            path = f"{prefix}crawl-data/{path}/{kind}.paths.gz"
        if path.endswith((".paths", ".paths.gz")):
            within = prefix if prefix.endswith("/") else f"{prefix}/"
            listed = [line if "://" in line or line.startswith("/") else within + line for line in _read_list(path)]
            if not listed:
                raise HeadtailError(f"the list of files {path} is empty")
            files = [FileInfo(line, -1, "") for line in listed]
        elif path.startswith(("http://", "https://")):
            files = [FileInfo(path, -1, "")]
        else:
            files = list_files([path], suffixes)
        found |= {file.path: file for file in files}
    return [found[path] for path in sorted(found)]


def _read_list(path: str) -> list[str]:
    try:
        with open_patiently(path) as file:
            data = file.read()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HeadtailError(f"the list of files {path} cannot be read: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
