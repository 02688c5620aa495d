"""Examples of dropped rows: of each reason those with the smallest keyed draws, in a file beside the rows that stay.

The report shows them. The file is no input of any job: its name begins with `_`, no manifest names it, and a table
without it is complete. Its examples depend on the input file and the seed alone, not on how many files a part has.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np

from curation.core import storage
from curation.core.errors import HeadtailError

EXAMPLES = 10
LOOKED_AT = 64
"""Draws of a batch and a reason whose rows are looked at: some must not be shown."""
MAX_CHARS = 2_000
MAX_BYTES = 16 << 20
"""A larger file has not been written by `write_dropped`, and is not read."""


@dataclass(frozen=True)
class DroppedRow:
    """A dropped row with its draw; `uid` is that of its image, `note` tells more of the reason."""

    draw: float
    uid: str
    url: str = ""
    text: str = ""
    lang: str = ""
    note: str = ""

    @property
    def content(self) -> tuple[str, ...]:
        """What is shown of the row: rows of equal content are one example."""
        return self.uid, self.url, self.text, self.lang, self.note


Describe = Callable[[np.ndarray], Iterable[DroppedRow]]
"""Returns the rows at some places that may be shown."""


class DroppedExamples:
    """Holds the EXAMPLES rows of each reason with the smallest draws, none twice."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._rows: dict[str, list[DroppedRow]] = defaultdict(list)

    def offer(self, reason: str, draws: np.ndarray, describe: Describe) -> None:
        """Take rows of a batch: draws[i] is that of row i. Of rows with equal draws one is described.

        Those are the LOOKED_AT smallest draws.
        """
        known = self._rows[reason]
        limit = known[-1].draw if len(known) == EXAMPLES else np.inf
        below = np.flatnonzero(draws < limit)
        below = below[np.unique(draws[below], return_index=True)[1][:LOOKED_AT]]
        if len(below):
            self._rows[reason] = smallest_rows([*known, *describe(np.sort(below))])

    def rows(self) -> dict[str, list[DroppedRow]]:
        """Return the rows by reason."""
        return {reason: list(rows) for reason, rows in sorted(self._rows.items()) if rows}


def smallest_rows(rows: Iterable[DroppedRow]) -> list[DroppedRow]:
    """Return at most EXAMPLES rows of different content, in the order of their draws.

    >>> rows = [DroppedRow(0.5, "a"), DroppedRow(0.2, "b"), DroppedRow(0.1, "a")]
    >>> [(row.draw, row.uid) for row in smallest_rows(rows)]
    [(0.1, 'a'), (0.2, 'b')]
    """
    found: dict[tuple[str, ...], DroppedRow] = {}
    for row in sorted(rows, key=lambda one: (one.draw, one.content)):
        found.setdefault(row.content, row)
    return list(found.values())[:EXAMPLES]


def dropped_path(rows: str) -> str:
    """Return the path of the examples beside a file of rows.

    >>> dropped_path("/run/pairs/part-00000/00007.parquet")
    '/run/pairs/part-00000/_dropped-00007.json'
    """
    folder, _, name = rows.rpartition("/")
    return storage.join(folder, f"_dropped-{name.removesuffix('.parquet')}.json")


def write_dropped(path: str, dropped: DroppedExamples) -> None:
    """Write the examples of a task; without any there is no file."""
    rows = dropped.rows()
    if rows:
        listed = {reason: [asdict(row) for row in found] for reason, found in rows.items()}
        storage.write_bytes(path, json.dumps(listed, separators=(",", ":")).encode())


def read_dropped(path: str) -> dict[str, list[DroppedRow]]:
    """Return the examples by reason, none where there is no file; raises HeadtailError for a damaged one."""
    try:
        with storage.open_input(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        listed = json.loads(content)
        return {str(reason): [_row(values) for values in rows][:EXAMPLES] for reason, rows in listed.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise HeadtailError(f"{path} holds no examples of dropped rows ({type(error).__name__}: {error})") from error


def _row(values: dict) -> DroppedRow:
    draw = values.pop("draw")
    if not isinstance(draw, float) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("a draw must be a number, and all else text")
    return DroppedRow(draw, **values)
