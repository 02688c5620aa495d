"""Rows that tasks hand to other tasks by a hash of their key, so that each key is added in one place, exactly.

A receiver holds about ROWS_OF_RECEIVER rows in memory, however many there are: more rows have more receivers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.draws import hash64
from curation.core.exchange import SUFFIX, write_slices

ROWS_OF_RECEIVER = 4_000_000
"""Rows that a receiver gets, some 200 MB of domains with their counts."""


@dataclass(frozen=True)
class Spread:
    """The folder through which rows go, and the number of receivers."""

    folder: str
    receivers: int

    @classmethod
    def of(cls, folder: str, rows: int) -> "Spread":
        """Return the spread of at most `rows` rows."""
        return cls(folder, max(1, -(-rows // ROWS_OF_RECEIVER)))

    def write(self, name: str, rows: pa.Table, hashes: np.ndarray) -> None:
        """Write the rows of one sender; `hashes` are those of their keys, uint64."""
        receivers = (hashes % np.uint64(self.receivers)).astype(np.int64)
        write_slices(storage.join(self.folder, f"{name}{SUFFIX}"), rows, receivers, self.receivers)

    def tasks(self) -> list["SpreadTask"]:
        """Return a task for each receiver."""
        return [SpreadTask(self.folder, receiver) for receiver in range(self.receivers)]


@dataclass(frozen=True)
class SpreadTask:
    """The rows of one receiver in a folder."""

    folder: str
    receiver: int


def hashes_of(keys: pa.Array) -> np.ndarray:
    """Return the hash of each string, uint64: equal strings have equal hashes, in every run."""
    return hash64(0, "spread", keys)


@dataclass(frozen=True)
class Exchanges:
    """The spreads of a report: hashes of matched texts, of kept ones and of images that arrived; counts by domain."""

    texts: Spread
    kept: Spread
    images: Spread
    domains: Spread

    @classmethod
    def of(cls, work: str, matched: Mapping[str, int]) -> "Exchanges":
        """Return the spreads in a folder; `matched` are the numbers of matched `images` and `texts`."""
        sizes = {"texts": "texts", "kept": "texts", "images": "images", "domains": "images"}
        return cls(**{name: Spread.of(storage.join(work, name), matched[unit]) for name, unit in sizes.items()})

    def repeats(self) -> list[tuple[str, Spread]]:
        """Return the spreads of values that may repeat, by name."""
        return [("texts", self.texts), ("kept", self.kept), ("images", self.images)]
