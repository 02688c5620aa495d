"""Counters of the run's rows, filled by Spark tasks in one pass over each table; `summaries` makes bins and curves.

The counters of two tasks are added, so the report does not depend on how files are grouped into tasks. A task returns
its counters as the facts of its receipt, because Spark returns each receipt exactly once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.balance import expected_of_texts, text_probabilities
from curation.balancing.counts import CountArrays, CountFiles, write_partial
from curation.balancing.entry_table import EXPECTED_UNIT
from curation.balancing.matched_batch import COUNTED_COLUMNS, MatchedBatch, read_matched
from curation.core.choices import Unit
from curation.core.draws import draw
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, LISTS, SAMPLES, STORED
from curation.core.table_reader import read_batches, read_rows
from curation.images.status import read_status

ENTRIES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15)
TEXTS_PER_IMAGE = (1, 2, 3, 5, 10, 20)
"""Lower bounds of bins; the last bin has no upper bound."""
SHOWN_SAMPLES = 24
PIXEL_STEP, ASPECT_STEP, BYTE_STEP = 16, 0.05, 1000
"""Widths of the fine bins of sizes: pixels, ratio, bytes. `summaries.coarse_bins` joins them for display."""
FINE_BINS = 4096
"""The number of the last fine bin, which also counts all larger sizes."""


@dataclass
class Stats:
    """A set of counters that can be added to another set of the same class."""

    def merge(self, other: Self) -> Self:
        """Return the sum of both sets of counters."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def to_facts(self) -> Counter[str]:
        """Return the counters as facts of a receipt, with keys `counter:key`."""
        facts = {f"{each.name}:{key}": n for each in fields(self) for key, n in getattr(self, each.name).items()}
        return Counter(facts)

    @classmethod
    def from_facts(cls, facts: Mapping[str, int]) -> Self:
        """Return the counters in the facts of one receipt or of merged receipts; facts without a colon are ignored."""
        stats = cls()
        for fact, count in facts.items():
            name, colon, key = fact.partition(":")
            if colon:
                getattr(stats, name)[key] += count
        return stats


@dataclass
class TextStats(Stats):
    """Matched texts and their images, before or after balancing.

    `texts` is counted by language, `images` by the language of the chosen text (after balancing only),
    `entries_per_text` and `texts_per_image` by the lower bound of their bin.
    """

    texts: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    entries_per_text: Counter[str] = field(default_factory=Counter)
    texts_per_image: Counter[str] = field(default_factory=Counter)

    def add(self, matched: MatchedBatch, kept: np.ndarray) -> None:
        """Count the texts of a batch for which `kept` (bool[k], one per text) is true, and their images."""
        entries = np.diff(matched.id_offsets)[kept]
        for code, count in enumerate(np.bincount(matched.codes[kept], minlength=len(matched.langs)).tolist()):
            if count:
                self.texts[matched.langs[code]] += count
        _count_bins(self.entries_per_text, entries, ENTRIES_PER_TEXT)
        images = np.bincount(matched.images_of_texts[kept], minlength=matched.images)
        _count_bins(self.texts_per_image, images[images > 0], TEXTS_PER_IMAGE)


@dataclass
class DownloadStats(Stats):
    """Attempted images by their last status.

    `http` counts those with an HTTP answer by status and code (`http_error 404`); `bytes` has the keys `source`, as the
    host sent them, and `stored`, as written.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)


@dataclass
class ShardStats(Stats):
    """Samples by language and by file type, and their sizes by fine bin."""

    langs: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    width: Counter[str] = field(default_factory=Counter)
    height: Counter[str] = field(default_factory=Counter)
    aspect: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the samples of a batch of a side-car; reads lang, ext, width, height and bytes."""
        _count_values(self.langs, batch["lang"])
        _count_values(self.types, batch["ext"])
        width, height = (batch[name].to_numpy().astype(np.float64) for name in ("width", "height"))
        _count_fine(self.width, width, PIXEL_STEP)
        _count_fine(self.height, height, PIXEL_STEP)
        _count_fine(self.aspect, width / np.maximum(height, 1), ASPECT_STEP)
        _count_fine(self.bytes, batch["bytes"].to_numpy(), BYTE_STEP)


def _count_values(counter: Counter[str], values: pa.Array | pa.ChunkedArray) -> None:
    for each in pc.value_counts(values):
        counter[each["values"].as_py()] += each["counts"].as_py()


def _count_bins(counter: Counter[str], values: np.ndarray, bounds: Sequence[int]) -> None:
    bins = np.searchsorted(bounds, values, side="right") - 1
    for bound, count in zip(bounds, np.bincount(bins, minlength=len(bounds)).tolist(), strict=True):
        if count:
            counter[str(bound)] += count


