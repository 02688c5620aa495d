"""The folder of a run where a table is meant, and the other way round: what the user could have named instead."""

import re
from contextlib import suppress
from posixpath import basename, dirname

from curation.core import storage
from curation.core.own_tables import MANIFEST, is_manifest

_PART = re.compile(r"part-\d{5,}")
MAX_NAMES = 100
"""Names in a folder that are looked at; the folder of a run has some twenty."""


def is_table(path: str) -> bool:
    """Return whether a folder is a table of ours, or a set of shards: finished or begun."""
    names = storage.list_folder(path)
    fs, inner = storage.filesystem(path)
    return any(map(_PART.fullmatch, names)) or (MANIFEST in names and is_manifest(fs, f"{inner}/{MANIFEST}"))


def table_within(path: str, stage: str) -> str:
    """Return the path of the table of a stage in a folder, which may be that of a run; "" if it has none."""
    for name in storage.list_folder(path)[:MAX_NAMES]:
        for manifest in (f"{name}/{MANIFEST}", f"{name}/part-00000/{MANIFEST}"):
            with suppress(OSError, ValueError, AttributeError):  # nothing there, or damaged: no help
                if storage.read_json(storage.join(path, manifest)).get("stage") == stage:
                    return storage.join(path, name)
    return ""


def run_instead(path: str) -> str:
    """Return the end of a message for a folder that is no run: the run, if the folder is a table of one."""
    path = path.rstrip("/")
    if not path or not is_table(path):
        return ""
    return f", it is a table itself: is {dirname(path) or '.'} the run?"


def table_instead(path: str, stage: str) -> str:
    """Return the end of a message for a path without a table of the stage: where such a table is, if it is near.

    The path may be the folder of a run, or lie in a table that was taken for the run.
    """
    path = path.rstrip("/")
    if (within := table_within(path, stage)) and within != path:
        return f"; {within} holds one"
    folder = dirname(path)
    if folder and is_table(folder):
        return f"; {folder} is a table itself: is {dirname(folder) or '.'} the run, with its {basename(path)}?"
    return ""
