"""Balancing: draw the texts and images of `matches` that are kept, and write them as `curated`.

A text is kept iff u < keep_probability, where u is a keyed hash. u does not depend on t, so a larger t keeps all that a
smaller t keeps. The probability comes from `keep_probabilities` in probabilities.py.
"""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountFiles
from curation.balancing.matched_batch import MatchedBatch, read_matched
from curation.balancing.probabilities import keep_probabilities
from curation.balancing.targets import Counts, EntryTargets, with_targets
from curation.core import storage
from curation.core.beats import watch
from curation.core.choices import Unit
from curation.core.draws import draw
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, CURATED_TEXT, TEXT

LOGIC_VERSION = 2
FIXED = 2**32
"""Expectations are added as int64 multiples of 1 / FIXED, so the order of addition does not change a sum. A task may
hold 2^31 texts."""


@dataclass(frozen=True)
class BalanceSettings:
    """How a bucket is drawn.

    `unit=pair` draws every text on its own; the image's text is the kept text with the smallest choose_text key.
    `unit=image` takes the text with the smallest choose_text key, whatever t is, and draws the image with the
    probability of this text. `counts` is a folder of CountFiles, `t` the first pass's threshold of every language, and
    `max_texts` the number of texts that an image keeps when several tables are merged, chosen with `salt`. `targets`
    are those of entries, in counts of the first pass.
    """

    unit: Unit
    seed: int
    counts: str
    t: Mapping[str, float]
    max_texts: int
    salt: int = 0
    targets: EntryTargets | None = None


@dataclass(frozen=True)
class DrawnBatch:
    """The draw of a batch of n images with k texts.

    `probabilities` float64[k] and `kept` bool[k] are of the texts. `chosen` int64[n] is the row of the image's text, or
    -1 where the image is not kept. `image_probabilities` is float64[n].
    """

    probabilities: np.ndarray
    kept: np.ndarray
    chosen: np.ndarray
    image_probabilities: np.ndarray


def text_probabilities(
    matched: MatchedBatch,
    counts: Counts,
    t: Mapping[str, float],
    unknown: float | None = None,
) -> np.ndarray:
    """Return the keep_probability of every text, float64[k].

    `counts` are the effective ones where entries have targets (`with_targets`).
    A text of a language without t gets the probability `unknown`; raises HeadtailError if that is None.
    """
    out = np.full(matched.texts, np.nan if unknown is None else unknown)
    for lang, rows in matched.rows_by_lang():
        if lang in t:
            keep_probabilities(rows, matched.id_offsets, matched.ids, counts[lang], t[lang], out)
        elif unknown is None:
            raise HeadtailError(f"matches hold texts in {lang}, but entry_counts does not: run count_entries again")
    return out


def draw_batch(matched: MatchedBatch, probabilities: np.ndarray, unit: Unit, seed: int) -> DrawnBatch:
    """Draw a batch, given the texts' keep probabilities."""
    if unit == Unit.pair:
        kept = matched.keep_texts(seed, probabilities)
        chosen, image_probabilities, undecided = _choose(matched.starts, probabilities, kept)
        if len(undecided):
            keys = matched.hash_texts(seed, "choose_text", undecided)
            _decide(undecided, matched.images_of_texts, keys, chosen)
    else:
        # Every image has a text: the first by the key.
        chosen = choice_order(matched, seed)[matched.starts[:-1]]
        image_probabilities = probabilities[chosen]
        image_kept = draw(seed, "keep", matched.batch["uid"]) < image_probabilities
        kept = np.zeros(len(probabilities), bool)
        kept[chosen] = image_kept
        chosen[~image_kept] = -1
    return DrawnBatch(probabilities, kept, chosen, image_probabilities)


def choice_order(matched: MatchedBatch, seed: int, images: np.ndarray | None = None) -> np.ndarray:
    """Return the rows of all texts, image by image, each image's sorted by the choose_text key: int64[k].

    With `images`, bool[n], only the rows of these images are sorted.
    """
    sizes = np.diff(matched.starts)
    rows = np.flatnonzero(np.repeat(sizes > 1 if images is None else images, sizes))
    keys = np.zeros(len(matched.codes), np.uint64)
    keys[rows] = matched.hash_texts(seed, "choose_text", rows)
    return _sort_within_images(matched.starts, keys)


