"""The rows of text files of others, and their fields, in bounded memory: a small gzip file can hold endless lines."""

import csv
import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO, Self

from curation.core.choices import CsvEscape
from curation.core.text_marks import as_utf8
from curation.sources.archives import ReadLog, read_plain
from curation.sources.csv_rows import MAX_FIELDS, MAX_LINE_BYTES, CsvRows, escape_of
from curation.sources.json_arrays import array_elements, is_array

HEAD_BYTES = 1 << 20
"""The first bytes of a file: they decide how its lines end, and how its quotes are written."""
_QUOTED = re.compile(rb'"[^"]*"')


class TextLines:
    """The rows of a file, gzip or plain. `bytes` counts those of the rows; who makes batches sets it back.

    `rules` is the version of the source's rules. By version 2 the text may be in UTF-16 or UTF-32 with a byte order
    mark, and lines end in CR where HEAD_BYTES hold no LF. By version 1 a byte order mark belongs to the first line,
    lines end in LF, JSON is read by lines alone, and CSV files as Python's csv module reads them.
    """

    def __init__(self, file: BinaryIO, log: ReadLog, rules: int = 2) -> None:
        self._file, self._log, self._rules = file, log, rules
        self.bytes = 0

    def tsv_rows(self) -> Iterator[list[str] | None]:
        """Yield the fields of each line; None for one with more than MAX_FIELDS tabs."""
        head, pieces = self._begin()
        for line in self._lines(pieces, _line_end(head)):
            if len(line) > MAX_FIELDS and line.count(b"\t") > MAX_FIELDS:
                yield None
            else:
                yield line.decode("utf-8", "replace").removesuffix("\r").split("\t")

    def json_rows(self) -> Iterator[bytes]:
        """Yield the lines that are not blank, or the elements of the array that fills the file."""
        head, pieces = self._begin()
        if is_array(head):
            for element in array_elements(pieces, self._log):
                self.bytes += len(element)
                yield element
        else:
            yield from filter(bytes.strip, self._lines(pieces, _line_end(head)))

    def csv_rows(self, escape: CsvEscape = CsvEscape.auto, width: int = 0) -> Iterator[list[str] | None]:
        """Yield the fields of each record; None for one that is damaged or too long.

        `width` is the number of fields, 0 for that of the first record.
        """
        head, pieces = self._begin()
        if self._rules < 2:
            yield from self._rows_of_csv_module(pieces)
            return
        end = _line_end(_QUOTED.sub(b"", head)) if b"\r" in head else b"\n"
        if escape == CsvEscape.auto:
            lines = head.split(end)
            escape = escape_of(lines[:-1] if len(head) == HEAD_BYTES else lines, width)
        yield from CsvRows(self._lines(pieces, end), escape, width, self._log, end.decode())

    def _begin(self) -> tuple[bytes, Iterator[bytes]]:
        """Return the first HEAD_BYTES in UTF-8, and all pieces of the file; by version 1 no head, and plain pieces."""
        pieces = read_plain(self._file, self._log)
        if self._rules < 2:
            return b"", pieces
        pieces = as_utf8(pieces)
        first: list[bytes] = []
        size = 0
        for piece in pieces:
            first.append(piece)
            size += len(piece)
            if size >= HEAD_BYTES:
                break
        return b"".join(first)[:HEAD_BYTES], itertools.chain(first, pieces)

    def _lines(self, pieces: Iterator[bytes], end: bytes) -> Iterator[bytes]:
        """Yield the lines; of one that is longer than MAX_LINE_BYTES nothing but a fault."""
        held: list[bytes] = []
        size, skipping = 0, False
        for piece in pieces:
            *lines, rest = piece.split(end)
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

    def _rows_of_csv_module(self, pieces: Iterator[bytes]) -> Iterator[list[str] | None]:
        csv.field_size_limit(MAX_LINE_BYTES)
        lines = _CsvLines(self._lines(pieces, b"\n"))
        rows = csv.reader(lines)
        while True:
            lines.bytes = lines.marks = 0
            try:
                yield next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield None


def _line_end(text: bytes) -> bytes:
    return b"\r" if b"\r" in text and b"\n" not in text else b"\n"


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
