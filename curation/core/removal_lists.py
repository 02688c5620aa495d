"""Removal lists: images that must not become samples, by uid, URL or hash. One format for every stage.

A line is a uid (24 hex digits), a URL (http or https), a sha256 (64 hex digits) or a perceptual hash (16). A `#` at the
start of a line begins a comment; elsewhere it belongs to a URL. Blank lines are skipped. text_lists has the forms of
files.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from curation.core.backslashes import with_slashes
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.text_lists import read_lines
from curation.core.uids import UID_CHARS, uid_of

DIGITS = {"uid": UID_CHARS, "sha256": 64, "phash": 16}
"""Column that a value is compared with -> number of hex digits of the value."""
EXPECTED = "a uid (24 hex digits), a URL, a sha256 (64) or a perceptual hash (16)"
_KINDS = {digits: name for name, digits in DIGITS.items()}
_HEX = re.compile(r"[0-9a-fA-F]+")
_URL = re.compile(r"https?:[/\\]{2}.", re.IGNORECASE)
_BLANKS = " \t\r\v\f"


@dataclass(frozen=True)
class Removals:
    """The values of removal lists: column name -> its values, sorted, as bytes of one length (`S24`, `S64`, `S16`)."""

    values: Mapping[str, np.ndarray] = field(default_factory=dict)

    def mask(self, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> np.ndarray:
        """Return whether each row is to be removed, bool; `columns` are those of uid, sha256, phash that it has.

        >>> removals = read_removals(("https://example.org/a.jpg",))
        >>> removals.mask({"uid": pa.array(["1d63379d7e8c160931a17eb0", "0" * 24])})
        array([ True, False])
        """
        return np.logical_or.reduce([self._listed(name, column) for name, column in columns.items()])

    def _listed(self, name: str, column: pa.Array | pa.ChunkedArray) -> np.ndarray:
        listed = self.values.get(name)
        if listed is None or not len(column):
            return np.zeros(len(column), bool)
        wanted = np.array(column.fill_null("").to_pylist(), listed.dtype)
        places = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
        return listed[places] == wanted

    def count(self, name: str) -> int:
        """Return the number of values of a kind."""
        return len(self.values.get(name, ()))


def divide_sources(sources: Iterable[str]) -> tuple[list[str], list[str]]:
    """Divide a setting into the values and the paths (files, folders, globs) that it holds.

    >>> divide_sources(["lists/opt-outs.txt", "https://example.org/a.jpg"])
    (['https://example.org/a.jpg'], ['lists/opt-outs.txt'])
    """
    values: list[str] = []
    paths: list[str] = []
    for source in sources:
        (values if _parse(source) else paths).append(source)
    return values, paths


def read_removals(sources: tuple[str, ...]) -> Removals:
    """Return the removals of a setting: values, and the lines of files, folders and globs.

    Raises HeadtailError for a source that is neither, and, with file and line, for a line that is none of the kinds.
    """
    values, paths = divide_sources(sources)
    files: list[FileInfo] = []
    for path in paths:
        try:
            files += list_files([path])
        except HeadtailError:
            if "://" in path:
                raise
            raise HeadtailError(f"{path} is neither a file nor {EXPECTED}") from None
    return _read(tuple(values), tuple(files))


@lru_cache(4)
def _read(values: tuple[str, ...], files: tuple[FileInfo, ...]) -> Removals:
    # The key holds size and time: a worker process may live longer than one version of a list.
    found: dict[str, list[str]] = {}
    for each in values:
        for kind, value in _parse(each):
            found.setdefault(kind, []).append(value)
    for info in files:
        for number, line in enumerate(read_lines(info.path, "surrogateescape"), 1):
            item = line.strip(_BLANKS)
            if not item or item.startswith("#"):
                continue
            parsed = _parse(item)
            if not parsed:
                shown = item.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:80]
                raise HeadtailError(f"{info.path}, line {number}: expected {EXPECTED}, got {shown!r}")
            for kind, value in parsed:
                found.setdefault(kind, []).append(value)
    return Removals({kind: np.unique(np.array(lines, f"S{DIGITS[kind]}")) for kind, lines in found.items()})


def _parse(line: str) -> list[tuple[str, str]]:
    """Return the columns and the values that a line is compared with; none: it is none of the kinds.

    A URL with backslashes stands for the URL with slashes, too, which newer tables have in its place.
    """
    if _HEX.fullmatch(line):
        kind = _KINDS.get(len(line))
        return [(kind, line.lower())] if kind else []
    if not _URL.match(line):
        return []
    try:
        return [("uid", uid_of(url)) for url in dict.fromkeys((line, with_slashes(line)))]
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return []
