"""Removal lists: images that must not become samples, by uid or by hash."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.errors import HeadtailError

KINDS = {24: "uid", 64: "sha256", 16: "phash"}
"""What a line is, by its number of hex digits."""
EXPECTED = "a uid (24 hex digits), a sha256 (64) or a perceptual hash (16)"
_HEX = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class Removals:
    """The lines of removal lists by what they are: a column's name -> its values."""

    values: dict[str, pa.Array] = field(default_factory=dict)

    def mask(self, rows: pa.Table) -> np.ndarray:
        """Whether each row is to be removed, judged by those of the columns uid, sha256, phash that it has."""
        removed = np.zeros(rows.num_rows, bool)
        for name, values in self.values.items():
            if name in rows.column_names:
                removed |= pc.is_in(rows[name], values).to_numpy()
        return removed


def read_removals(sources: tuple[str, ...]) -> Removals:
    """Return the removals that sources name: a value itself, or text files (folders, globs) with one a line.

    A value is a uid (24 hex digits), a sha256 (64) or a perceptual hash (16). Blank lines and what follows `#` are
    left out. Raises HeadtailError with file and line for anything else.
    """
    values = tuple(source.lower() for source in sources if _kind(source.lower()))
    files: list[storage.FileInfo] = []
    for source in sources:
        if not _kind(source.lower()):
            try:
                files += storage.list_files([source])
            except HeadtailError:
                raise HeadtailError(f"{source} is neither a file nor {EXPECTED}") from None
    return _read(values, tuple(files))


@lru_cache(4)
def _read(values: tuple[str, ...], files: tuple[storage.FileInfo, ...]) -> Removals:
    # Remembered by size and time: a worker process outlives a list that is written again.
    found: dict[str, list[str]] = {}
    for value in values:
        found.setdefault(_kind(value), []).append(value)
    for info in files:
        with storage.open_input(info.path) as file:
            for number, line in enumerate(file, 1):
                value = line.split(b"#")[0].strip().decode("utf-8", "replace").lower()
                if not value:
                    continue
                kind = _kind(value)
                if not kind:
                    raise HeadtailError(f"{info.path}, line {number}: expected {EXPECTED}, got {value[:80]!r}")
                found.setdefault(kind, []).append(value)
    return Removals({kind: pa.array(values, pa.string()) for kind, values in found.items()})


def _kind(value: str) -> str:
    return KINDS.get(len(value), "") if _HEX.fullmatch(value) else ""
