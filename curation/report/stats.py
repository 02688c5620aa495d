"""Counters of the run's rows, filled by Spark tasks in one pass over each table; `summaries` makes bins and curves.

Counters are the facts of receipts (`counters`). Rows that have to be compared across tasks go through a `Spread`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.balance import expected_of_texts, text_probabilities
from curation.balancing.counts import CountArrays, CountFiles, write_partial
from curation.balancing.entry_table import EXPECTED_UNIT
from curation.balancing.matched_batch import COUNTED_COLUMNS, MatchedBatch, read_matched
from curation.balancing.targets import EntryTargets, with_targets
from curation.core.choices import Unit
from curation.core.credentials import cut_path
from curation.core.draws import draw
from curation.core.receipts import Receipt
from curation.core.removal_lists import read_removals
from curation.core.schemas import CURATED, LISTS, SAMPLES, STORED
from curation.core.string_buffers import buffers_of
from curation.core.table_reader import read_batches, read_rows
from curation.images.status import read_status
from curation.report.counters import Stats, count_bins, count_fine, count_values
from curation.report.crawls import NO_LINKS, count_years, open_links
from curation.report.examples import LOOKED_UP, SILENT, Example, first_rows, smallest, to_outputs
from curation.report.hosts import DomainSums
from curation.report.kept_texts import KeptTexts, Wanted
from curation.report.personal import MAX_READ, hold_emails, hold_phones
from curation.report.repeats import spread_hashes
from curation.report.score_stats import count_scores, numeric_scores
from curation.report.spread import Spread, hashes_of
from curation.report.text_kernels import MAX_TOKENS, measure_texts
from curation.shards.selection import ImageFilters, size_faults

ENTRIES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15)
TEXTS_PER_IMAGE = (1, 2, 3, 5, 10, 20)
CHARACTERS = (1, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000)
WORDS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75)
"""Lower bounds of bins; the last bin has no upper bound."""
WORD_COLUMNS = ["texts.list.element.text", "texts.list.element.text_key"]
SHOWN_SAMPLES = 24
SIZES = ("original_width", "original_height")
PIXEL_STEP, ASPECT_STEP, BYTE_STEP = 16, 0.05, 1000
"""Widths of the fine bins of sizes: pixels, ratio, bytes. `summaries.coarse_bins` joins them for display."""


@dataclass
class TextStats(Stats):
    """Matched texts and their images, before or after balancing.

    `texts` is counted by language, `images` by the language of the chosen text (after balancing only),
    `entries_per_text`, `texts_per_image`, `characters` and `words` by the lower bound of their bin, `keys` by text key.
    `marks` has the sums `characters` and `words`, and the texts that are surely (`over_least`) or perhaps (`over_most`)
    longer than CLIP reads (text_kernels.py), and that hold an `email` or a `phone` number.
    """

    texts: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    entries_per_text: Counter[str] = field(default_factory=Counter)
    texts_per_image: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)

    def add(self, matched: MatchedBatch, kept: np.ndarray) -> None:
        """Count the texts of a batch for which `kept` (bool[k], one per text) is true, and their images."""
        entries = np.diff(matched.id_offsets)[kept]
        for code, count in enumerate(np.bincount(matched.codes[kept], minlength=len(matched.langs)).tolist()):
            if count:
                self.texts[matched.langs[code]] += count
        count_bins(self.entries_per_text, entries, ENTRIES_PER_TEXT)
        images = np.bincount(matched.images_of_texts[kept], minlength=matched.images)
        count_bins(self.texts_per_image, images[images > 0], TEXTS_PER_IMAGE)

    def add_words(self, texts: pa.Array, keys: pa.Array) -> None:
        """Count the lengths of texts, their keys, and what they hold."""
        count_values(self.keys, keys)
        characters, words, pieces, filled = measure_texts(*buffers_of(texts))
        count_bins(self.characters, np.maximum(characters, 1), CHARACTERS)
        count_bins(self.words, np.maximum(words, 1), WORDS)
        self.marks.update(
            characters=int(characters.sum()),
            words=int(words.sum()),
            over_least=int((pieces > MAX_TOKENS).sum()),
            over_most=int((filled > MAX_TOKENS).sum()),
            email=int(hold_emails(texts).sum()),
            phone=int(hold_phones(texts).sum()),
        )


@dataclass
class DownloadStats(Stats):
    """Attempted images by their last status.

    `http` counts those with an HTTP answer by status and code (`http_error 404`); `bytes` has the keys `source`, as the
    host sent them, and `stored`, as written; `years` is what `crawls.count_years` counts.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    http: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    years: Counter[str] = field(default_factory=Counter)


