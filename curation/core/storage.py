"""Files on local disks and on the stores of fsspec: listing, reading, and atomic writing."""

import errno
import json
import os
import posixpath
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from types import TracebackType
from typing import Any, BinaryIO, Self

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile
from fsspec.utils import glob_translate

from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST, WILDCARDS, without_tables
from curation.core.store_faults import store_line, unknown_store

TEMPORARY = ".tmp"
S3_SCHEMES = ("s3://", "s3a://")
ROW_GROUP_ROWS = 65_536
PLAIN_COLUMNS = ("uid", "url", "text", "page_url", "sha256", "image_sha256")
"""Columns of nearly distinct strings, for which dictionary encoding costs time and saves nothing."""

_NO_INPUTS = re.compile(r"\.|lost\+found$")
"""Folders that only the owner of a disk may list, such as `.Trash-0`, and that hold no inputs."""


@dataclass(frozen=True)
class FileInfo:
    """An input file with its size in bytes and its version (mtime or etag), which change if the file changes."""

    path: str
    size: int
    version: str


def filesystem(path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a path or URL, and the path within it.

    Listings are not cached: files written by other processes must be seen. Raises HeadtailError for a store whose
    package is not installed, or that fsspec does not know.
    """
    try:
        if path.startswith(S3_SCHEMES) and "::" not in path:
            from curation.core.s3_store import S3Store  # s3fs is an extra, and slow to import

            fs = S3Store(use_listings_cache=False, **S3Store._get_kwargs_from_urls(path))
            return fs, fs._strip_protocol(path)
        if "://" not in path and "::" not in path and not path.startswith("data:"):
            fs = _local_disks()  # fsspec takes longer to find it than a disk to open a file
            return fs, fs._strip_protocol(path)
        return fsspec.core.url_to_fs(path, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise HeadtailError(unknown_store(path, error)) from error


@cache
def _local_disks() -> LocalFileSystem:
    return LocalFileSystem(use_listings_cache=False)


def is_local(path: str) -> bool:
    """Return whether a path is on a local file system."""
    return isinstance(filesystem(path)[0], LocalFileSystem)


def join(folder: str, *names: str) -> str:
    """Return the path of a name within a folder or URL."""
    return posixpath.join(folder, *names)


def open_input(path: str) -> BinaryIO:
    """Open a file for reading bytes; raises FileNotFoundError."""
    fs, inner = filesystem(path)
    try:
        return open(inner, "rb") if isinstance(fs, LocalFileSystem) else fs.open(inner, "rb")
    except NotADirectoryError as error:  # a folder above is a file
        raise FileNotFoundError(error.errno, error.strerror, error.filename) from error


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


def join_or(words: Iterable[str]) -> str:
    """Return words as a sentence lists them: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


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


def escaped(path: str) -> str:
    """Return the glob that matches this path only.

    >>> escaped("/data/set[1]/what?")
    '/data/set[[]1]/what[?]'
    """
    return WILDCARDS.sub(r"[\g<0>]", path)


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


def exists(path: str) -> bool:
    """Return whether a file or folder exists."""
    fs, inner = filesystem(path)
    return fs.exists(inner)


def list_folder(path: str) -> list[str]:
    """Return the sorted names of a folder's entries, none if the folder does not exist."""
    fs, inner = filesystem(path)
    try:
        names = fs.ls(inner, detail=False)
    except (FileNotFoundError, NotADirectoryError):  # the latter: a folder above is a file
        return []
    return sorted(posixpath.basename(name.rstrip("/")) for name in names)


def list_sizes(path: str) -> dict[str, int]:
    """Return the sizes of a folder's files by their names, in bytes; none if the folder does not exist."""
    fs, inner = filesystem(path)
    try:
        entries = fs.ls(inner, detail=True)
    except FileNotFoundError:
        return {}
    return {posixpath.basename(entry["name"]): entry["size"] for entry in entries if entry["type"] == "file"}


def remove_files(paths: Sequence[str]) -> None:
    """Delete files of one file system that exist, in few requests."""
    for path in paths:
        _announce(path)
    if paths:
        fs, _ = filesystem(paths[0])
        fs.rm([_to_remove(fs, filesystem(path)[1]) for path in paths])


def remove(path: str) -> None:
    """Delete a file, or a folder with its content, if it exists."""
    _announce(path)
    fs, inner = filesystem(path)
    for last in (False, False, False, True):
        try:
            if fs.exists(inner):
                fs.rm(_to_remove(fs, inner), recursive=True)
            return
        except OSError as error:
            # A task of a run that was just killed may add or delete files at the same time.
            if last or error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise


def _to_remove(fs: fsspec.AbstractFileSystem, inner: str) -> str:
    """Return a path as `rm` takes it: that of stores expands globs, and would delete the files of another folder."""
    return inner if isinstance(fs, LocalFileSystem) else escaped(inner)


def write_bytes(path: str, data: bytes) -> None:
    """Write a file atomically."""
    with AtomicFile(path) as file:
        file.write(data)


def write_json(path: str, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def read_bytes(path: str) -> bytes:
    """Return the bytes of a small file, by one request to a store; raises FileNotFoundError."""
    fs, inner = filesystem(path)
    if not isinstance(fs, LocalFileSystem):
        return fs.cat_file(inner)
    with open_input(path) as file:
        return file.read()


def read_json(path: str) -> Any:
    """Return the value of a JSON file; raises FileNotFoundError."""
    return json.loads(read_bytes(path))


def read_json_if_there(path: str) -> Any:
    """Return the value of a JSON file, None if there is no file: without a request that asks for it first."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None


_hooks: list[Callable[[], None]] = []


@contextmanager
def before_renaming(hook: Callable[[], None]) -> Iterator[None]:
    """Call `hook` before each rename of an AtomicFile in this process; if `hook` raises, the file is not published."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


_change_hooks: list[Callable[[str], None]] = []


@contextmanager
def before_changing(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook` with the path before this process publishes or deletes a file; if `hook` raises, nothing is done."""
    _change_hooks.append(hook)
    try:
        yield
    finally:
        _change_hooks.remove(hook)


def _announce(path: str) -> None:
    for hook in _change_hooks:
        hook(path)


class AtomicFile:
    """A file for writing bytes that appears under its name only when the `with` block ends without an error.

    A local file is written under a hidden temporary name in the same folder and then renamed. On an object store, an
    upload becomes visible when it is complete.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fs, self._inner = filesystem(path)
        self._local = isinstance(self._fs, LocalFileSystem)
        self._temporary = self._inner
        if self._local:
            folder, name = os.path.split(self._inner)
            os.makedirs(folder, exist_ok=True)
            self._temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
        self._file: Any = None

    def __enter__(self) -> BinaryIO:
        try:
            self._file = open(self._temporary, "wb") if self._local else self._fs.open(self._inner, "wb")
        except OSError as error:
            self._add_path(error)
            raise
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not kind:
                _announce(self.path)
                for hook in _hooks:
                    hook()
            self._end(keep=not kind)
        except BaseException as failure:
            self._end(keep=False)
            self._add_path(failure)
            raise
        self._add_path(error)

    def _end(self, keep: bool) -> None:
        if keep:
            self._file.close()
            if self._local:
                os.replace(self._temporary, self._inner)
        elif self._local:
            with suppress(OSError):  # on a full disk, flushing the rest fails too
                self._file.close()
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)
        elif isinstance(self._file, AbstractBufferedFile):
            with suppress(OSError):  # a store that does not answer keeps the parts that it has
                self._file.discard()
            self._file.closed = True  # or else the garbage collector would upload it

    def _add_path(self, error: BaseException | None) -> None:
        """Add the path to an OSError: errors of writing carry none, or the temporary one."""
        if isinstance(error, OSError) and error.errno and error.filename in (None, self._temporary):
            error.filename = self.path


class ParquetSink:
    """Writes record batches to one Parquet file, atomically and compressed with zstd.

    The borders of row groups depend on the rows only, not on the batches. `rows` and `bytes` count the written rows and
    bytes. Without a batch the file has the schema and no rows.
    """

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path, self.schema, self.rows, self.bytes = path, schema, 0, 0
        self._atomic = AtomicFile(path)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0

    def __enter__(self) -> Self:
        self._file = self._atomic.__enter__()
        dictionary = [name for name in self.schema.names if name not in PLAIN_COLUMNS]
        self._writer = pq.ParquetWriter(
            self._file, self.schema, compression="zstd", use_dictionary=dictionary, write_page_index=False
        )
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch that has the schema of the sink."""
        while self._pending_rows + batch.num_rows >= ROW_GROUP_ROWS:
            head = ROW_GROUP_ROWS - self._pending_rows
            self._push(batch.slice(0, head))
            self._flush()
            batch = batch.slice(head)
        self._push(batch)

    def _push(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._pending.append(batch)
            self._pending_rows += batch.num_rows

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending, self.schema).combine_chunks())
            self.rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not kind:
                self._flush()
            self._writer.close()
            self.bytes = self._file.tell()
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, None)
            raise
        self._atomic.__exit__(kind, error, trace)

    def output(self) -> dict:
        """Return {path, rows, bytes} for a receipt; call it after the `with` block."""
        return {"path": self.path, "rows": self.rows, "bytes": self.bytes}


def write_rows(path: str, rows: pa.Table) -> dict:
    """Write a table to one Parquet file, atomically; return its {path, rows, bytes}."""
    with ParquetSink(path, rows.schema) as sink:
        for batch in rows.to_batches():
            sink.write(batch)
    return sink.output()
