"""Content and transfer codings of HTTP bodies (RFC 9110, 8.4): their names, and bodies without them.

Servers and crawlers write names that mean no coding, name a coding that a body does not have, and store bodies that end
early. So a name is only a hint: a body that is plainly an image or text stays as it is.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, BinaryIO, Protocol

from fastwarc.stream_io import BrotliReader, ZstdReader

MAX_CODINGS = 5
HEAD_BYTES = 1024
"""The first bytes tell whether a body is plain."""
READ_BYTES = 1 << 12
"""Bytes of one step of a decoder. Of damaged bodies, the last step is repeated byte by byte."""
MAX_EMPTY_BYTES = 64
"""The most bytes that nothing is packed into. A decoder of brotli takes many bytes for the end of an empty body."""
CHUNKED = "chunked"
NO_CODING = frozenset(("", "identity", "none", "null", "binary", "7bit", "8bit", CHUNKED, "aws-chunked", "trailers"))
"""Names that change no byte of the content; `chunked` is undone by whoever reads the transfer."""
_NAMES = {"x-gzip": "gzip", "x-deflate": "deflate", "brotli": "br", "x-br": "br", "x-zstd": "zstd"}
_KNOWN = ("gzip", "deflate", "br", "zstd")
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_FAULTS = (OSError, EOFError, zlib.error)
_PLAIN = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF.{4}WEBP|BM.{4}\0{4}|.{4}ftyp"  # the images that are kept
    rb"|(?:\xef\xbb\xbf)?\s*<[a-zA-Z!?/]|\xff\xfe|\xfe\xff"  # HTML and XML, the marks of UTF-16
    rb"|[^\0-\x08\x0e-\x1a\x1c-\x1f]*\Z",  # text of any charset but UTF-16: coded bytes hold control characters
    re.DOTALL,
)


class CodingError(Exception):
    """A coding that cannot be undone: its name is not known, or the body does not begin as it does."""


class DamagedError(CodingError):
    """A body that is damaged or ends early; the part before is undone."""


class TooLargeError(CodingError):
    """A body of more bytes than allowed; so many are undone."""


class Decoder(Protocol):
    """Reads decoded bytes; raises OSError, EOFError or zlib.error where they are damaged."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


def codings_in(fields: Iterable[str]) -> list[str]:
    """Return the names in header fields in the order in which they were applied, without those that mean no coding.

    >>> codings_in(["aws-chunked, X-GZip", ' "br";q=1 ', "identity"])
    ['gzip', 'br']
    """
    return [name for name in coding_names(fields) if name not in NO_CODING]


def coding_names(fields: Iterable[str]) -> list[str]:
    """Return all names in header fields, as the Standard spells them."""
    names = (part.partition(";")[0].strip(" \t\r\n\"'").lower() for field in fields for part in field.split(","))
    return [_NAMES.get(name, name) for name in names]


def is_plain(head: bytes) -> bool:
    r"""Return whether a body with these first bytes is plainly not coded: an image, HTML, or text.

    >>> is_plain(b"\xff\xd8\xff\xe0"), is_plain(b" <p>\x00"), is_plain(b"caf\xe9"), is_plain(b"\x1f\x8b\x08\x00")
    (True, True, True, False)
    """
    return _PLAIN.match(head[:HEAD_BYTES]) is not None


def undo_codings(
    body: IO[bytes], codings: Sequence[str], max_bytes: int, new_file: Callable[[], IO[bytes]]
) -> tuple[IO[bytes], CodingError | None]:
    """Return a body without its codings, which are undone from the last to the first, and what could not be undone.

    Each coding gives at most `max_bytes` into a file of `new_file`. A coding is passed over if the body is plain
    without it. Of a damaged body the part before the damage is returned. The file is at its beginning; files that are
    not returned are closed.
    """
    unread: CodingError | None = None
    fault: CodingError | None = None
    if len(codings) > MAX_CODINGS:
        unread, codings = CodingError(f"{len(codings)} codings, more than {MAX_CODINGS}"), ()
    for coding in reversed(codings):
        undone = new_file()
        problem = _undo_into(undone, body, coding, max_bytes)
        if _has_plain_head(body):
            is_coded = problem is None and undone.tell() > 0 and _has_plain_head(undone)
        else:
            is_coded = problem is None or undone.tell() > 0
        if is_coded:
            body.close()
            body, fault = undone, fault or problem
        else:
            undone.close()
            unread = unread or problem
    if fault is None and unread is not None and not _has_plain_head(body):
        fault = unread
    body.seek(0)
    return body, fault


