"""The bytes of archive files, gzip, zstd or plain, as far as they can be read.

An archive is a row of gzip members or zstd frames, or plain bytes. Damage ends a member, not the file: what it gave
until then is passed on, and reading goes on at the next member that can be found.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from fastwarc.stream_io import GzipReader

from curation.core.record_errors import READER_ERROR, RecordClock, is_of_record, line_of_error
from curation.sources.zstd_frames import is_zstd, read_zstd

Part = TypeVar("Part")
Rows = TypeVar("Rows")

READ_BYTES = 1 << 20
FEED_BYTES = 1 << 15
"""Input bytes of one call of zlib, which copies its unused input: members are often smaller."""
PIECE_BYTES = 1 << 18
"""The most that is inflated at once: a few bytes of gzip can stand for gigabytes. Pieces that fit the processor's cache
make extraction an eighth faster than pieces of 4 MB, each of which is memory that the system has to clear first."""
MAGIC = b"\x1f\x8b\x08"
MAX_FAULTS = 50
MAX_FAULTY_ROWS = 32
"""Rows with an error in a batch; of a batch with more of them, the rest is not divided any further."""
HEAD_BYTES = 1 << 16
"""The kind of a file is decided by its first bytes."""
CRAWL_NAME = r"CC-MAIN-\d{4}-\d{2}"
_CRAWL_IN_HEAD = re.compile(rf'(?i)isPartOf(?:":")?:?[ \t]*({CRAWL_NAME})'.encode())
_CRAWL_IN_PATH = re.compile(rf"{CRAWL_NAME}(?!\d)")
BREAK = b"\r\n\r\n"
"""Inserted in place of damage, so that the next record begins on its own line."""


@dataclass
class ReadLog:
    """The account of reading a file: bytes read, uncompressed bytes, and faults as (offset, error).

    Reading ends after `max_bytes`, uncompressed: a file may have no end. `record_faults` are faults of single records;
    the rest of the file is read. `clock` limits the time of a record. `position` is the byte of the file up to which
    its rows have been read, where the reader jumps within it; heartbeats tell it.
    """

    max_bytes: int = 1 << 62
    bytes_read: int = 0
    position: int = 0
    plain_bytes: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    more_faults: int = 0
    record_faults: list[tuple[int, str]] = field(default_factory=list)
    faulty_records: int = 0
    clock: RecordClock = field(default_factory=RecordClock)

    def fault(self, offset: int, error: str) -> None:
        """Note a fault; after MAX_FAULTS they are only counted."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((offset, error))
        else:
            self.more_faults += 1

    def record_fault(self, error: Exception | str) -> None:
        """Count a fault of the record that is being read; of the first MAX_FAULTS note the place and the error."""
        self.faulty_records += 1
        if len(self.record_faults) < MAX_FAULTS:
            line = f"{READER_ERROR}: {error}" if isinstance(error, str) else line_of_error(error)
            self.record_faults.append((self.bytes_read, line))

    def try_record(self, read: Callable[[], Part], otherwise: Part) -> Part:
        """Return the result of reading a record, or `otherwise` if that raises an error, which is counted."""
        try:
            return read()
        except Exception as error:
            if not is_of_record(error):
                raise
            self.record_fault(error)
            return otherwise

    def try_rows(
        self,
        rows: Rows,
        work: Callable[[Rows], Part],
        halves: Callable[[Rows], list[Rows]],
        count_lost: Callable[[Rows], None],
    ) -> Iterator[Part]:
        """Yield the results of `work`: one, or several without the rows at which it raises an error.

        `halves` divides rows and returns less than two parts of a single row; `count_lost` counts rows that are lost.
        Such a row is a fault of a record.
        """
        faulty = 0
        waiting = [rows]
        while waiting:
            part = waiting.pop()
            try:
                result = work(part)
            except Exception as error:
                if not is_of_record(error):
                    raise
                smaller = halves(part) if faulty < MAX_FAULTY_ROWS else []
                if len(smaller) > 1:
                    waiting += reversed(smaller)
                else:
                    faulty += 1
                    self.record_fault(error)
                    count_lost(part)
                continue
            yield result

    def parts_of_record(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts of a record. An error ends the record, not the file, as does the end of its time."""
        self.clock.start()
        try:
            for part in parts:
                yield part
                if self.clock.is_over():
                    self.record_fault(f"more than {self.clock.seconds:g} seconds for one record: its rest is skipped")
                    return
        except Exception as error:
            if not is_of_record(error):
                raise
            self.record_fault(error)


def crawl_in(head: bytes) -> str:
    """Return the name of the crawl in the first records of a CommonCrawl file, or an empty string."""
    found = _CRAWL_IN_HEAD.search(head)
    return found.group(1).decode() if found else ""


def crawl_of_path(path: str) -> str:
    """Return the name of the crawl in a path, or an empty string."""
    found = _CRAWL_IN_PATH.search(path)
    return found.group() if found else ""


def fault_of_start(head: bytes) -> str:
    """Return why a file with this beginning is not supported, or an empty string."""
    return "this is an ARC file, which is not supported; convert it to WARC" if head.startswith(b"filedesc://") else ""


def read_plain(file: BinaryIO, log: ReadLog) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a seekable archive in pieces, and go on after damage.

    FastWARC's reader is twice as fast as zlib and stops at the first fault; from there on zlib reads member by
    member. Both give the same bytes up to the fault.
    """
    for piece in _read_pieces(file, log):
        log.plain_bytes += len(piece)
        log.clock.start()
        yield piece
        if log.plain_bytes >= log.max_bytes:
            log.fault(log.bytes_read, f"more than {log.max_bytes} bytes (source.max_file_bytes): not read any further")
            return


def _read_pieces(file: BinaryIO, log: ReadLog) -> Iterator[bytes]:
    head = file.read(4)
    if is_zstd(head):
        for piece in read_zstd(file, log):
            yield BREAK if piece is None else piece
        return
    if not head.startswith(MAGIC):
        file.seek(0)
        window = _Window(file, log)
        while window.data:
            yield window.data
            window.fill(len(window.data))
        if not log.bytes_read and not log.faults:
            log.fault(0, "the file is empty")
        return
    file.seek(0)
    reader, given = GzipReader(file, fsspec_args=False), 0
    try:
        while piece := reader.read(PIECE_BYTES):
            given += len(piece)
            log.bytes_read = reader.inner_tell()
            yield piece
        last_member = reader.frame_start_position()
    except OSError:
        last_member = None
    if last_member is not None:
        # The reader is silent about a file that ends within a member.
        file.seek(last_member)
        log.bytes_read = last_member
        for _ in read_members(file, log):
            pass
        return
    file.seek(0)
    log.bytes_read = 0
    for piece in read_members(file, log):
        if given >= len(piece):
            given -= len(piece)
        else:
            yield piece[given:]
            given = 0


def read_members(file: BinaryIO, log: ReadLog) -> Iterator[bytes]:
    """Yield what the gzip members from the file's present place on hold; after a damaged one, BREAK."""
    window = _Window(file, log)
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
        """Drop the used bytes and read more; returns whether the file had more bytes."""
        try:
            more = self.file.read(READ_BYTES)
        except (OSError, EOFError) as error:
            self.log.fault(self.log.bytes_read, f"cannot be read any further: {error}")
            more = b""
        self.data, self.at = self.data[used:] + more, 0
        self.log.bytes_read += len(more)
        return bool(more)

    def seek_member(self) -> bool:
        """Go to the next gzip member, over padding of zeros and, as a fault, over anything else."""
        if self.at >= len(self.data) - 2:
            self.fill(self.at)
        if self.data.startswith(MAGIC, self.at):
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
            self.log.fault(start, "bytes that belong to no gzip member")
        return found >= 0


def _read_member(window: _Window, log: ReadLog) -> Iterator[bytes]:
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    start = window.offset
    while True:
        if window.at >= len(window.data) and not window.fill(window.at):
            log.fault(start, "the file ends within a gzip member")
            yield BREAK
            return
        fed = window.data[window.at : window.at + FEED_BYTES]
        try:
            piece = inflater.decompress(fed, PIECE_BYTES)
        except zlib.error as error:
            log.fault(start, f"damaged gzip member: {error}")
            window.at += 1
            yield BREAK
            return
        window.at += len(fed) - len(inflater.unused_data) - len(inflater.unconsumed_tail)
        if piece:
            yield piece
        if inflater.eof:
            return
