"""Rows of a table that a test accepts, found one row group after the other, until there are enough or time is over."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.table_reader import open_table_file

SECONDS = 4.0
"""A search that takes longer ends, and says where it can go on."""


@dataclass(frozen=True)
class Place:
    """A row of a table: the number of its file, of the row group in the file, and of the row in the group."""

    file: int = 0
    group: int = 0
    row: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that `str` wrote; the first row for any other text.

        >>> str(Place.parse("2-0-17")), str(Place.parse("here"))
        ('2-0-17', '0-0-0')
        """
        numbers = text.split("-")
        if len(numbers) == 3 and all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
            return cls(*map(int, numbers))
        return cls()

    def __str__(self) -> str:
        return f"{self.file}-{self.group}-{self.row}"


@dataclass(frozen=True)
class Search:
    """A test of rows: `columns` are what `accepts` needs; it returns whether it accepts each row, bool [rows].

    A column can be a path in a nested one, such as `texts.list.element.lang`.
    """

    columns: Sequence[str]
    accepts: Callable[[pa.Table], np.ndarray]


@dataclass(frozen=True)
class Found:
    """Rows that were found, how many rows were looked at, and the place to go on; None at the end of the table."""

    rows: list[dict[str, Any]]
    looked: int
    after: Place | None


def find_rows(
    files: Sequence[str], schema: pa.Schema, searches: Sequence[Search], start: Place, limit: int,
    further: Sequence[str] | None = (), seconds: float = SECONDS,
) -> Found:  # fmt: skip
    """Return the first `limit` rows from `start` on that all searches accept.

    The searches are made one after the other, and the columns of a later one are read only where the earlier ones
    accept a row. At least one row group is looked at, whatever the time. Raises HeadtailError for other files than
    those of the table.
    """
    rows: list[dict[str, Any]] = []
    looked, end = 0, time.monotonic() + seconds
    for number in range(start.file, len(files)):
        with open_table_file(files[number], schema, further) as file:
            first_group = start.group if number == start.file else 0
            for group in range(first_group, file.num_row_groups):
                at_start = number == start.file and group == start.group
                if looked and time.monotonic() > end:
                    return Found(rows, looked, Place(number, group))
                size = file.metadata.row_group(group).num_rows
                accepted = np.arange(size) >= (start.row if at_start else 0)
                for search in searches:
                    if not accepted.any():
                        break
                    accepted &= search.accepts(file.read_row_group(group, columns=list(search.columns)))
                places = np.flatnonzero(accepted)
                if len(places):
                    wanted = places[: limit - len(rows)]
                    rows += file.read_row_group(group).take(pa.array(wanted)).to_pylist()
                    if len(rows) >= limit:
                        looked += int(wanted[-1]) + 1 - (start.row if at_start else 0)
                        return Found(rows, looked, Place(number, group, int(wanted[-1]) + 1))
                looked += size - (start.row if at_start else 0)
    return Found(rows, looked, None)


def holding(entry_id: int, lang: str) -> list[Search]:
    """Return the searches for images one of whose texts in a language holds an entry."""

    def ids(table: pa.Table) -> np.ndarray:
        texts = table["texts"].combine_chunks()
        return _images(texts, _texts_with(texts, entry_id), len(table))

    def with_language(table: pa.Table) -> np.ndarray:
        texts = table["texts"].combine_chunks()
        found = _texts_with(texts, entry_id)
        langs = texts.values.field("lang").take(pa.array(found))
        is_own = np.array([value == lang for value in langs.to_pylist()], bool)
        return _images(texts, found[is_own], len(table))

    path = "texts.list.element"
    return [Search([f"{path}.entry_ids"], ids), Search([f"{path}.lang", f"{path}.entry_ids"], with_language)]


def _texts_with(texts: pa.ListArray, entry_id: int) -> np.ndarray:
    """Return the places of the texts that hold an id among the texts of all images."""
    ids = texts.values.field("entry_ids")
    places = np.flatnonzero(ids.values.to_numpy(zero_copy_only=False) == entry_id)
    return np.searchsorted(ids.offsets.to_numpy(), places, "right") - 1


def _images(texts: pa.ListArray, found: np.ndarray, images: int) -> np.ndarray:
    """Return which images have one of these texts."""
    holds = np.zeros(images, bool)
    holds[np.searchsorted(texts.offsets.to_numpy(), found, "right") - 1] = True
    return holds


def within(column: str, low: float | None, high: float | None) -> Search:
    """Return the search for rows with a number in [low, high]; None sets no limit, and null is outside."""

    def accepts(table: pa.Table) -> np.ndarray:
        values = table[column].to_numpy().astype(np.float64)
        at_least = values >= (-np.inf if low is None else low)
        return at_least & (values <= (np.inf if high is None else high))

    return Search([column], accepts)


def equal(column: str, value: str) -> Search:
    """Return the search for rows with a text."""
    return Search([column], lambda table: _filled(pc.equal(table[column], value)))


def on_host(host: str) -> Search:
    """Return the search for rows whose `url` is on a host or below it: `example.org` has `a.example.org`."""
    # RE2 takes a backslash before ASCII signs only: vowel signs of Devanagari and emoji are no letters, either.
    name = "".join(f"\\{letter}" if letter.isascii() and not letter.isalnum() else letter for letter in host.lower())
    pattern = rf"(?i)^https?://([^/?#]*\.)?{name}(:\d+)?([/?#]|$)"
    return Search(["url"], lambda table: _filled(pc.match_substring_regex(table["url"], pattern)))


def _filled(values: pa.ChunkedArray) -> np.ndarray:
    return values.fill_null(False).to_numpy().astype(bool)
