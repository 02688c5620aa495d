"""The frames of zstd files, as `.warc.zst` is a row of them: one a record, often with a dictionary in front.

The dictionary of such a file is the content of a skippable frame, and may be packed itself (IIPC's proposal "Zstandard
Compression for WARC Files 1.0"). Damage ends a frame, not the file, as it ends a gzip member.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from fastwarc.stream_io import ZstdReader

from curation.core.codings import CodingError, read_until_damage

PIECE_BYTES = 1 << 18
READ_BYTES = 1 << 20
MAX_DICTIONARY_BYTES = 8 << 20
"""The proposal asks readers for so much, packed and unpacked. libzstd refuses frames with a window above 128 MB."""
MAGIC = b"\x28\xb5\x2f\xfd"
DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"
_IN_DICTIONARY = b"\x37\xa4\x30\xec"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_SKIPPABLE_HEAD_BYTES = 8
MAX_SEARCHED = 1000
"""Damaged frames whose last block is searched for the next frame. Of further ones reading goes on behind it: frames in
frames must not take time without end."""
_MAX_BLOCK_BYTES = 1 << 17
_RUN, _RESERVED = 1, 3
"""Types of blocks: one byte that repeats, and one that no frame has."""


class Log(Protocol):
    """The part of a ReadLog that is needed here."""

    bytes_read: int

    def fault(self, offset: int, error: str) -> None:
        """Note a fault of the file."""


def is_zstd(head: bytes) -> bool:
    r"""Return whether the first four bytes are those of a zstd file.

    >>> is_zstd(b"\x28\xb5\x2f\xfd"), is_zstd(b"\x5d\x2a\x4d\x18"), is_zstd(b"WARC")
    (True, True, False)
    """
    return head == MAGIC or _SKIPPABLE.fullmatch(head) is not None


def read_zstd(file: BinaryIO, log: Log) -> Iterator[bytes | None]:
    """Yield the uncompressed bytes of a seekable zstd file in pieces, and None in place of damage.

    FastWARC's reader reads the frames until the first fault, or until another dictionary begins. From there on they are
    read one by one.
    """
    given = 0
    try:
        _check_first_dictionary(file)
        reader = ZstdReader(file, fsspec_args=False)
        while piece := reader.read(PIECE_BYTES):
            given += len(piece)
            log.bytes_read = reader.inner_tell()
            yield piece
        log.bytes_read = reader.inner_tell()
        return
    except (OSError, CodingError):
        pass
    for part in read_frames(file, log):
        if part is None or given < len(part):
            yield part and part[given:]
            given = 0
        else:
            given -= len(part)


def read_frames(file: BinaryIO, log: Log) -> Iterator[bytes | None]:
    """Yield what the frames of a file hold, each read by itself; after a damaged one, None."""
    frames, dictionary = _Frames(file, log), b""
    while frames.seek_frame():
        start = frames.place
        if frames.peek(4) == MAGIC:
            yield from _read_frame(frames, dictionary, log)
            continue
        is_dictionary, content = frames.peek(4) == DICTIONARY_MAGIC, frames.skip_frame(MAX_DICTIONARY_BYTES)
        if content is None:
            log.fault(start, "a damaged skippable frame of zstd")
            frames.is_damaged = True
            yield None
        elif is_dictionary:
            try:
                dictionary = _unpack_dictionary(content)
            except CodingError as error:
                log.fault(start, f"the dictionary of the zstd frames is damaged: {error}")


def _read_frame(frames: "_Frames", dictionary: bytes, log: Log) -> Iterator[bytes | None]:
    start, pieces, size = frames.place, [], 0
    frames.is_cut_off = False
    try:
        for piece in read_until_damage(lambda: ZstdReader(_Frame(frames, start, dictionary), fsspec_args=False)):
            pieces.append(piece)
            size += len(piece)
            if size >= PIECE_BYTES:
                yield b"".join(pieces)
                pieces, size = [], 0
        fault = ""
    except CodingError as error:
        fault = "the file ends within a zstd frame" if frames.is_cut_off else f"damaged zstd frame: {error}"
    if pieces:
        yield b"".join(pieces)
    if fault:
        log.fault(start, fault)
        if frames.damaged < MAX_SEARCHED:
            frames.go_back(max(frames.block, start + 1))
        frames.damaged += 1
        frames.is_damaged = True
        yield None


def _check_first_dictionary(file: BinaryIO) -> None:
    """Raise CodingError for a dictionary at the beginning of a file that is too large: FastWARC takes any size."""
    file.seek(0)
    head = file.read(_SKIPPABLE_HEAD_BYTES)
    if head.startswith(DICTIONARY_MAGIC):
        length = int.from_bytes(head[4:], "little")
        _unpack_dictionary(file.read(min(length, MAX_DICTIONARY_BYTES + 1)))
    file.seek(0)


def _unpack_dictionary(content: bytes) -> bytes:
    """Return the dictionary in the content of its frame; raises CodingError if there is none, or it is too large."""
    found = content
    if content.startswith(MAGIC):
        unpacked = bytearray()
        for piece in read_until_damage(lambda: ZstdReader(io.BytesIO(content), fsspec_args=False)):
            unpacked += piece
            if len(unpacked) > MAX_DICTIONARY_BYTES:
                break
        found = bytes(unpacked)
    if max(len(content), len(found)) > MAX_DICTIONARY_BYTES:
        raise CodingError(f"more than {MAX_DICTIONARY_BYTES} bytes")
    if not found.startswith(_IN_DICTIONARY):
        raise CodingError("it does not begin like one")
    return found


class _Frames:
    """The bytes of a file from `place` on.

    `block` is the place of the last block that was taken, `is_cut_off` says that the file ends within it.
    `is_damaged` says that what follows may be the rest of a damaged frame, `damaged` counts these.
    """

    def __init__(self, file: BinaryIO, log: Log) -> None:
        self._file, self._log = file, log
        self._data, self._at, self._data_place = b"", 0, 0
        self._ended = False
        self.block, self.is_cut_off, self.is_damaged = 0, False, False
        self.damaged = 0
        file.seek(0)

    @property
    def place(self) -> int:
        return self._data_place + self._at

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end of the file."""
        while len(self._data) - self._at < count and not self._ended:
            try:
                more = self._file.read(READ_BYTES)
            except (OSError, EOFError) as error:
                self._log.fault(self._data_place + len(self._data), f"cannot be read any further: {error}")
                more = b""
            self._ended = not more
            self._data_place, self._data, self._at = self.place, self._data[self._at :] + more, 0
            self._log.bytes_read = self._data_place + len(self._data)
        return self._data[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end of the file, and go behind them."""
        taken = self.peek(count)
        self.is_cut_off = self.is_cut_off or len(taken) < count
        self._at += len(taken)
        return taken

    def is_at_end(self) -> bool:
        """Return whether the file ends here."""
        return not self.peek(1)

    def go_back(self, place: int) -> None:
        """Go to an earlier place."""
        if place >= self._data_place:
            self._at = place - self._data_place
        else:
            self._file.seek(place)
            self._data, self._at, self._data_place, self._ended = b"", 0, place, False

    def seek_frame(self) -> bool:
        """Go to the next frame, over padding of zeros, the rest of a damaged frame and, as a fault, anything else."""
        if is_zstd(self.peek(4)):
            return True
        start, foreign, is_damaged = self.place, False, self.is_damaged
        self.is_damaged = False
        while self.peek(4):
            found = self._data.find(MAGIC, self._at)
            stop = found if found >= 0 else len(self._data) if self._ended else max(len(self._data) - 3, self._at)
            foreign = foreign or bool(self._data[self._at : stop].strip(b"\0"))
            self._at = stop
            if found >= 0:
                break
        if foreign and not is_damaged:
            self._log.fault(start, "bytes that belong to no zstd frame")
        return not self.is_at_end()

    def skip_frame(self, max_bytes: int) -> bytes | None:
        """Go behind a skippable frame; return at most one byte more than `max_bytes` of its content.

        Returns None, and goes behind its head only, if no frame follows where it ends: its length is damaged.
        """
        start = self.place
        length = int.from_bytes(self.take(_SKIPPABLE_HEAD_BYTES)[4:], "little")
        content = self.take(min(length, max_bytes + 1))
        left = length - len(content)
        while left and (skipped := len(self.take(min(left, READ_BYTES)))):
            left -= skipped
        if left or not (self.is_at_end() or is_zstd(self.peek(4)) or not self.peek(4).strip(b"\0")):
            self.go_back(start + min(_SKIPPABLE_HEAD_BYTES, self.place - start))
            return None
        return content

    def walk_frame(self) -> Iterator[bytes]:
        """Yield the bytes of the frame that begins here, up to its end or a block that cannot be one."""
        self.block = self.place
        flags = self.peek(5)[4:] or b"\0"
        is_single, has_checksum = flags[0] >> 5 & 1, flags[0] >> 2 & 1
        size_bytes = (is_single, 2, 4, 8)[flags[0] >> 6]
        yield self.take(5 + (not is_single) + (0, 1, 2, 4)[flags[0] & 3] + size_bytes)
        is_last = False
        while not is_last:
            head = self.peek(3)
            value = int.from_bytes(head, "little")
            is_last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
            self.is_cut_off = self.is_cut_off or len(head) < 3
            if len(head) < 3 or kind == _RESERVED or (kind != _RUN and size > _MAX_BLOCK_BYTES):
                return
            self.block = self.place
            yield self.take(3 + (1 if kind == _RUN else size))
        if has_checksum:
            yield self.take(4)


class _Frame(io.RawIOBase):
    """One frame as a file, from its place on, behind the dictionary if there is one.

    FastWARC panics at a damaged dictionary that is an argument. In front of the frame, it is an error.
    """

    def __init__(self, frames: _Frames, place: int, dictionary: bytes) -> None:
        frames.go_back(place)
        head = DICTIONARY_MAGIC + len(dictionary).to_bytes(4, "little") if dictionary else b""
        self._pieces, self._left, self._given = frames.walk_frame(), head + dictionary, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`, none at the end."""
        while not self._left and (piece := next(self._pieces, None)) is not None:
            self._left = piece
        given, self._left = self._left[:size], self._left[size:]
        self._given += len(given)
        return given

    def tell(self) -> int:
        """Return how many bytes were given."""
        return self._given
