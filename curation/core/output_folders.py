"""Folders that a job may write to: new, empty, or with tables of ours.

A job replaces files by name: tars of shards, arrays of probabilities, lists of entries. In a folder of other files it
would mix its files with them, or replace them.
"""

import re
from collections.abc import Iterable
from posixpath import dirname

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES
from curation.core.outputs import refuse_file
from curation.core.own_tables import MANIFEST
from curation.core.run_folders import is_table

_OURS = re.compile(
    r"_manifest\.json|_seed\.json|_ranges\.json|_waiting|_rows|_pass|_wikis|\.lease|\.work(-\w+)?|part-\d{5,}"
    r"|coarse-\d{1,2}|report\.json|thresholds\.json|dumps|pageviews|wordnet"
)
"""Names that tables, shards, reports, entry lists and fetched sources have in their folders, finished or not."""
_MAX_CHILDREN = 100


def check_outputs(tables: Iterable[str], run: str | None) -> None:
    """Raise HeadtailError if a folder that will be written is a file, or is not empty and holds nothing of ours.

    `run` is the folder of the run, which is written if one of the tables lies in it.
    """
    tables = [path.rstrip("/") for path in tables]
    for path in tables:
        refuse_file(path)
        names = storage.list_folder(path)
        if _is_foreign(names) and not _are_probabilities(names):
            raise HeadtailError(_refusal(path, names))
    run = run.rstrip("/") if run else None
    if run and run in map(dirname, tables):
        names = storage.list_folder(run)
        if "sizes.json" in names or MANIFEST in names or is_table(run):
            raise HeadtailError(f"{run} is a table or a set of shards: output is the folder of a run, above its tables")
        children = [name for name in names if not name.startswith(".")][:_MAX_CHILDREN]
        if _is_foreign(names) and not any(_has_ours(storage.list_folder(f"{run}/{name}")) for name in children):
            raise HeadtailError(_refusal(run, names))


def _has_ours(names: Iterable[str]) -> bool:
    return any(_OURS.fullmatch(name) for name in names)


def _is_foreign(names: Iterable[str]) -> bool:
    """Return whether a folder holds something, and nothing of ours; hidden files are not counted."""
    return any(not name.startswith((".", "_")) for name in names) and not _has_ours(names)


def _are_probabilities(names: Iterable[str]) -> bool:
    """Return whether a folder holds nothing but arrays named after languages: a stopped run of balance_pairs."""
    stems = [name.removesuffix(".npy") for name in names if not name.startswith(".")]
    return all(stem in LANGUAGES or stem in ("other", "repeats") for stem in stems)


def _refusal(path: str, names: Iterable[str]) -> str:
    first = next(name for name in names if not name.startswith((".", "_")))
    return f"{path} is not empty and holds nothing of headtail, but {first}: choose a new or empty folder to write to"