@dataclass
class ShardStats(Stats):
    """Samples by language and by file type, their sizes by fine bin, and their scores (`score_stats`)."""

    langs: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    width: Counter[str] = field(default_factory=Counter)
    height: Counter[str] = field(default_factory=Counter)
    aspect: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)

    def add(self, batch: pa.RecordBatch, scores: Sequence[str] = ()) -> None:
        """Count the samples of a batch of a side-car; reads lang, ext, width, height, bytes, and columns of scores."""
        count_values(self.langs, batch["lang"])
        count_values(self.types, batch["ext"])
        width, height = (batch[name].to_numpy().astype(np.float64) for name in ("width", "height"))
        count_fine(self.width, width, PIXEL_STEP)
        count_fine(self.height, height, PIXEL_STEP)
        count_fine(self.aspect, width / np.maximum(height, 1), ASPECT_STEP)
        count_fine(self.bytes, batch["bytes"].to_numpy(), BYTE_STEP)
        count_scores(self.scores, batch, numeric_scores(batch.schema, scores))


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
    """The balance whose kept texts are expected: the folder of its counts, its thresholds, unit, seed and targets."""

    counts: str
    t: Mapping[str, float]
    unit: Unit
    seed: int
    targets: EntryTargets | None = None


def count_matches(
    task: MatchesTask, max_texts: int, salt: int = 0, balanced: Balanced | None = None, repeats: Spread | None = None
) -> Receipt:
    """Count the images and texts of some buckets of `matches`. Rows are images.

    With `balanced`, the texts that it is expected to keep are counted by entry, in units of 1 / EXPECTED_UNIT, and
    written as `counts.write_partial` describes. Through `repeats` go the hashes of the texts, a bucket at a time.
    """
    stats, receipt, expected = TextStats(), Receipt(task.name), CountArrays()
    counts = with_targets(CountFiles(balanced.counts if balanced else ""), balanced.targets if balanced else None)
    # The draw by image chooses a text by its uid and text.
    columns = None if balanced and balanced.unit is Unit.image else [*COUNTED_COLUMNS, *WORD_COLUMNS]
    for number, files in enumerate(task.buckets):
        hashes: list[np.ndarray] = []
        for matched in read_matched(files, max_texts, receipt, columns, salt):
            stats.add(matched, np.ones(len(matched.codes), bool))
            texts = matched.structs.field("text")
            stats.add_words(texts, matched.structs.field("text_key"))
            if repeats:
                hashes.append(hashes_of(texts))
            if balanced:
                probabilities = text_probabilities(matched, counts, balanced.t)
                if balanced.unit is Unit.image:
                    probabilities, _ = expected_of_texts(matched, probabilities, balanced.unit, balanced.seed)
                expected.add_weighted(matched, np.rint(probabilities * EXPECTED_UNIT).astype(np.int64))
        if repeats:
            spread_hashes(repeats, f"{task.name} {number}", hashes)
    if balanced:
        write_partial(task.output, expected)
    return _finish(receipt, stats)


def count_curated(task: CuratedTask, wanted: Wanted | None = None, repeats: Spread | None = None) -> Receipt:
    """Count the images and kept texts of some files of `curated`, and the entries of these texts. Rows are images.

    The entry counts are written as `counts.write_partial` describes. With `wanted`, the receipt's outputs are texts to
    show (`kept_texts`). Through `repeats` go the hashes of the kept texts.
    """
    stats, counts, receipt = TextStats(), CountArrays(), Receipt(task.name)
    shown = KeptTexts(wanted) if wanted else None
    names = ("lang", "entry_ids", "kept", "text", "text_key", "keep_probability")
    columns = ["uid", "lang", *(f"texts.list.element.{name}" for name in names)]
    for number, path in enumerate(task.files):
        hashes: list[np.ndarray] = []
        for batch in read_batches(path, CURATED, columns):
            matched = MatchedBatch(batch)
            is_kept = pc.struct_field(matched.structs, "kept")
            kept = is_kept.to_numpy(zero_copy_only=False)
            stats.add(matched, kept)
            texts = matched.structs.field("text").filter(is_kept)
            stats.add_words(texts, matched.structs.field("text_key").filter(is_kept))
            count_values(stats.images, batch["lang"])
            counts.add_weighted(matched, kept.astype(np.int64))
            receipt.rows_in += batch.num_rows
            if shown:
                shown.add(matched, kept)
            if repeats:
                hashes.append(hashes_of(texts))
        if repeats:
            spread_hashes(repeats, f"{task.name} {number}", hashes)
    write_partial(task.output, counts)
    receipt.outputs = shown.outputs() if shown else []
    return _finish(receipt, stats)


