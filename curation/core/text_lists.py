"""Lists of users as files: one item a line, plain or gzip."""

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from curation.core.errors import HeadtailError
from curation.core.remote import open_patiently

GZIP = b"\x1f\x8b"


@contextmanager
def open_list(path: str) -> Iterator[BinaryIO]:
    """Open a list for reading bytes, behind a byte order mark; a gzip file of any name is unpacked.

    Raises FileNotFoundError, RemoteError for a remote list that cannot be read, HeadtailError if the gzip file is
    damaged.
    """
    with open_patiently(path) as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not packed:
            yield _behind_mark(file)
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            try:
                yield _behind_mark(cast(BinaryIO, unpacked))
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise HeadtailError(f"{path} is a damaged gzip file: {error}") from error


def _behind_mark(file: BinaryIO) -> BinaryIO:
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    return file


def check_list(path: str) -> None:
    """Read a list to its end; raise HeadtailError if it is no text, such as a Parquet file or a text in UTF-16."""
    with open_list(path) as file:
        while data := file.read(1 << 20):
            if b"\0" in data:
                raise HeadtailError(f"{path} is no list: expected lines of UTF-8, plain or gzip, found zero bytes")