def _undo_into(undone: IO[bytes], body: IO[bytes], coding: str, max_bytes: int) -> CodingError | None:
    """Write a body without one coding; return why that ended early."""
    try:
        for piece in undo(body, coding):
            left = max_bytes - undone.tell()
            undone.write(piece[:left])
            if len(piece) > left:
                raise TooLargeError(f"{coding!a}: more than {max_bytes} bytes")
    except CodingError as problem:
        return problem
    if not undone.tell() and body.seek(0, os.SEEK_END) > MAX_EMPTY_BYTES:
        return CodingError(f"{coding!a}: there is nothing in it")
    return None


def _has_plain_head(body: IO[bytes]) -> bool:
    place = body.tell()
    body.seek(0)
    head = body.read(HEAD_BYTES)
    body.seek(place)
    return is_plain(head)


def undo(body: IO[bytes], coding: str) -> Iterator[bytes]:
    """Yield a body without one coding, in pieces; raises CodingError and DamagedError."""
    try:
        yield from read_until_damage(lambda: _decoder_of(body, coding))
    except CodingError as error:
        raise type(error)(f"{coding[:40]!a}: {error}") from error.__cause__


def read_until_damage(start: Callable[[], Decoder]) -> Iterator[bytes]:
    """Yield the bytes of a decoder, which `start` makes anew at the beginning.

    Raises CodingError if there is none, and DamagedError after the part before damage.
    """
    given = 0
    try:
        decoder = start()
        while piece := decoder.read(READ_BYTES):
            given += len(piece)
            yield piece
        return
    except _FAULTS as error:
        problem = error
    # The step that raised the error has given nothing. Its first bytes may be good.
    try:
        decoder, left = start(), given
        while left:
            left -= len(decoder.read(min(left, READ_BYTES)))
        while piece := decoder.read(1):
            given += 1
            yield piece
    except _FAULTS:
        pass
    raise (DamagedError if given else CodingError)(str(problem)) from problem


def _decoder_of(body: IO[bytes], coding: str) -> Decoder:
    """Return a decoder of a coding; raises CodingError if there is none, or the body does not begin as it does."""
    body.seek(0)
    head = body.read(4)
    body.seek(0)
    if coding not in _KNOWN:
        raise CodingError("its name is not known")
    # Many servers take one name for another.
    if head.startswith(_GZIP_MAGIC):
        return Inflater(body, _GZIP_BITS)
    if head == _ZSTD_MAGIC:
        return ZstdReader(body, fsspec_args=False)
    if coding in ("gzip", "deflate") and _is_zlib(head):
        return Inflater(body, _ZLIB_BITS)
    if coding == "deflate":
        return Inflater(body, _RAW_BITS)
    if coding == "br":
        return BrotliReader(body, fsspec_args=False)
    raise CodingError("the body does not begin like that")


def _is_zlib(head: bytes) -> bool:
    """Return whether bytes begin with a header of zlib: method 8, a window of at most 32 kB, and a checksum."""
    return len(head) > 1 and head[0] & 15 == 8 and head[0] >> 4 < 8 and int.from_bytes(head[:2], "big") % 31 == 0


class Inflater:
    """Inflates a file: gzip with all its members, zlib or raw deflate, by the window bits of zlib.

    What follows the end and is no further member is left out, as browsers do. Only behind raw deflate, which has no
    checksum, it is a sign of damage.
    """

    def __init__(self, file: BinaryIO | IO[bytes], window_bits: int) -> None:
        self._file, self._window_bits = file, window_bits
        self._inflater = zlib.decompressobj(window_bits)
        self._fed, self._ended = b"", False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end; raises EOFError or zlib.error."""
        while not self._ended:
            fed = self._fed or self._file.read(READ_BYTES)
            piece = self._inflater.decompress(fed, size)
            self._fed = self._inflater.unconsumed_tail
            if self._inflater.eof:
                self._seek_member()
            elif not fed and not piece:
                raise EOFError("the body ends early")
            if piece:
                return piece
        if self._window_bits == _RAW_BITS and self._fed.strip(b"\0\r\n"):
            raise EOFError("the body goes on behind its end")
        return b""

    def _seek_member(self) -> None:
        rest = self._inflater.unused_data
        if len(rest) < len(_GZIP_MAGIC):
            rest += self._file.read(READ_BYTES)
        self._ended = self._window_bits != _GZIP_BITS or not rest.startswith(_GZIP_MAGIC)
        self._inflater, self._fed = zlib.decompressobj(self._window_bits), rest