def count_downloads(
    task: DownloadsTask,
    seed: int = 0,
    domains: Spread | None = None,
    repeats: Spread | None = None,
    links: str = "",
    filters: ImageFilters | None = None,
) -> Receipt:
    """Count the images of some ranges by their last status. Rows are attempted images; reasons: not_listed.

    The outputs are examples of failures, and of images that were too small or large for the shards with `filters`.
    Through `domains` go attempts and successes by domain, through `repeats` the hashes of the images that arrived.
    `links` is a file of images whose years are known (`crawls`); "": there is none.
    """
    stats, receipt = DownloadStats(), Receipt(task.name)
    examples, sums = list[Example](), DomainSums()
    followed = open_links(links) if links else NO_LINKS
    columns = ["status", "http_status", "source_bytes", "bytes", "url", "sha256", *SIZES]
    for number, (files, listed) in enumerate(zip(task.ranges, task.lists, strict=True)):
        rows = read_status(files, columns)
        receipt.rows_in += rows.num_rows
        if listed:
            uids = read_rows(listed, LISTS, ["uid"], STORED.names)["uid"].combine_chunks()
            kept = rows.filter(pc.is_in(rows["uid"], uids))
            receipt.drops["not_listed"] += rows.num_rows - kept.num_rows
            rows = kept
        rows = rows.combine_chunks()
        count_values(stats.statuses, rows["status"])
        answered = rows.filter(rows["http_status"].is_valid())
        codes = answered["http_status"].cast(pa.string())
        count_values(stats.http, pc.binary_join_element_wise(answered["status"], codes, " "))
        stats.bytes["source"] += pc.sum(rows["source_bytes"], min_count=0).as_py()
        stats.bytes["stored"] += pc.sum(rows["bytes"], min_count=0).as_py()
        arrived = pc.equal(rows["status"], "success")
        if domains and rows.num_rows:
            has_arrived = arrived.to_numpy().astype(np.int64)
            counted = {"attempted": np.ones(rows.num_rows, np.int64), "arrived": has_arrived}
            sums.add(rows["url"].chunk(0), counted)
        if repeats:
            spread_hashes(repeats, f"{task.name} {number}", _hashes_of_files(rows["sha256"].filter(arrived)))
        if links:
            count_years(stats.years, followed, rows["uid"].combine_chunks(), arrived.to_numpy().astype(bool))
        failed = _failures(rows.filter(pc.invert(arrived)), seed)
        examples += failed
        if filters:
            lost = [one for one in failed if one.reason not in SILENT]
            examples += [replace(one, stage="write_shards", reason="not_downloaded", note=one.reason) for one in lost]
            examples += _faulty_sizes(rows.filter(arrived), filters, seed)
        examples = smallest(examples, LOOKED_UP)
    if domains:
        sums.send(domains, task.name)
    receipt.outputs = to_outputs(examples)
    return _finish(receipt, stats)


def _hashes_of_files(digests: pa.ChunkedArray) -> list[np.ndarray]:
    return [hashes_of(chunk) for chunk in digests.drop_null().chunks]


def _failures(rows: pa.Table, seed: int) -> list[Example]:
    """Return examples of each status among images that did not arrive."""
    if not rows.num_rows:
        return []
    draws = draw(seed, "examples", rows["uid"].combine_chunks())
    statuses = rows["status"].combine_chunks().dictionary_encode()
    codes = statuses.indices.to_numpy()
    found: list[Example] = []
    for code, status in enumerate(statuses.dictionary.to_pylist()):
        for at in first_rows(draws, np.flatnonzero(codes == code)):
            uid, url, http = (rows[name][at].as_py() for name in ("uid", "url", "http_status"))
            note = "" if http is None else f"HTTP {http}"
            found.append(
                Example("download_images", status, float(draws[at]), uid, url=cut_path(url)[:MAX_READ], note=note)
            )
    return found


def _faulty_sizes(rows: pa.Table, filters: ImageFilters, seed: int) -> list[Example]:
    """Return examples of the images whose sizes kept them out of the shards, each for its first reason."""
    draws = draw(seed, "examples", rows["uid"].combine_chunks())
    found: list[Example] = []
    for reason, mask in size_faults(rows, filters).items():
        for at in first_rows(draws, np.flatnonzero(mask)):
            uid, url, width, height = (rows[name][at].as_py() for name in ("uid", "url", *SIZES))
            note = f"{width} × {height}"
            found.append(
                Example("write_shards", reason, float(draws[at]), uid, url=cut_path(url)[:MAX_READ], note=note)
            )
    return found


def count_shards(task: ShardsTask, seed: int, removals: tuple[str, ...] = ()) -> Receipt:
    """Count the samples of some shards, and draw those that the report may show. Rows are samples.

    The receipt's outputs are `SampleDraw`s as dicts, at most SHOWN_SAMPLES: those with the smallest draws. None is of
    an image on the lists `removals`, which may be newer than the shards.
    """
    stats, receipt = ShardStats(), Receipt(task.name)
    candidates: list[SampleDraw] = []
    for sidecar in task.sidecars:
        columns = ["uid", "lang", "ext", "width", "height", "bytes", *task.scores, *(["sha256"] if removals else [])]
        for batch in read_batches(sidecar, SAMPLES, columns, further=task.scores):
            stats.add(batch, task.scores)
            receipt.rows_in += batch.num_rows
            draws = draw(seed, "sample", batch["uid"])
            seen = np.arange(batch.num_rows)
            if removals:
                seen = seen[~read_removals(removals).mask({name: batch[name] for name in ("uid", "sha256")})]
            first = seen[np.argsort(draws[seen], kind="stable")[:SHOWN_SAMPLES]]
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
