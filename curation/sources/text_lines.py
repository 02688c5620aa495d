"""The lines of text files of others, and their fields, in bounded memory: a small gzip file can hold endless lines."""

import csv
from collections.abc import Iterator
from typing import BinaryIO, Self

from curation.sources.archives import ReadLog, read_plain

MAX_LINE_BYTES = 16 << 20
MAX_FIELDS = 1 << 20
"""A row with more fields or values is a bad row."""


class TextLines:
    """The lines of a file, gzip or plain. `bytes` counts those of the lines; who makes batches sets it back."""

    def __init__(self, file: BinaryIO, log: ReadLog) -> None:
        self._file, self._log = file, log
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines; of one that is longer than MAX_LINE_BYTES nothing but a fault."""
        held: list[bytes] = []
        size, skipping = 0, False
        for piece in read_plain(self._file, self._log):
            *lines, rest = piece.split(b"\n")
            for line in lines:
                if not skipping:
                    whole = b"".join([*held, line]) if held else line
                    self.bytes += len(whole)
                    yield whole
                held, size, skipping = [], 0, False
            if rest and not skipping:
                held.append(rest)
                size += len(rest)
            if size > MAX_LINE_BYTES:
                self._log.fault(self._log.bytes_read, f"a line of more than {MAX_LINE_BYTES} bytes")
                held, size, skipping = [], 0, True
        if held:
            yield b"".join(held)

    def tsv_rows(self) -> Iterator[list[str] | None]:
        """Yield the fields of each line; None for one with more than MAX_FIELDS tabs."""
        for line in self:
            if len(line) > MAX_FIELDS and line.count(b"\t") > MAX_FIELDS:
                yield None
            else:
                yield line.decode("utf-8", "replace").removesuffix("\r").split("\t")

    def csv_rows(self) -> Iterator[list[str] | None]:
        """Yield the fields of each record; None for one that is damaged or too long."""
        csv.field_size_limit(MAX_LINE_BYTES)
        lines = _CsvLines(iter(self))
        rows = csv.reader(lines)
        while True:
            lines.bytes = lines.marks = 0
            try:
                yield next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield None


class _CsvLines:
    """Lines for csv.reader, which takes any number of them for one record if quotes stay open.

    Raises csv.Error in a record of more than MAX_LINE_BYTES or MAX_FIELDS commas. `bytes` and `marks` are those of
    the present record; the reader sets them back.
    """

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.bytes = self.marks = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self.bytes > MAX_LINE_BYTES:
            raise csv.Error("a record without end")
        line = next(self._lines)
        self.bytes += len(line)
        self.marks += line.count(b",")
        if self.marks > MAX_FIELDS:
            raise csv.Error("too many fields")
        return line.decode("utf-8", "replace") + "\n"
