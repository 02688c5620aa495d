"""The records of CSV files in two dialects: RFC 4180 writes a quote within quotes twice, Spark with a backslash.

Elsewhere both are read as Python's csv module does: a quote counts at the start of a field only, and text behind a
closing quote belongs to the field.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from curation.core.choices import CsvEscape
from curation.sources.archives import ReadLog

MAX_LINE_BYTES = 16 << 20
"""Maximum size of a line, a record or an element."""
MAX_FIELDS = 1 << 20
"""A row with more fields or values is a bad row."""
LINE_BYTES = 48
"""Memory that a held line takes beside its bytes."""
READ_AGAIN = 4
"""Lines behind open quotes are read again, in a file at most so many times as many bytes as it has."""
_WITHIN = {
    CsvEscape.quote: re.compile(r'[^"]*+(?:""[^"]*+)*+'),
    CsvEscape.backslash: re.compile(r'[^"\\]*+(?:(?:\\.?|"")[^"\\]*+)*+', re.DOTALL),
}
_ESCAPED = re.compile(r'\\(["\\])|""')


class CsvRows:
    """The records of the lines of a file.

    `width` is the number of their fields; 0 stands for that of the first record. `damaged` counts records with an open
    quote, with text behind a closing quote, or of another width.
    """

    def __init__(self, lines: Iterable[bytes], escape: CsvEscape, width: int, log: ReadLog, end: str = "\n") -> None:
        self._lines = iter(lines)
        self._escape, self._width, self._log, self._end = escape, width, log, end
        self._waiting: deque[bytes] = deque()
        self._number = 0
        self._bytes = self._bytes_again = 0
        self.damaged = 0

    def __iter__(self) -> Iterator[list[str] | None]:
        """Yield the fields of each record; None for one with too many fields or a quote that never closes.

        Such a quote is a fault of a record with the number of its line, and the lines behind that are records of their
        own.
        """
        while (line := self._next()) is not None:
            row = self._record(line) if b'"' in line else self._plain(line)
            self._width = self._width or len(row or ())
            self.damaged += row is None or len(row) != self._width
            yield row

    def _next(self) -> bytes | None:
        self._number += 1
        if self._waiting:
            return self._waiting.popleft()
        line = next(self._lines, None)
        self._bytes += 0 if line is None else len(line) + LINE_BYTES
        return line

    def _plain(self, line: bytes) -> list[str] | None:
        if len(line) > MAX_FIELDS and line.count(b",") > MAX_FIELDS:
            return None
        return line.decode("utf-8", "replace").removesuffix("\r").split(",")

    def _record(self, line: bytes | None) -> list[str] | None:
        record = _Record(_WITHIN[self._escape], self._escape)
        held: list[bytes] = []
        start, size = self._number, 0
        while line is not None:
            held.append(line)
            size += len(line) + LINE_BYTES
            text = line.decode("utf-8", "replace")
            whole = record.add(text.removesuffix("\r"), "\r" * text.endswith("\r") + self._end)
            if whole and len(held) == 1:
                self.damaged += record.is_odd and len(record.fields) == self._width
                return record.fields if len(record.fields) <= MAX_FIELDS else None
            if whole and not record.is_odd and len(record.fields) == (self._width or len(record.fields)):
                return record.fields
            if whole or (record.is_odd and len(held) > 1) or size > MAX_LINE_BYTES or len(record.fields) > MAX_FIELDS:
                break
            record.is_odd = False
            line = self._next()
        self._number = start
        self._leave(held[1:], size)
        return None

    def _leave(self, behind: list[bytes], size: int) -> None:
        """Note a quote that never closes, and have the lines behind it read again."""
        other = CsvEscape.quote if self._escape == CsvEscape.backslash else CsvEscape.backslash
        self._log.record_fault(
            f"line {self._number}: a quote that never closes (quotes within quotes are read as "
            f"source.csv_escape={self._escape.value} has them; the other way is {other.value})"
        )
        if self._bytes_again + size <= READ_AGAIN * self._bytes:
            self._bytes_again += size
            self._waiting.extendleft(reversed(behind))
            return
        self._log.fault(
            self._log.bytes_read,
            f"line {self._number}: too many quotes that never close; the {len(behind)} lines behind it are lost",
        )
        self._number += len(behind)


class _Record:
    """The fields of a record, line by line. `is_odd`: text follows a closing quote."""

    def __init__(self, within: re.Pattern[str], escape: CsvEscape) -> None:
        self._within, self._escape = within, escape
        self._pieces: list[str] = []
        self._is_open = False
        self.fields: list[str] = []
        self.is_odd = False

    def add(self, line: str, end: str) -> bool:
        """Add a line without its end; return whether the record ends there, with no quote open."""
        at = 0
        while True:
            if not self._is_open and line.startswith('"', at):
                self._is_open, at = True, at + 1
            if self._is_open:
                found = self._within.match(line, at)
                assert found  # it matches nothing, too
                self._pieces.append(found[0])
                if found.end() == len(line):
                    self._pieces.append(end)
                    return False
                at = found.end() + 1
                stop = line.find(",", at)
                behind = line[at : stop if stop >= 0 else None]
                self.is_odd |= bool(behind.strip())
                self.fields.append(self._value() + behind)
            else:
                stop = line.find(",", at)
                self.fields.append(line[at : stop if stop >= 0 else None])
            if stop < 0:
                return True
            at = stop + 1

    def _value(self) -> str:
        text = "".join(self._pieces)
        self._pieces, self._is_open = [], False
        if self._escape == CsvEscape.quote:
            return text.replace('""', '"')
        return _ESCAPED.sub(lambda found: found[1] or '"', text) if "\\" in text or '"' in text else text


def escape_of(head: list[bytes], width: int) -> CsvEscape:
    r"""Return the dialect of a file by its first lines: the one that leaves fewer records damaged, RFC 4180 for equal.

    >>> escape_of([b"url,text", b'http://h.org/a,"a \\"red\\" kite"'], 0).value
    'backslash'
    """
    if not any(b'\\"' in line for line in head):
        return CsvEscape.quote
    damaged = {}
    for escape in (CsvEscape.quote, CsvEscape.backslash):
        rows = CsvRows(head, escape, width, ReadLog())
        for _ in rows:
            pass
        damaged[escape] = rows.damaged
    return min(damaged, key=lambda escape: damaged[escape])
