"""Input files: what paths, folders and globs name, on local disks and on the stores of fsspec."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from curation.core.amounts import join_or
from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST, WILDCARDS, without_tables
from curation.core.storage import escaped, filesystem
from curation.core.store_faults import store_line

_NO_INPUTS = re.compile(r"\.|lost\+found$")
"""Folders that only the owner of a disk may list, such as `.Trash-0`, and that hold no inputs."""


@dataclass(frozen=True)
class FileInfo:
    """An input file with its size in bytes and its version (mtime or etag), which change if the file changes."""

    path: str
    size: int
    version: str


def list_files(paths: Iterable[str], suffixes: tuple[str, ...] = (), own: Iterable[str] = ()) -> list[FileInfo]:
    """Return the files of paths, folders and globs, sorted by path, without a request per file.

    A path that exists as it stands is no glob, whatever characters it has; nor are the folders that a glob begins with.
    In folders, hidden files (`.x`, `_x`) are left out, and with `suffixes` the files with another ending. Tables of
    ours, and the folders `own` that the run writes, are left out unless a path names them (own_tables.py). Raises
    HeadtailError for a path without a file.
    """
    found: dict[str, FileInfo] = {}
    for path in paths:
        with _listing(path):
            fs, inner = filesystem(path)
            _refuse_gaps(fs)
            files, in_tables = _entries(fs, inner, path, suffixes, own)
        if not files:
            raise HeadtailError(_names_nothing(fs, inner, path, suffixes, in_tables))
        for entry in files:
            name = entry["name"] if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(entry["name"])
            version = next((entry[key] for key in ("ETag", "etag", "mtime", "LastModified") if entry.get(key)), "")
            found[name] = FileInfo(name, entry.get("size") or -1, str(version))
    return [found[name] for name in sorted(found)]


def _refuse_gaps(fs: fsspec.AbstractFileSystem) -> None:
    """Let a file system raise for a folder below that cannot be listed: fsspec leaves its files out in silence."""
    for name in ("walk", "_walk"):  # the latter: the clients of stores
        if walk := getattr(type(fs), name, None):
            setattr(fs, name, partial(walk, fs, on_error=_refuse))


def _refuse(error: OSError) -> None:
    """Raise the error of listing a folder, unless the folder is gone or is no place for inputs."""
    if not isinstance(error, FileNotFoundError) and not _NO_INPUTS.match(posixpath.basename(error.filename or "")):
        raise error


def _names_nothing(
    fs: fsspec.AbstractFileSystem, inner: str, path: str, suffixes: tuple[str, ...], in_tables: int
) -> str:
    """Return the line for a path without a file; `in_tables` files lie there in tables of headtail."""
    hint = f", but {in_tables:,} in tables of headtail: name the folder of a table to read it" if in_tables else ""
    if WILDCARDS.search(path) and not fs.exists(inner):
        return f"{path} names no file{hint or ': nothing matches it'}"
    if not fs.exists(inner):
        return f"{path} names no file: there is nothing at this path"
    return f"{path} is a folder and names no file{f' ending in {join_or(suffixes)}' if suffixes else ''}{hint}"


def _entries(
    fs: fsspec.AbstractFileSystem, inner: str, path: str, suffixes: tuple[str, ...], own: Iterable[str]
) -> tuple[list[dict], int]:
    """Return the files that a path names, and the number of files that are left out because they lie in tables."""
    manifests: list[str] | None = None
    literal = len(inner)
    if WILDCARDS.search(path) and not fs.exists(inner):
        literal = _literal_size(fs, inner)
        entries = _glob(fs, inner, literal)
    elif fs.isdir(inner):
        listed = list(fs.find(inner, detail=True).values())
        manifests = [entry["name"] for entry in listed if posixpath.basename(entry["name"]) == MANIFEST]
        entries = [entry for entry in listed if _is_input(entry["name"], inner, suffixes)]
    else:
        return [fs.info(inner)] if fs.exists(inner) else [], 0
    files = [entry for entry in entries if entry.get("type", "file") == "file"]
    written = [folder for other, folder in map(filesystem, own) if type(other) is type(fs)]
    kept = without_tables(fs, inner, literal, files, manifests, written)
    return kept, len(files) - len(kept)


def _literal_size(fs: fsspec.AbstractFileSystem, inner: str) -> int:
    """Return the size of the part of a glob that stands for itself: folders that exist, such as `/data/set[1]`."""
    size = first = found.start() if (found := WILDCARDS.search(inner)) else len(inner)
    while (end := inner.find("/", size)) >= 0 and fs.exists(inner[:end]):
        size = end + 1
    return 0 if size == first else size - 1


def _glob(fs: fsspec.AbstractFileSystem, inner: str, literal: int) -> list[dict]:
    """Return the entries that match a glob whose first `literal` characters stand for themselves."""
    if not literal:
        return list(fs.glob(inner, detail=True).values())
    rest = inner[literal:]
    found = fs.find(inner[:literal], None if "**" in rest else rest.count("/"), withdirs=True, detail=True)
    pattern = re.compile(glob_translate(escaped(inner[:literal]) + rest))
    return [entry for name, entry in found.items() if pattern.match(name)]


@contextmanager
def _listing(path: str) -> Iterator[None]:
    """Turn an error of listing into a HeadtailError, for a store of any type: their clients raise many types."""
    try:
        yield
    except HeadtailError:
        raise
    except Exception as error:
        if "://" not in path and not isinstance(error, OSError):
            raise
        raise HeadtailError(
            store_line(error, path) or f"{path} cannot be listed: {type(error).__name__}: {error}"
        ) from error


def _is_input(name: str, folder: str, suffixes: tuple[str, ...]) -> bool:
    inside = posixpath.relpath(name, folder).split("/")
    return not any(step.startswith((".", "_")) for step in inside) and (not suffixes or name.endswith(suffixes))