@numba.njit(cache=True, nogil=True)
def _sort_within_images(starts: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Sort each image's rows by key, by insertion: an image has few texts, at most max_texts."""
    order = np.arange(len(keys))
    for image in range(len(starts) - 1):
        for at in range(starts[image] + 1, starts[image + 1]):
            row = order[at]
            place = at
            while place > starts[image] and keys[order[place - 1]] > keys[row]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = row
    return order


@numba.njit(cache=True, nogil=True)
def _choose(
    starts: np.ndarray, probabilities: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a kept text of each image (-1 for none), the images' probabilities, and the undecided rows.

    Undecided are the kept texts of images that have several.
    """
    images = len(starts) - 1
    chosen = np.empty(images, np.int64)
    image_probabilities = np.empty(images)
    undecided, several = np.empty(len(kept), np.int32), 0
    for image in range(images):
        missed, found = 1.0, 0
        chosen[image] = -1
        for row in range(starts[image], starts[image + 1]):
            missed *= 1.0 - probabilities[row]
            if kept[row]:
                # Always written, but counted only if the image has another kept text.
                undecided[several + found] = row
                chosen[image] = row
                found += 1
        image_probabilities[image] = 1.0 - missed
        several += found if found > 1 else 0
    return chosen, image_probabilities, undecided[:several]


@numba.njit(cache=True, nogil=True)
def _decide(rows: np.ndarray, images: np.ndarray, keys: np.ndarray, chosen: np.ndarray) -> None:
    """Set the chosen text of each image to the one of its `rows` with the smallest key; rows come image by image."""
    best = 0
    for k in range(len(rows)):
        image = images[rows[k]]
        if k == 0 or images[rows[best]] != image or keys[k] < keys[best]:
            best = k
            chosen[image] = rows[k]


def expected_of_texts(
    matched: MatchedBatch, probabilities: np.ndarray, unit: Unit, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each text's expected pairs and expected images: float64[k] each.

    The expected images of a text are the probability that its image is kept with this text. They are summed by
    language, so the order of choice is computed only for images with texts of several languages (unit=pair); the other
    images are summed in the order of their rows.
    """
    if unit == Unit.image:
        expected = np.zeros(len(probabilities))
        first = choice_order(matched, seed)[matched.starts[:-1]]
        expected[first] = probabilities[first]
        return expected, expected
    order = matched.rows
    if len(matched.langs) > 1:
        lowest, highest = (end.reduceat(matched.codes, matched.starts[:-1]) for end in (np.minimum, np.maximum))
        order = choice_order(matched, seed, lowest != highest)
    return probabilities, _expected_images(matched.starts, order, probabilities)


@numba.njit(cache=True, nogil=True)
def _expected_images(starts: np.ndarray, order: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    expected = np.empty(len(order))
    for image in range(len(starts) - 1):
        missed = 1.0
        for at in range(starts[image], starts[image + 1]):
            expected[order[at]] = probabilities[order[at]] * missed
            missed *= 1.0 - probabilities[order[at]]
    return expected


def curated_batch(matched: MatchedBatch, drawn: DrawnBatch) -> pa.RecordBatch:
    """Return the rows of `curated` of a batch: its kept images, each with all its texts."""
    images = np.flatnonzero(drawn.chosen >= 0)
    sizes = np.diff(matched.starts)
    rows = np.flatnonzero(np.repeat(drawn.chosen >= 0, sizes))
    offsets = np.concatenate([[0], np.cumsum(sizes[images])])
    taken = matched.structs.take(pa.array(rows))
    texts = pa.StructArray.from_arrays(
        [
            *(taken.field(field.name) for field in TEXT),
            pa.array(drawn.probabilities[rows]),
            pa.array(drawn.kept[rows]),
        ],
        fields=list(CURATED_TEXT),
    )
    chosen = matched.structs.take(pa.array(drawn.chosen[images]))
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts, type=CURATED.field("texts").type)
    columns = [
        matched.batch["uid"].take(pa.array(images)),
        matched.batch["url"].take(pa.array(images)),
        pc.struct_field(chosen, "text"),
        pc.struct_field(chosen, "lang"),
        pa.array(drawn.image_probabilities[images]),
        lists,
    ]
    return pa.record_batch(columns, schema=CURATED)


@dataclass(frozen=True)
class BalanceTask:
    """One bucket of `matches`: its files, of one or more tables, and the bucket of `curated` to write."""

    name: str
    files: tuple[str, ...]
    output: str


def plan_balancing(buckets: Sequence[Sequence[str]], folder: str) -> list[BalanceTask]:
    """Return a task for each bucket; the bucket's file in `curated` has the name of its files in `matches`."""
    names = [posixpath.basename(files[0]) for files in buckets]
    return [
        BalanceTask(name, tuple(files), storage.join(folder, name)) for name, files in zip(names, buckets, strict=True)
    ]


class BucketDraw(Protocol):
    """Draws the batches of a bucket, in their order, given the texts' keep probabilities by entries."""

    def draw(self, matched: MatchedBatch, probabilities: np.ndarray) -> DrawnBatch:
        """Draw a batch."""

    def expect(self, matched: MatchedBatch, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each text's expected pairs and expected images, of the batch that was drawn last."""


@dataclass(frozen=True)
class EntryDraw:
    """Draws by entries alone."""

    settings: BalanceSettings

    def draw(self, matched: MatchedBatch, probabilities: np.ndarray) -> DrawnBatch:
        """Draw a batch."""
        return draw_batch(matched, probabilities, self.settings.unit, self.settings.seed)

    def expect(self, matched: MatchedBatch, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each text's expected pairs and expected images."""
        return expected_of_texts(matched, probabilities, self.settings.unit, self.settings.seed)


@contextmanager
def draw_by_entries(_: BalanceTask, settings: BalanceSettings) -> Iterator[BucketDraw]:
    """Open the draw of a bucket by entries alone; concepts.py has another one."""
    yield EntryDraw(settings)


OpenDraw = Callable[[BalanceTask, BalanceSettings], AbstractContextManager[BucketDraw]]
"""Opens the draw of a bucket."""


def balance_bucket(task: BalanceTask, settings: BalanceSettings, open_draw: OpenDraw = draw_by_entries) -> Receipt:
    """Draw one bucket of `matches` and write its bucket of `curated`.

    Rows of the receipt are images. Its facts are `texts_kept`, the facts of `read_matched`, and the expectations that
    `take_expectations` takes out.
    """
    receipt = Receipt(task.name)
    watch(receipt)
    counts = with_targets(CountFiles(settings.counts), settings.targets)
    with ParquetSink(task.output, CURATED) as sink, open_draw(task, settings) as bucket:
        for matched in read_matched(task.files, settings.max_texts, receipt, salt=settings.salt):
            probabilities = text_probabilities(matched, counts, settings.t)
            drawn = bucket.draw(matched, probabilities)
            sink.write(curated_batch(matched, drawn))
            receipt.facts["texts_kept"] += int(drawn.kept.sum())
            pairs, images = bucket.expect(matched, probabilities)
            _expect(receipt.facts, "expected_pairs", matched, pairs)
            _expect(receipt.facts, "expected_images", matched, images)
    receipt.rows_out = sink.rows
    receipt.drops["not_drawn"] = receipt.rows_in - receipt.drops["merged_into_image"] - receipt.rows_out
    receipt.outputs.append(sink.output())
    return receipt.check()


def _expect(facts: Counter[str], name: str, matched: MatchedBatch, values: np.ndarray) -> None:
    """Add the texts' values to a fact of each language, in fixed point."""
    fixed = np.rint(values * FIXED).astype(np.int64)
    for lang, rows in matched.rows_by_lang():
        facts[f"{name}:{lang}"] += int(fixed[rows].sum())


def take_expectations(receipts: Iterable[Receipt]) -> dict[str, dict[str, float]]:
    """Remove the expectations from the receipts' facts and return their sums.

    They are {expected_pairs: {lang: n}, expected_images: {lang: n}}.
    """
    sums: dict[str, Counter[str]] = {"expected_pairs": Counter(), "expected_images": Counter()}
    for receipt in receipts:
        for key in [key for key in receipt.facts if ":" in key]:
            name, lang = key.split(":")
            sums[name][lang] += receipt.facts.pop(key)
    return {name: {lang: value / FIXED for lang, value in sorted(found.items())} for name, found in sums.items()}
