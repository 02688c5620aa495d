"""Tables of ours among input files: they are inputs only where a path names them.

A folder of inputs may hold the folder of a run. Its tables have the file endings of inputs (.parquet, .tar), so a run
would read what another run, or the run itself, has written.
"""

import json
import re
from collections.abc import Iterable
from posixpath import basename, dirname

import fsspec

MANIFEST = "_manifest.json"
"""Name of the file that a finished part, set of shards or folder of entry lists has."""
WILDCARDS = re.compile(r"[*?\[]")
_PART = re.compile(r"part-\d{5,}")


def is_manifest(fs: fsspec.AbstractFileSystem, path: str) -> bool:
    """Return whether a file exists and is a manifest of ours: a JSON object with the keys `id` and `stage`."""
    try:
        manifest = json.loads(fs.cat_file(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return False
    return isinstance(manifest, dict) and {"id", "stage"} <= manifest.keys()


def without_tables(
    fs: fsspec.AbstractFileSystem,
    inner: str,
    literal: int,
    files: list[dict],
    manifests: Iterable[str] | None,
    own: Iterable[str],
) -> list[dict]:
    """Return the files of a listing that lie in no table, except a table that the listed path itself names.

    `inner` is the listed path within the file system: a folder, or a glob whose wildcards are behind its first
    `literal` characters. A path names the folder where its wildcards begin, the parts of the table in this folder, and
    with `folder/*.tar` any folder of that name. `manifests` are the manifests in the listing; None: each folder of the
    listing is asked for one. `own` are folders that the run itself writes, whether they have a manifest yet or not.
    """
    root, name = _named(inner, literal)
    known = None if manifests is None else {dirname(path) for path in manifests if is_manifest(fs, path)}
    judged: dict[str, bool] = {}

    def is_table(folder: str) -> bool:
        return folder in known if known is not None else is_manifest(fs, f"{folder}/{MANIFEST}")

    def is_left_out(folder: str) -> bool:
        if folder in judged:
            return judged[folder]
        above = dirname(folder)
        named = (
            folder == root or basename(folder) == name or (above == root and bool(_PART.fullmatch(basename(folder))))
        )
        inside = above != folder and folder.startswith(f"{root}/") and is_left_out(above)
        judged[folder] = inside or _is_below(folder, root, own) or (not named and is_table(folder))
        return judged[folder]

    return [file for file in files if not is_left_out(dirname(file["name"]))]


def _named(inner: str, literal: int = 0) -> tuple[str, str | None]:
    """Return the folder that a path names, and the literal name of the folder of a glob's files.

    >>> _named("/data/run/shards/"), _named("/data/*/shards/*.tar"), _named("/data/*.tar")
    (('/data/run/shards', None), ('/data', 'shards'), ('/data', None))
    """
    found = WILDCARDS.search(inner, literal)
    if not found:
        return inner.rstrip("/"), None
    root, last = dirname(inner[: found.start()]), basename(dirname(inner))
    return root, None if WILDCARDS.search(last) or dirname(inner) == root else last


def _is_below(folder: str, root: str, own: Iterable[str]) -> bool:
    """Return whether a folder lies in one of the folders `own` that does not itself hold `root`."""
    return any(f"{folder}/".startswith(f"{each}/") and not f"{root}/".startswith(f"{each}/") for each in own)
