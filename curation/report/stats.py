"""Statistics of a run as counts that add up, computed by tasks in one pass over each table.

A state is a handful of counters; the state of two parts is the sum of their states, so that any grouping of files into
tasks gives the same report. Tasks carry their states in the facts of their receipts, which Spark counts once. Shares,
bins and curves are made at the end, from sums (curation/report/summaries.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountArrays, write_partial
from curation.balancing.matched_batch import COUNTED_COLUMNS, MatchedBatch, read_matched
from curation.core import storage
from curation.core.draws import draw
from curation.core.receipts import Receipt
from curation.images.status import read_status

ENTRIES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15)
TEXTS_PER_IMAGE = (1, 2, 3, 5, 10, 20)
"""Lower bounds of bins; the last bin has no upper one."""
SAMPLES = 24
PIXEL_STEP, ASPECT_STEP, BYTE_STEP = 16, 0.05, 1000
"""Widths of the fine bins of sizes: pixels, ratio, bytes. `summaries.coarse_bins` joins them for display."""
FINE_BINS = 4096
"""Sizes beyond so many fine bins are counted in the last."""


@dataclass
class State:
    """Counters that are added."""

    def merge(self, other: Self) -> Self:
        """Return the state of both parts together."""
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def to_facts(self) -> Counter[str]:
        """Return the state as the facts of a receipt: `counter:key`."""
        return Counter({f"{one.name}:{key}": n for one in fields(self) for key, n in getattr(self, one.name).items()})

    @classmethod
    def from_facts(cls, facts: Mapping[str, int]) -> Self:
        """Return the state that facts hold, which may be the sum of many tasks' facts; others are passed over."""
        state = cls()
        for fact, count in facts.items():
            name, colon, key = fact.partition(":")
            if colon:
                getattr(state, name)[key] += count
        return state


@dataclass
class TextStats(State):
    """Matched texts and their images, before balancing or after.

    `texts` by language; `images` by the language of the chosen text, where one is chosen; `entries_per_text` and
    `texts_per_image` by the lower bound of their bin.
    """

    texts: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    entries_per_text: Counter[str] = field(default_factory=Counter)
    texts_per_image: Counter[str] = field(default_factory=Counter)

    def add(self, matched: MatchedBatch, kept: np.ndarray) -> None:
        """Count the images of a batch and their texts, of which bool[k] `kept` says which take part."""
        entries = np.diff(matched.id_offsets)[kept]
        for code, count in enumerate(np.bincount(matched.codes[kept], minlength=len(matched.langs)).tolist()):
            if count:
                self.texts[matched.langs[code]] += count
        _count_bins(self.entries_per_text, entries, ENTRIES_PER_TEXT)
        images = np.bincount(matched.images_of_texts[kept], minlength=matched.images)
        _count_bins(self.texts_per_image, images[images > 0], TEXTS_PER_IMAGE)


@dataclass
class DownloadStats(State):
    """Attempted images by their last status, and with their HTTP status code if there was an answer (`status 404`).

    `bytes`: `source` as sent, `stored` as written.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)


@dataclass
class ShardStats(State):
    """Samples by language and file type; sizes by fine bin."""

    langs: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    width: Counter[str] = field(default_factory=Counter)
    height: Counter[str] = field(default_factory=Counter)
    aspect: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the samples of a side-car's batch: lang, ext, width, height, bytes."""
        _count_values(self.langs, batch["lang"])
        _count_values(self.types, batch["ext"])
        width, height = (batch[name].to_numpy().astype(np.float64) for name in ("width", "height"))
        _count_fine(self.width, width, PIXEL_STEP)
        _count_fine(self.height, height, PIXEL_STEP)
        _count_fine(self.aspect, width / np.maximum(height, 1), ASPECT_STEP)
        _count_fine(self.bytes, batch["bytes"].to_numpy(), BYTE_STEP)


def _count_values(counter: Counter[str], values: pa.Array | pa.ChunkedArray) -> None:
    for one in pc.value_counts(values):
        counter[one["values"].as_py()] += one["counts"].as_py()


