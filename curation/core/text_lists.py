"""Lists of users as files: one item a line, plain or gzip, in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

A line ends in LF, CR LF or CR.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from curation.core.errors import HeadtailError
from curation.core.remote import open_patiently
from curation.core.text_marks import MARK_BYTES, encoding_of, packed_form

GZIP = b"\x1f\x8b"
MARK = "\ufeff"
"""Lists that were joined have a byte order mark within."""


def read_lines(path: str, errors: str = "strict") -> Iterator[str]:
    """Yield the lines of a list without their ends; `errors` and what it raises as `open_list`."""
    with open_list(path, errors) as text:
        yield from lines_in(text)


def lines_in(text: TextIO) -> Iterator[str]:
    """Yield the lines of an open list without their ends."""
    for line in text:
        yield line.removesuffix("\n").removeprefix(MARK)


@contextmanager
def open_list(path: str, errors: str = "strict") -> Iterator[TextIO]:
    """Open a list for reading its lines; `errors` says what bytes become that are no UTF-8, as for `bytes.decode`.

    Raises FileNotFoundError, RemoteError for a remote list that cannot be read, and HeadtailError as `decoded` does.
    """
    with open_patiently(path) as file, decoded(file, path, errors) as lines:
        yield lines


@contextmanager
def decoded(file: BinaryIO, path: str, errors: str = "strict") -> Iterator[TextIO]:
    """Yield the text of an open list, without its byte order mark; a gzip file is unpacked, whatever its name.

    Raises HeadtailError if the file is damaged, packed in another form, or no text in its encoding.
    """
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    try:
        stream: BinaryIO = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]  # it reads alike
        head = stream.read(MARK_BYTES)
        stream.seek(0)
        if form := packed_form(head):
            raise HeadtailError(f"{path} is a {form} file: unpack it, or pack it with gzip")
        name = encoding_of(head)
        # The lines belong to the file, which its owner closes.
        text = io.TextIOWrapper(stream, name, errors if name.startswith("utf-8") else "strict")
        try:
            yield text
        finally:
            text.detach()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise HeadtailError(f"{path} is a damaged gzip file: {error}") from error
    except UnicodeError as error:
        raise HeadtailError(f"{path} is no text in UTF-8, or in UTF-16 with a byte order mark: {error}") from error


def check_list(path: str) -> None:
    """Read a list to its end; raise HeadtailError if it is no text, such as a Parquet file, or JSON."""
    with open_list(path, "replace") as file:
        while text := file.read(1 << 20):
            if "\0" in text:
                raise HeadtailError(f"{path} is no list: expected lines of UTF-8, plain or gzip, found zero bytes")
