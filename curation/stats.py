"""Statistics of a run as counts that add up, computed by tasks in one pass over each table.

A state is a handful of counters; the state of two parts is the sum of their states, so that any grouping of files into
tasks gives the same report. Tasks carry their states in the facts of their receipts, which Spark counts once. Shares,
bins and curves are made at the end, from sums.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import storage
from curation.counts import CountArrays, write_partial
from curation.draws import draw
from curation.images import read_status
from curation.matched import COUNTED_COLUMNS, Matched, read_matched
from curation.receipts import Receipt

ENTRIES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15)
TEXTS_PER_IMAGE = (1, 2, 3, 5, 10, 20)
"""Lower bounds of bins; the last bin has no upper one."""
TOP_ENTRIES = 20
SAMPLES = 24
PIXEL_STEP, ASPECT_STEP, BYTE_STEP = 16, 0.05, 1000
"""Widths of the fine bins that sizes are counted in: pixels, ratio, bytes. `coarse_bins` joins them for display."""
FINE_BINS = 4096
"""Sizes beyond so many fine bins are counted in the last."""
COLUMNS = 24


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

    def add(self, matched: Matched, kept: np.ndarray) -> None:
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


# --- tasks ------------------------------------------------------------------------------------------------------------


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
            matched = Matched(batch)
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


# --- from sums to what is shown ---------------------------------------------------------------------------------------


def named_bins(bounds: Sequence[int], before: Counter[str], after: Counter[str]) -> list[dict[str, Any]]:
    """Return rows {bin, before, after} of the bins up to the last that holds anything.

    >>> named_bins((1, 2, 5), Counter({"2": 3}), Counter())
    [{'bin': '1', 'before': 0, 'after': 0}, {'bin': '2–4', 'before': 3, 'after': 0}]
    """
    rows = []
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        name = f"{low} and more" if high is None else str(low) if high == low + 1 else f"{low}–{high - 1}"
        rows.append({"bin": name, "before": before[str(low)], "after": after[str(low)]})
    while rows and not rows[-1]["before"] + rows[-1]["after"]:
        rows.pop()
    return rows


def coarse_bins(fine: Mapping[str, int], step: float) -> dict[str, Any]:
    """Join fine bins into at most COLUMNS columns of one round width that hold 99% of the values or more.

    Returns {edges, counts (one fewer), beyond: values past the last edge}.
    """
    counts = np.zeros(max(map(int, fine), default=-1) + 1, np.int64)
    for number, count in fine.items():
        counts[int(number)] = count
    if not len(counts):
        return {"edges": [0], "counts": [], "beyond": 0}
    wanted = int(np.searchsorted(np.cumsum(counts), 0.99 * counts.sum())) + 1
    joined = next(width for width in _round_widths() if wanted <= width * COLUMNS)
    columns = -(-wanted // joined)
    shown = np.zeros(columns * joined, np.int64)
    shown[: len(counts)] = counts[: len(shown)]
    edges = [round(index * joined * step, 6) for index in range(columns + 1)]
    return {
        "edges": edges,
        "counts": shown.reshape(columns, joined).sum(axis=1).tolist(),
        "beyond": int(counts[len(shown) :].sum()),
    }


def _round_widths() -> Iterable[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 4 * power, 5 * power)
        power *= 10


def compare_counts(before: np.ndarray, after: np.ndarray, t: float | None) -> dict[str, Any]:
    """Compare a language's entry counts before and after balancing.

    Both are int64 by entry_id, `after` no longer than `before`. Returns sums, the most frequent entry_ids of either,
    with both counts, and the curve of the papers' figure: entries in the order of their counts before, rarest first,
    with both cumulative counts; `threshold` is the number of entries with 0 < count < t.
    """
    after = np.concatenate([after, np.zeros(len(before) - len(after), np.int64)])
    met = np.flatnonzero(before)
    order = met[np.argsort(before[met], kind="stable")]
    sums_before, sums_after = np.cumsum(before[order]), np.cumsum(after[order])
    at = thin(sums_before)
    return {
        "entries_matched": len(order),
        "matches_before": int(before.sum()),
        "matches_after": int(after.sum()),
        "top_before": _top(before, before, after),
        "top_after": _top(after, before, after),
        "curve": {
            "entries": [0, *(at + 1).tolist()],
            "before": [0, *sums_before[at].tolist()],
            "after": [0, *sums_after[at].tolist()],
            "threshold": None if t is None else int(np.searchsorted(before[order], t, side="left")),
        },
    }


def _top(by: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[dict[str, int]]:
    """The entries with the largest counts, the smaller entry_id first on ties."""
    ids = np.lexsort((np.arange(len(by)), -by))[:TOP_ENTRIES]
    return [{"entry_id": i, "before": int(before[i]), "after": int(after[i])} for i in ids.tolist() if by[i]]


def thin(values: np.ndarray, points: int = 160) -> np.ndarray:
    """Indices of at most 2 * `points` of a rising curve's values, close where it is steep, with first and last."""
    if len(values) <= 2 * points:
        return np.arange(len(values))
    by_position = np.linspace(0, len(values) - 1, points).astype(np.int64)
    by_height = np.searchsorted(values, np.linspace(values[0], values[-1], points))
    return np.unique(np.concatenate([by_position, by_height.clip(0, len(values) - 1)]))
