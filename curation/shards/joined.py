"""The steps of a keyed join, and what it brought to one receiver: a shard, or a group of ranges."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.exchange import iter_slices
from curation.core.receipts import Receipt, merge_receipts
from curation.core.storage import join
from curation.shards import keyed_join
from curation.shards.keyed_join import DIRECT, ORDER_BYTES, JoinTask, RelayTask, join_bucket, relay_rows

Runner = Callable[[Callable[[Any], Receipt], Sequence[Any]], list[Receipt]]
"""Runs a function on each task, and returns the receipts in their order."""


@dataclass(frozen=True)
class JoinedFiles:
    """The folder of joined rows; a slice of each file in it is for `width` receivers."""

    folder: str
    width: int

    @property
    def direct(self) -> str:
        """The folder of the slices of groups."""
        return join(self.folder, "joined")

    def of(self, receiver: int) -> tuple[str, int]:
        """Return the folder and the number of the slices of a receiver."""
        if self.width == 1:
            return self.direct, receiver
        return join(self.folder, "relayed", f"{receiver // self.width:06d}"), receiver % self.width


def run_join(
    run: Runner,
    keys: str,
    rows: str,
    folder: str,
    buckets: int,
    receivers: int,
    every: bool = False,
    strict: str = "",
    relayed: bool = True,
) -> tuple[Receipt, JoinedFiles]:
    """Join the rows in a folder of slices with the keys in another one, and deal them to the receivers.

    `every` and `strict` are those of JoinTask. Returns the receipt of the join, and what it wrote to `folder`; without
    `relayed` these are the slices of groups of receivers.
    """
    width = 1 if receivers <= DIRECT else math.isqrt(receivers)
    files = JoinedFiles(folder, width)
    out, done = files.direct, join(folder, "receipts")
    tasks = [
        JoinTask(
            bucket, keys, rows, join(out, f"{bucket:06d}"), join(done, f"join-{bucket:06d}.json"), receivers, width,
            every, strict,
        )
        for bucket in range(buckets)
    ]  # fmt: skip
    joined = merge_receipts("join", run(join_bucket, tasks))
    if width > 1 and relayed:
        groups = range(-(-receivers // width))
        prefixes = [join(folder, "relayed", f"{group:06d}", "part") for group in groups]
        relays = [
            RelayTask(group, out, prefixes[group], join(done, f"relay-{group:06d}.json"), width) for group in groups
        ]
        run(relay_rows, relays)
    return joined, files


class Joined:
    """The rows for the images of one receiver, in windows of at most CHUNK_BYTES in the order of the images.

    Of each image and table the first row by order is there: an image has several where its uid and its file are given;
    `further_keys` counts the other ones by table. With `every` all rows are there. More than `limit` rows of one image,
    if it is not 0, are an error.
    """

    def __init__(self, place: tuple[str, int], images: int, limit: int = 0, every: bool = False) -> None:
        self._place = place
        found: list[np.ndarray] = []
        counts = np.zeros(images, np.int64)
        for number, batch in enumerate(iter_slices(*place)):
            rows, tables, sizes = (batch[name].to_numpy() for name in ("row", "table", "size"))
            if limit:
                np.add.at(counts, rows, 1)
                if counts.max(initial=0) > limit:
                    raise HeadtailError(f"scores: an image has more than {limit:,} rows, and a filter tries each")
            order = batch["order"]
            data = order.buffers()[1][order.offset * ORDER_BYTES :][: len(order) * ORDER_BYTES] if len(order) else b""
            high, low = np.frombuffer(data, ">u8").reshape(-1, 2).astype(np.uint64).T
            places = np.arange(batch.num_rows)
            found.append(
                np.rec.fromarrays([rows, tables, high, low, np.full(len(rows), number), places, sizes], dtype=_FOUND)
            )
        mine = np.concatenate(found) if found else np.zeros(0, _FOUND)
        mine = mine[np.lexsort([mine[name] for name in ("low", "high", "table", "row")])]
        self.further_keys: Counter[int] = Counter()
        if not every and len(mine):
            first, other = (_differs(mine, names) for names in (("row", "table"), ("row", "table", "high", "low")))
            self.further_keys.update(mine["table"][other & ~first].tolist())
            mine = mine[first]
        self._mine, self._images = mine, images

    @property
    def images_with(self) -> dict[int, int]:
        """How many images have a row, by table."""
        return dict(zip(*(each.tolist() for each in np.unique(self._mine["table"], return_counts=True)), strict=True))

    def windows(self, files: Sequence[int] = ()) -> Iterator[tuple[int, int, pa.Table | None]]:
        """Yield stretches of images, [start, end), and their rows by image, table and order; None: there are none.

        `files` are numbers of consecutive images that no window mixes.
        """
        mine = self._mine
        borders = np.cumsum(files or [self._images])
        sizes = np.bincount(mine["row"], mine["size"].astype(np.float64) + 100, self._images)
        ends = np.cumsum(sizes)
        start = 0
        while start < self._images:
            before = ends[start - 1] if start else 0
            fitting = int(np.searchsorted(ends, before + keyed_join.CHUNK_BYTES, side="right"))
            border = int(borders[np.searchsorted(borders, start, side="right")])
            end = min(max(fitting, start + 1), border)
            first, last = np.searchsorted(mine["row"], [start, end])
            yield start, end, self._read(mine[first:last])
            start = end

    def _read(self, wanted: np.ndarray) -> pa.Table | None:
        if not len(wanted):
            return None
        parts = []
        for number, batch in enumerate(iter_slices(*self._place)):
            places = np.sort(wanted["place"][wanted["number"] == number])
            if len(places):
                parts.append(batch.take(pa.array(places)))
        stored = np.lexsort([wanted["place"], wanted["number"]])
        back = np.empty(len(stored), np.int64)
        back[stored] = np.arange(len(stored))
        return pa.Table.from_batches(parts).take(pa.array(back)).combine_chunks()


def _differs(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return which rows differ from the one before in some column; the first one does."""
    differs = np.ones(len(rows), bool)
    differs[1:] = np.any([rows[name][1:] != rows[name][:-1] for name in names], axis=0)
    return differs


_FOUND = np.dtype(
    [
        ("row", np.int32), ("table", np.int16), ("high", np.uint64), ("low", np.uint64),
        ("number", np.int64), ("place", np.int64), ("size", np.int32),
    ]
)  # fmt: skip
"""A row that was brought to an image: the halves of its order, the number of its batch, its place there."""
