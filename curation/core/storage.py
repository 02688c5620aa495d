"""Files on local disks and on the stores of fsspec: names, reading, deleting, and atomic writing."""

import errno
import json
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from types import TracebackType
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from curation.core.errors import HeadtailError
from curation.core.own_tables import WILDCARDS
from curation.core.store_faults import unknown_store

TEMPORARY = ".tmp"
S3_SCHEMES = ("s3://", "s3a://")


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


def escaped(path: str) -> str:
    """Return the glob that matches this path only.

    >>> escaped("/data/set[1]/what?")
    '/data/set[[]1]/what[?]'
    """
    return WILDCARDS.sub(r"[\g<0>]", path)


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
