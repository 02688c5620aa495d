"""Cells: which embeddings are compared with each other, so that no image is compared with all.

A plan draws some images as pivots, by their keyed hashes. The cell of a vector is that of its nearest pivot; in sets of
millions, that of its nearest ones in two draws. Similar images mostly have the same cell. Those on both sides of a
border meet under another plan, with other pivots.
"""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.core.draws import hash64
from curation.core.parquet_sink import write_rows
from curation.core.table_reader import read_rows
from curation.core.whole_vectors import Known
from curation.shards.stored_vectors import from_bytes

CELL_IMAGES = 2000
"""Images of a cell on average."""
PLANS = 3
MAX_PIVOTS = 1024
"""Pivots of one draw; where more are needed, there are two draws."""
PIVOTS = pa.schema(
    [
        pa.field("plan", pa.int32(), nullable=False),
        pa.field("draw", pa.int32(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True)
class CellPlans:
    """How many plans there are, the draws of each, and the share of the images that a draw takes as pivots."""

    plans: int
    draws: int
    share: float

    @classmethod
    def of(cls, images: int, others: int = 0) -> "CellPlans":
        """Return plans for so many images that can be pivots, and others that cannot.

        One cell holds a small set: all of its images are compared.

        >>> [CellPlans.of(images) for images in (500, 20_000)]
        [CellPlans(plans=1, draws=0, share=0.0), CellPlans(plans=3, draws=1, share=0.0005)]
        """
        cells = (images + others) / CELL_IMAGES
        if cells <= 1 or not images:
            return cls(1, 0, 0.0)
        draws = 1 if cells <= MAX_PIVOTS else 2
        return cls(PLANS, draws, min(1.0, cells ** (1 / draws) / images))


def draw_pivots(uids: pa.Array, vectors: pa.Array, plans: CellPlans, seed: int) -> pa.Table:
    """Return the images that are pivots, as PIVOTS; they depend on their uids and the seed alone."""
    found = []
    below = np.uint64(min(math.ldexp(plans.share, 64), 2**64 - 1))
    for plan in range(plans.plans):
        for draw in range(plans.draws):
            drawn = np.flatnonzero(hash64(seed, f"pivots {plan}.{draw}", uids) < below)
            numbers = [pa.array(np.full(len(drawn), number, np.int32)) for number in (plan, draw)]
            places = pa.array(drawn)
            found.append(pa.table([*numbers, uids.take(places), vectors.take(places)], PIVOTS))
    return pa.concat_tables(found) if found else PIVOTS.empty_table()


class Cells:
    """The cells of one plan."""

    def __init__(self, pivots: pa.Table, plan: int) -> None:
        mine = pivots.filter(pa.array(pivots["plan"].to_numpy() == plan))
        draws = [mine.filter(pa.array(mine["draw"].to_numpy() == draw)) for draw in (0, 1)]
        self._draws = [Known(from_bytes(drawn["vector"].to_pylist())) for drawn in draws]

    @classmethod
    def read(cls, path: str, plan: int) -> "Cells":
        """Return the cells of a plan from the file of all pivots."""
        return cls(read_rows(path, PIVOTS), plan)

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return the cell of each vector, int64."""
        cells = np.zeros(len(vectors), np.int64)
        for pivots in self._draws:
            if len(pivots) and len(vectors):
                cells = cells * (1 << 31) + pivots.nearest(vectors)
        return cells


def receivers_of(cells: np.ndarray, count: int) -> np.ndarray:
    """Spread cells over `count` tasks, int64."""
    mixed = cells.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(32)) % np.uint64(count)).astype(np.int64)


def gather_pivots(paths: list[str], out: str) -> None:
    """Write the pivots of all groups to one file, in the order of their uids."""
    drawn = pa.concat_tables([PIVOTS.empty_table(), *(read_rows(path, PIVOTS) for path in paths)])
    write_rows(out, drawn.sort_by([(name, "ascending") for name in ("plan", "draw", "uid")]))
