"""The bytes of archive files, gzip or plain, as far as they can be read.

An archive is a row of gzip members (or plain bytes). Damage ends a member, not the file: what it gave until then is
passed on, and reading goes on at the next member that can be found.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

READ_BYTES = 1 << 20
FEED_BYTES = 1 << 15
"""What the inflater is given at once: it copies what it did not need, and members are often smaller."""
PIECE_BYTES = 1 << 22
"""The most that is inflated at once: a few bytes of gzip can stand for gigabytes."""
MAGIC = b"\x1f\x8b\x08"


@dataclass
class ReadLog:
    """What reading an archive gave: compressed bytes, members, and faults as (offset, error)."""

    bytes_read: int = 0
    members: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)


def read_plain(file: BinaryIO, log: ReadLog) -> Iterator[bytes]:
    """Yield the uncompressed bytes of an archive in pieces, through whatever damage there is.

    A member that is damaged ends with an empty piece: what comes next does not continue what was before.
    """
    window = _Window(file, log)
    if not window.startswith(MAGIC[:2]):
        while window.data:
            yield window.data
            window.fill(len(window.data))
        return
    while window.seek_member():
        yield from _read_member(window, log)


class _Window:
    """The unread bytes of a file: `data[at:]`, refilled as they are used."""

    def __init__(self, file: BinaryIO, log: ReadLog) -> None:
        self.file, self.log, self.data, self.at = file, log, b"", 0
        self.fill(0)

    @property
    def offset(self) -> int:
        return self.log.bytes_read - len(self.data) + self.at

    def fill(self, used: int) -> bool:
        """Forget what was used and read on; whether there was more to read."""
        try:
            more = self.file.read(READ_BYTES)
        except (OSError, EOFError) as error:
            self.log.faults.append((self.log.bytes_read, f"cannot be read any further: {error}"))
            more = b""
        self.data, self.at = self.data[used:] + more, 0
        self.log.bytes_read += len(more)
        return bool(more)

    def startswith(self, mark: bytes) -> bool:
        return self.data.startswith(mark, self.at)

    def seek_member(self) -> bool:
        """Go to the next gzip member, over padding of zeros and, as a fault, over anything else."""
        if self.at >= len(self.data) - 2:
            self.fill(self.at)
        if self.startswith(MAGIC):
            return True
        start, foreign = self.offset, False
        while True:
            found = self.data.find(MAGIC, self.at)
            skipped = self.data[self.at : found if found >= 0 else None]
            foreign = foreign or bool(skipped.strip(b"\0"))
            if found >= 0:
                self.at = found
                break
            if not self.fill(max(len(self.data) - 2, self.at)):
                break
        if foreign:
            self.log.faults.append((start, "bytes that belong to no gzip member"))
        return found >= 0


def _read_member(window: _Window, log: ReadLog) -> Iterator[bytes]:
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    start = window.offset
    log.members += 1
    while True:
        if window.at >= len(window.data) and not window.fill(window.at):
            log.faults.append((start, "the file ends within a gzip member"))
            yield b""
            return
        fed = window.data[window.at : window.at + FEED_BYTES]
        try:
            piece = inflater.decompress(fed, PIECE_BYTES)
        except zlib.error as error:
            log.faults.append((start, f"damaged gzip member: {error}"))
            window.at += 1
            yield b""
            return
        window.at += len(fed) - len(inflater.unused_data) - len(inflater.unconsumed_tail)
        if piece:
            yield piece
        if inflater.eof:
            return
