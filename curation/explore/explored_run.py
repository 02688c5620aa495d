"""The tables of a run by their addresses: a uid leads to its row in each table, a language to its entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.targets import EntryTargets, targets_of
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import CURATED, DOWNLOAD_STATUS, ENTRIES, MATCHES, SAMPLES, THRESHOLDS
from curation.core.table_reader import open_table_file, read_rows
from curation.core.tables import Table
from curation.explore.language_entries import LanguageEntries
from curation.images.downloads import RANGES, Downloads
from curation.images.ranges import Ranges, list_name
from curation.matching.buckets import bucket_path, buckets_of
from curation.shards.shard_set import ShardSet

KEPT_LANGUAGES = 4
"""Languages whose entries stay in memory: 500,000 entries take about 40 MB."""
SUCCESS = "success"


@dataclass(frozen=True)
class Sample:
    """A sample of the shards: its row in the side-car, the tar, and its place among the samples of the tar."""

    row: dict[str, Any]
    tar: str
    place: int


@dataclass(frozen=True)
class ImageState:
    """Where an image is in the tables of a run; None where it is not, or where the run has no such table.

    `matched` and `curated` are rows of these tables, `download` is the last status of the image.
    """

    uid: str
    matched: dict[str, Any] | None
    curated: dict[str, Any] | None
    download: dict[str, Any] | None
    sample: Sample | None


class ExploredRun:
    """The tables in the folder of a run. They are read, and never written."""

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/") or path
        self.matches = self._table("matches", MATCHES)
        self.curated = self._table("curated", CURATED)
        self.entries = self._table("entries", ENTRIES)
        self.downloads = Downloads(storage.join(self.path, "downloads"))
        self.shard_set = ShardSet(storage.join(self.path, "shards")).parts()
        self.shards = files_of(self.shard_set)
        self._entries_of = lru_cache(KEPT_LANGUAGES)(self._read_entries)
        if not (self.matches or self.curated):
            raise HeadtailError(f"{path} has neither matches nor curated images: expected the folder of a run")

    def _table(self, name: str, schema: pa.Schema) -> list[Part]:
        return Table(storage.join(self.path, name), schema).parts()

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each language."""
        files = [file for part in self._table("thresholds", THRESHOLDS) for file in part.files]
        rows = [row for file in files for row in read_rows(file, THRESHOLDS, ["lang", "t"]).to_pylist()]
        return {row["lang"]: row["t"] for row in rows}

    @cached_property
    def targets(self) -> EntryTargets | None:
        """The targets of entries, in the counts of the thresholds; None if the balance had none."""
        return next((targets_of(part) for part in self._table("thresholds", THRESHOLDS)), None)

    @cached_property
    def languages(self) -> list[str]:
        """The languages that have entries, sorted."""
        found: set[str] = set(self.thresholds)
        for path in files_of(self.entries):
            with open_table_file(path, ENTRIES, further=None) as file:
                for group in range(file.num_row_groups):
                    found.update(pc.unique(file.read_row_group(group, columns=["lang"])["lang"]).to_pylist())
        return sorted(found)

    def entries_of(self, lang: str) -> LanguageEntries:
        """Return the entries of a language; none for a language without."""
        return self._entries_of(lang)

    def _read_entries(self, lang: str) -> LanguageEntries:
        return LanguageEntries.read(files_of(self.entries), lang, self.thresholds.get(lang), self.targets)

    @cached_property
    def sample_columns(self) -> list[str]:
        """The columns of the side-cars beyond those of every side-car, such as scores."""
        if not self.shards:
            return []
        with open_table_file(self.shards[0], SAMPLES, further=None) as file:
            schema = file.schema_arrow
        further = [field for field in schema if field.name not in SAMPLES.names]
        return [field.name for field in further if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]

    def image(self, uid: str) -> ImageState:
        """Return where an image is."""
        return ImageState(
            uid, _bucketed(self.matches, MATCHES, uid), _bucketed(self.curated, CURATED, uid), self.status(uid),
            self.sample(uid),
        )  # fmt: skip

    @cached_property
    def _ranges(self) -> Ranges | None:
        path = storage.join(self.downloads.path, RANGES)
        if not storage.exists(path):
            return None
        plan = storage.read_json(path)
        return Ranges(plan["count"], plan["seed"])

    @cached_property
    def _generations(self) -> list[Part]:
        return self.downloads.parts()

    @property
    def status_files(self) -> list[str]:
        """The files of the table of downloads, generation by generation."""
        return files_of(self._generations)

    def status(self, uid: str) -> dict[str, Any] | None:
        """Return the last status of an image that a download has attempted."""
        if self._ranges is None:
            return None
        order = self._ranges.order(pa.array([uid]))
        for part in reversed(self._generations):
            number = Ranges(part.manifest["ranges"], self._ranges.seed).of(order)[0]
            path = storage.join(part.path, list_name(number))
            rows = _rows_of(path, DOWNLOAD_STATUS, uid) if path in part.files else []
            if rows:
                return rows[0]
        return None

    @cached_property
    def _first_orders(self) -> np.ndarray:
        """The place in the final order of the first sample of each shard."""
        uids = []
        for path in self.shards:
            with open_table_file(path, SAMPLES, further=None) as file:
                first = next(file.iter_batches(1, columns=["uid"]), None)
            uids.append(first["uid"][0].as_py() if first else "")
        orders = self._ranges.order(pa.array(uids, pa.string())) if self._ranges else np.zeros(0, np.uint64)
        return np.fromiter(accumulate(orders.tolist(), max), np.uint64, len(orders))

    def sample(self, uid: str) -> Sample | None:
        """Return the sample of an image in the shards; None too where the run has no plan of downloads."""
        if self._ranges is None or not self.shards:
            return None
        order = self._ranges.order(pa.array([uid]))
        number = int(np.searchsorted(self._first_orders, order, "right")[0]) - 1
        if number < 0:
            return None
        path = self.shards[number]
        uids = read_rows(path, SAMPLES, ["uid"], further=None)["uid"]
        place = pc.index(uids, uid).as_py()
        if place < 0:
            return None
        row = read_rows(path, SAMPLES, further=None).slice(place, 1).to_pylist()[0]
        return Sample(row, f"{path.removesuffix('.parquet')}.tar", place)


def files_of(parts: Sequence[Part]) -> list[str]:
    """Return the files of the parts of a table."""
    return [file for part in parts for file in part.files]


def _bucketed(parts: Sequence[Part], schema: pa.Schema, uid: str) -> dict[str, Any] | None:
    """Return the row of a uid in a table of buckets."""
    for part in parts:
        bucket = int(buckets_of(pa.array([uid]), max(len(part.files), 1))[0])  # each bucket has a file
        path = bucket_path(part.path, bucket)
        if path in part.files and (rows := _rows_of(path, schema, uid)):
            return rows[0]
    return None


def _rows_of(path: str, schema: pa.Schema, uid: str) -> list[dict[str, Any]]:
    """Return the rows of a uid in one file; row groups that cannot hold it are not read."""
    with open_table_file(path, schema) as file:
        column = schema.names.index("uid")
        for group in range(file.num_row_groups):
            statistics = file.metadata.row_group(group).column(column).statistics
            if statistics and statistics.has_min_max and not statistics.min <= uid <= statistics.max:
                continue
            places = np.flatnonzero(pc.equal(file.read_row_group(group, columns=["uid"])["uid"], uid).to_numpy())
            if len(places):
                return file.read_row_group(group).take(pa.array(places)).to_pylist()
    return []
