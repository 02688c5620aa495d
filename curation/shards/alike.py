"""Near duplicates by embedding among the images of one cell: which image stays, and for which others.

The best image stays: the one with the most pixels, then the first in the final order. An image is dropped if its
embedding is near that of an image that stays, and never because of one that is dropped itself: a row of images, each
like the next, does not collapse into one.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from curation.core.whole_vectors import Known

BLOCK = 512
"""Images that are compared at a time."""
LEADER_BYTES = 64 << 20
"""Vectors, as float32, of the images of one cell that others are compared with; more are not held."""


class Staying:
    """The images of one cell, taken in order from the best on; an image that stays is a leader of those near it."""

    def __init__(self, cosine: float) -> None:
        self._cosine = cosine
        self._blocks: list[tuple[Known, list[str]]] = []
        self._bytes = 0
        self._gone: set[str] = set()
        self._fixed: set[bytes] = set()
        self.not_compared = 0
        """Images that stay without being compared with the later ones: the cell has too many that differ."""

    def take(
        self, uids: Sequence[str], leaders: Sequence[str], vectors: np.ndarray, fixed: Sequence[bool] = ()
    ) -> list[str]:
        """Return the leader of each image, "" for those that stay.

        `leaders` are those of an earlier plan: an image keeps its leader as long as that one stays. `fixed` images are
        of another set, and stay in any case.
        """
        fixed = fixed or [False] * len(uids)
        found = list(leaders)
        for start in range(0, len(uids), BLOCK):
            end = min(start + BLOCK, len(uids))
            self._take_block(list(uids[start:end]), found, start, vectors[start:end], fixed[start:end])
        return found

    def _take_block(
        self, uids: list[str], found: list[str], start: int, vectors: np.ndarray, fixed: Sequence[bool]
    ) -> None:
        here = set(uids)
        asked = np.array(
            [
                number for number, is_fixed in enumerate(fixed)
                if not (led := found[start + number]) or led in self._gone or led in here or is_fixed
            ],
            np.int64,
        )  # fmt: skip
        mine = vectors[asked]
        is_set = np.array([fixed[number] for number in asked.tolist()], bool)
        first: dict[int, str] = {}
        free = np.flatnonzero(~is_set)
        for known, names in self._blocks:
            rows, places, _ = known.near(mine[free], self._cosine)
            found_rows, pairs = np.unique(rows, return_index=True)
            first |= zip(free[found_rows].tolist(), (names[place] for place in places[pairs].tolist()), strict=True)
            free = np.delete(free, found_rows)
        better: dict[int, list[int]] = {}
        rows, places, _ = Known(mine).near(mine[free], self._cosine)
        for row, place in zip(free[rows].tolist(), places.tolist(), strict=True):
            if place < row:
                better.setdefault(row, []).append(place)
        held: list[int] = []
        stays = np.zeros(len(asked), bool)
        for row, number in enumerate(asked.tolist()):
            led = found[start + number]
            if led and led not in self._gone and not fixed[number]:
                continue
            near = (uids[asked[place]] for place in better.get(row, ()) if stays[place])
            leader = "" if fixed[number] else first.get(row) or next(near, "")
            found[start + number] = leader
            if leader:
                self._gone.add(uids[number])
            else:
                stays[row] = True
                if not fixed[number] or self._is_new(mine[row]):
                    held.append(row)
        self._hold(mine[held], [uids[asked[row]] for row in held])

    def _is_new(self, vector: np.ndarray) -> bool:
        """Return whether no image of another set had this vector; a set may hold one picture many times."""
        key = blake2b(vector.tobytes(), digest_size=16).digest()
        is_new = key not in self._fixed
        self._fixed.add(key)
        return is_new

    def _hold(self, vectors: np.ndarray, uids: list[str]) -> None:
        size = vectors.shape[1] * 4
        room = max(0, (LEADER_BYTES - self._bytes) // size)
        self.not_compared += max(0, len(uids) - room)
        if uids[:room]:
            self._blocks.append((Known(vectors[:room]), uids[:room]))
            self._bytes += size * len(uids[:room])