def _count_fine(counter: Counter[str], values: np.ndarray, step: float) -> None:
    bins, counts = np.unique(np.minimum(values // step, FINE_BINS).astype(np.int64), return_counts=True)
    for number, count in zip(bins.tolist(), counts.tolist(), strict=True):
        counter[str(number)] += count


@dataclass(frozen=True)
class MatchesTask:
    """Buckets of `matches` to count, each a list of files; the expected entry counts are written to `output`."""

    name: str
    buckets: list[list[str]]
    output: str = ""


@dataclass(frozen=True)
class CuratedTask:
    """Files of `curated` to count; the entry counts of the kept texts are written to `output`."""

    name: str
    files: list[str]
    output: str


@dataclass(frozen=True)
class DownloadsTask:
    """Ranges of downloads to count, each a list of status files, oldest first.

    `lists` has for each range the download list whose images count; None: all images count.
    """

    name: str
    ranges: list[list[str]]
    lists: list[str | None]


@dataclass(frozen=True)
class ShardsTask:
    """Shards to count, by the paths of their side-cars, which may have columns of scores."""

    name: str
    sidecars: list[str]
    scores: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleDraw:
    """A sample that the report may show: its random draw, its uid and the tar that holds it."""

    draw: int
    uid: str
    tar: str


@dataclass(frozen=True)
class Balanced:
    """The balance whose kept texts are expected: the folder of its counts, its thresholds, unit and seed."""

    counts: str
    t: Mapping[str, float]
    unit: Unit
    seed: int


def count_matches(task: MatchesTask, max_texts: int, salt: int = 0, balanced: Balanced | None = None) -> Receipt:
    """Count the images and texts of some buckets of `matches`. Rows are images.

    With `balanced`, the texts that it is expected to keep are counted by entry, in units of 1 / EXPECTED_UNIT, and
    written as `counts.write_partial` describes.
    """
    stats, receipt, expected = TextStats(), Receipt(task.name), CountArrays()
    counts = CountFiles(balanced.counts if balanced else "")
    # The draw by image chooses a text by its uid and text.
    columns = None if balanced and balanced.unit is Unit.image else COUNTED_COLUMNS
    for files in task.buckets:
        for matched in read_matched(files, max_texts, receipt, columns, salt):
            stats.add(matched, np.ones(len(matched.codes), bool))
            if balanced:
                probabilities = text_probabilities(matched, counts, balanced.t)
                if balanced.unit is Unit.image:
                    probabilities, _ = expected_of_texts(matched, probabilities, balanced.unit, balanced.seed)
                expected.add_weighted(matched, np.rint(probabilities * EXPECTED_UNIT).astype(np.int64))
    if balanced:
        write_partial(task.output, expected)
    return _finish(receipt, stats)


def count_curated(task: CuratedTask) -> Receipt:
    """Count the images and kept texts of some files of `curated`, and the entries of these texts. Rows are images.

    The entry counts are written as `counts.write_partial` describes.
    """
    stats, counts, receipt = TextStats(), CountArrays(), Receipt(task.name)
    columns = ["lang", *(f"texts.list.element.{name}" for name in ("lang", "entry_ids", "kept"))]
    for path in task.files:
        for batch in read_batches(path, CURATED, columns):
            matched = MatchedBatch(batch)
            kept = pc.struct_field(matched.structs, "kept").to_numpy(zero_copy_only=False)
            stats.add(matched, kept)
            _count_values(stats.images, batch["lang"])
            counts.add_weighted(matched, kept.astype(np.int64))
            receipt.rows_in += batch.num_rows
    write_partial(task.output, counts)
    return _finish(receipt, stats)


def count_downloads(task: DownloadsTask) -> Receipt:
    """Count the images of some ranges by their last status. Rows are attempted images; reasons: not_listed."""
    stats, receipt = DownloadStats(), Receipt(task.name)
    for files, listed in zip(task.ranges, task.lists, strict=True):
        rows = read_status(files, ["status", "http_status", "source_bytes", "bytes"])
        receipt.rows_in += rows.num_rows
        if listed:
            uids = read_rows(listed, LISTS, ["uid"], STORED.names)["uid"].combine_chunks()
            kept = rows.filter(pc.is_in(rows["uid"], uids))
            receipt.drops["not_listed"] += rows.num_rows - kept.num_rows
            rows = kept
        _count_values(stats.statuses, rows["status"])
        answered = rows.filter(rows["http_status"].is_valid())
        codes = answered["http_status"].cast(pa.string())
        _count_values(stats.http, pc.binary_join_element_wise(answered["status"], codes, " "))
        stats.bytes["source"] += pc.sum(rows["source_bytes"], min_count=0).as_py()
        stats.bytes["stored"] += pc.sum(rows["bytes"], min_count=0).as_py()
    return _finish(receipt, stats)


def count_shards(task: ShardsTask, seed: int) -> Receipt:
    """Count the samples of some shards, and draw those that the report may show. Rows are samples.

    The receipt's outputs are `SampleDraw`s as dicts, at most SHOWN_SAMPLES: those with the smallest draws.
    """
    stats, receipt = ShardStats(), Receipt(task.name)
    candidates: list[SampleDraw] = []
    for sidecar in task.sidecars:
        columns = ["uid", "lang", "ext", "width", "height", "bytes"]
        for batch in read_batches(sidecar, SAMPLES, columns, further=task.scores):
            stats.add(batch)
            receipt.rows_in += batch.num_rows
            draws = draw(seed, "sample", batch["uid"])
            first = np.argsort(draws, kind="stable")[:SHOWN_SAMPLES]
            uids = batch["uid"].take(pa.array(first)).to_pylist()
            drawn = zip(draws[first].tolist(), uids, strict=True)
            tar = sidecar.removesuffix(".parquet") + ".tar"
            candidates = choose_samples([*candidates, *(SampleDraw(number, uid, tar) for number, uid in drawn)])
    receipt.outputs = [asdict(candidate) for candidate in candidates]
    return _finish(receipt, stats)


def choose_samples(candidates: Iterable[SampleDraw]) -> list[SampleDraw]:
    """Return the SHOWN_SAMPLES candidates with the smallest draws, in the order of their draws."""
    return sorted(candidates, key=lambda candidate: (candidate.draw, candidate.uid))[:SHOWN_SAMPLES]


def _finish(receipt: Receipt, stats: Stats) -> Receipt:
    receipt.rows_out = receipt.rows_in - receipt.drops.total()
    receipt.facts.update(stats.to_facts())
    return receipt.check()