def _count_bins(counter: Counter[str], values: np.ndarray, bounds: Sequence[int]) -> None:
    bins = np.searchsorted(bounds, values, side="right") - 1
    for bound, count in zip(bounds, np.bincount(bins, minlength=len(bounds)).tolist(), strict=True):
        if count:
            counter[str(bound)] += count


def _count_fine(counter: Counter[str], values: np.ndarray, step: float) -> None:
    bins, counts = np.unique(np.minimum(values // step, FINE_BINS).astype(np.int64), return_counts=True)
    for number, count in zip(bins.tolist(), counts.tolist(), strict=True):
        counter[str(number)] += count


def match_stats(task: dict, max_texts: int) -> Receipt:
    """Count the images and texts of some buckets of `matches`.

    `task` holds `task` (its name) and `buckets`: the files of each bucket. Rows are images.
    """
    stats, receipt = TextStats(), Receipt(task["task"])
    for files in task["buckets"]:
        for matched in read_matched(files, max_texts, receipt, COUNTED_COLUMNS):
            stats.add(matched, np.ones(len(matched.codes), bool))
    return _finish(receipt, stats)


def curated_stats(task: dict) -> Receipt:
    """Count some files of `curated`, and the entries of its kept texts.

    `task` holds `task` (its name), `files` and `output`, the file for the counts (see `counts.write_partial`).
    """
    stats, counts, receipt = TextStats(), CountArrays(), Receipt(task["task"])
    inner = [f"texts.list.element.{name}" for name in ("lang", "entry_ids", "kept")]
    for path in task["files"]:
        for batch in storage.read_batches(path, ["lang", *inner]):
            matched = MatchedBatch(batch)
            kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
            stats.add(matched, kept)
            _count_values(stats.images, batch["lang"])
            counts.add_weighted(matched, kept.astype(np.int64))
            receipt.rows_in += batch.num_rows
    write_partial(task["output"], counts)
    return _finish(receipt, stats)


def download_stats(task: dict) -> Receipt:
    """Count the last status of the images of some ranges.

    `task` holds `task` (its name) and `ranges`: lists of the status files of a range, oldest first.
    """
    stats, receipt = DownloadStats(), Receipt(task["task"])
    for files in task["ranges"]:
        rows = read_status(files, ["status", "http_status", "source_bytes", "bytes"])
        _count_values(stats.statuses, rows["status"])
        answered = rows.filter(rows["http_status"].is_valid())
        codes = answered["http_status"].cast(pa.string())
        _count_values(stats.http, pc.binary_join_element_wise(answered["status"], codes, " "))
        stats.bytes["source"] += pc.sum(rows["source_bytes"], min_count=0).as_py()
        stats.bytes["stored"] += pc.sum(rows["bytes"], min_count=0).as_py()
        receipt.rows_in += rows.num_rows
    return _finish(receipt, stats)


def shard_stats(task: dict, seed: int) -> Receipt:
    """Count some side-cars, and find the samples with the smallest draws of purpose `sample`.

    `task` holds `task` (its name) and `shards`: {sidecar, tar} paths. The receipt's outputs are the candidates
    {draw, uid, tar}, at most SAMPLES of them.
    """
    stats, receipt = ShardStats(), Receipt(task["task"])
    for shard in task["shards"]:
        for batch in storage.read_batches(shard["sidecar"], ["uid", "lang", "ext", "width", "height", "bytes"]):
            stats.add(batch)
            receipt.rows_in += batch.num_rows
            draws = draw(seed, "sample", batch["uid"])
            first = np.argsort(draws, kind="stable")[:SAMPLES]
            uids = batch["uid"].take(pa.array(first)).to_pylist()
            found = zip(draws[first].tolist(), uids, strict=True)
            receipt.outputs += [{"draw": number, "uid": uid, "tar": shard["tar"]} for number, uid in found]
            receipt.outputs = choose_samples(receipt.outputs)
    return _finish(receipt, stats)


def choose_samples(candidates: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the SAMPLES candidates with the smallest draws; the same ones however candidates were grouped."""
    return sorted(candidates, key=lambda one: (one["draw"], one["uid"]))[:SAMPLES]


def _finish(receipt: Receipt, stats: State) -> Receipt:
    receipt.rows_out = receipt.rows_in - receipt.drops.total()
    receipt.facts.update(stats.to_facts())
    return receipt.check()
