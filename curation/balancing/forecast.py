"""Forecasts: the exact expectation of what each threshold of a grid keeps, before anything is drawn or downloaded.

Every text's keep probability is known, so an expectation is a sum and not an estimate; one pass over `matches` serves
the whole grid. The order in which an image's texts are chosen is known too: the choose_text key does not depend on t.
Only the keep draws are uncertain, and the standard deviations are theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from posixpath import basename

import numba
import numpy as np
import pyarrow as pa

from curation.balancing.balance import FIXED, choice_order
from curation.balancing.concepts import BucketConcepts, ConceptDraw
from curation.balancing.counts import BucketsTask, CountFiles
from curation.balancing.matched_batch import MatchedBatch, read_matched
from curation.balancing.targets import Counts, EntryTargets, with_targets
from curation.core.choices import Combine, Unit
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.table_reader import read_rows

ALL = ""
"""All languages together. Their variances cannot be added: an image is kept in one language only."""
SUMS = ("pairs", "pairs_variance", "images", "images_variance")
_PARTIAL = pa.schema(
    [("lang", pa.string()), ("point", pa.int32()), *((name, pa.int64()) for name in SUMS)],
)


@dataclass(frozen=True)
class ForecastGrid:
    """The points of one pass: `ts` of each language, float64, one t for each point of the grid.

    The other fields are those of BalanceSettings.
    """

    unit: Unit
    seed: int
    counts: str
    ts: Mapping[str, np.ndarray]
    max_texts: int
    salt: int = 0
    targets: EntryTargets | None = None
    concepts: ConceptDraw | None = None


class ForecastSums:
    """Expected pairs and images and their variances: by language int64[4, points], in units of 1 / FIXED."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.by_lang: dict[str, np.ndarray] = {}

    def of(self, lang: str) -> np.ndarray:
        """Return a language's sums, for the caller to add to."""
        if lang not in self.by_lang:
            self.by_lang[lang] = np.zeros((len(SUMS), self.points), np.int64)
        return self.by_lang[lang]

    def expectations(self) -> dict[str, "Expectation"]:
        """Return {lang: Expectation}, ALL among them."""
        return {lang: _expectation(values.T.tolist()) for lang, values in sorted(self.by_lang.items())}


def forecast_batch(
    matched: MatchedBatch, grid: ForecastGrid, counts: Counts, sums: ForecastSums, images: np.ndarray | None = None
) -> None:
    """Add a batch's expectations to the sums; `counts` are the effective ones where entries have targets.

    `images`, float64[n], are the probabilities by concepts, if the grid has some (`together` in combined_draw.py).
    """
    probabilities = np.empty((len(matched.codes), sums.points))
    for lang, rows in matched.rows_by_lang():
        found = counts[lang]
        kernel = _grid_with_targets if found.dtype.kind == "f" else _grid_probabilities
        kernel(rows, matched.id_offsets, matched.ids, found, grid.ts[lang], probabilities)
    keep, sure = np.ones(matched.images), np.zeros(matched.images)
    combine = grid.concepts.combine if grid.concepts else None
    if combine and images is not None:
        keep = images if combine == Combine.product else keep
        keep, sure = (1.0 - images, images) if combine == Combine.any else (keep, sure)
        if combine == Combine.min:
            np.minimum(probabilities, images[matched.images_of_texts, None], out=probabilities)
    order = choice_order(matched, grid.seed)
    found = np.zeros((len(matched.langs) + 1, len(SUMS), sums.points), np.int64)
    pair = grid.unit == Unit.pair
    _add_images(matched.starts, order, matched.codes, probabilities, keep, sure, pair, found)
    if pair and combine in (Combine.product, Combine.any):
        _add_shared_pairs(matched.starts, matched.codes, probabilities, keep, sure, found)
    elif pair:
        _add_pairs(matched.codes, probabilities, found)
    else:
        found[:, :2] = found[:, 2:]  # a kept image is one pair
    for lang, values in zip([*matched.langs, ALL], found, strict=True):
        sums.of(lang)[:] += values


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _grid_probabilities(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, ts: np.ndarray, out: np.ndarray
) -> None:
    """Set out[row, point] to the text's keep probability at each t of `ts`, with the bits of `keep_probabilities`.

    The inner loop is written so that the compiler makes vector code of it.
    """
    for row in rows:
        missed = out[row]
        missed[:] = 1.0
        for at in range(id_offsets[row], id_offsets[row + 1]):
            count = float(counts[ids[at]]) if ids[at] < len(counts) else 0.0
            for point in range(len(ts)):
                ratio = ts[point] / count
                missed[point] *= 1.0 - (ratio if count > ts[point] else 1.0)
        for point in range(len(ts)):
            missed[point] = 1.0 - missed[point]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _grid_with_targets(
    rows: np.ndarray, id_offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, ts: np.ndarray, out: np.ndarray
) -> None:
    """Do as `_grid_probabilities` with effective counts."""
    for row in rows:
        missed = out[row]
        missed[:] = 1.0
        for at in range(id_offsets[row], id_offsets[row + 1]):
            count = counts[ids[at]] if ids[at] < len(counts) else 0.0
            own = min(1.0, -count)
            for point in range(len(ts)):
                ratio = ts[point] / count if count > ts[point] else 1.0
                missed[point] *= 1.0 - (ratio if count >= 0.0 else own)
        for point in range(len(ts)):
            missed[point] = 1.0 - missed[point]


@numba.njit(cache=True, nogil=True)
def _add_pairs(codes: np.ndarray, probabilities: np.ndarray, found: np.ndarray) -> None:
    everything = len(found) - 1
    for row in range(len(codes)):
        for point in range(probabilities.shape[1]):
            _add(found, codes[row], everything, 0, point, probabilities[row, point])


@numba.njit(cache=True, nogil=True)
def _add_shared_pairs(
    starts: np.ndarray,
    codes: np.ndarray,
    probabilities: np.ndarray,
    keep: np.ndarray,
    sure: np.ndarray,
    found: np.ndarray,
) -> None:
    """Add the pairs of images whose texts share a draw by concepts, of each language and of all.

    With probability `keep` the texts' own draws count, with `sure` all texts are kept, else none. So the texts of an
    image are not independent: n of them have the mean m = keep s + sure n and the variance
    keep (v + s^2) + sure n^2 - m^2, where s and v are the sums of p and p (1 - p).
    """
    everything = len(found) - 1
    for image in range(len(starts) - 1):
        first, end = starts[image], starts[image + 1]
        for at in range(first, end + 1):  # the languages of the image, then all of them
            whole = at == end
            seen = False
            for before in range(first, end if whole else at):
                seen = seen or (not whole and codes[before] == codes[at])
            if seen:
                continue
            group = everything if whole else codes[at]
            for point in range(probabilities.shape[1]):
                texts, total, variance = 0.0, 0.0, 0.0
                for row in range(first, end):
                    if whole or codes[row] == group:
                        p = probabilities[row, point]
                        texts, total, variance = texts + 1.0, total + p, variance + p * (1.0 - p)
                mean = keep[image] * total + sure[image] * texts
                spread = keep[image] * (variance + total * total) + sure[image] * texts * texts - mean * mean
                found[group, 0, point] += np.int64(np.rint(mean * FIXED))
                found[group, 1, point] += np.int64(np.rint(max(spread, 0.0) * FIXED))


@numba.njit(cache=True, nogil=True)
def _add(found: np.ndarray, lang: int, everything: int, row: int, point: int, p: float) -> None:
    mean, variance = np.int64(np.rint(p * FIXED)), np.int64(np.rint(p * (1.0 - p) * FIXED))
    found[lang, row, point] += mean
    found[lang, row + 1, point] += variance
    found[everything, row, point] += mean
    found[everything, row + 1, point] += variance


@numba.njit(cache=True, nogil=True)
def _add_images(
    starts: np.ndarray,
    order: np.ndarray,
    codes: np.ndarray,
    probabilities: np.ndarray,
    keep: np.ndarray,
    sure: np.ndarray,
    pair: bool,
    found: np.ndarray,
) -> None:
    """Add the images: what their texts keep counts with probability `keep`; with `sure` the first text is kept."""
    everything = len(found) - 1
    points = probabilities.shape[1]
    for image in range(len(starts) - 1):
        first, end = starts[image], starts[image + 1]
        texts = end - first if pair else 1
        if texts == 1:
            row = order[first]
            for point in range(points):
                _add(found, codes[row], everything, 2, point, keep[image] * probabilities[row, point] + sure[image])
            continue
        for point in range(points):
            # For each text, in the order of choice: the probability that the image is kept with this text.
            missed, total = 1.0, 0.0
            for at in range(first, first + texts):
                code = codes[order[at]]
                seen = False
                for before in range(first, at):
                    seen = seen or codes[order[before]] == code
                if not seen:
                    share, missed_here = 0.0, missed
                    for later in range(at, first + texts):
                        p = probabilities[order[later], point]
                        if codes[order[later]] == code:
                            share += missed_here * p
                        missed_here *= 1.0 - p
                    share = keep[image] * share + (sure[image] if at == first else 0.0)
                    found[code, 2, point] += np.int64(np.rint(share * FIXED))
                    found[code, 3, point] += np.int64(np.rint(share * (1.0 - share) * FIXED))
                    total += share
                missed *= 1.0 - probabilities[order[at], point]
            found[everything, 2, point] += np.int64(np.rint(total * FIXED))
            found[everything, 3, point] += np.int64(np.rint(total * (1.0 - total) * FIXED))


def _concepts_of(grid: ForecastGrid, files: Sequence[str]) -> AbstractContextManager[BucketConcepts | None]:
    """Open the concepts of a bucket, None if the grid has none."""
    return grid.concepts.read(basename(files[0])) if grid.concepts else nullcontext()


def forecast_buckets(task: BucketsTask, grid: ForecastGrid) -> Receipt:
    """Add the expectations of some buckets of `matches` and write them; rows of the receipt are images."""
    receipt = Receipt(task.name)
    counts = with_targets(CountFiles(grid.counts), grid.targets)
    sums = ForecastSums(len(next(iter(grid.ts.values()))))
    for files in task.buckets:
        with _concepts_of(grid, files) as concepts:
            for matched in read_matched(files, grid.max_texts, receipt, salt=grid.salt):
                forecast_batch(matched, grid, counts, sums, concepts.together(matched.images) if concepts else None)
    with ParquetSink(task.output, _PARTIAL) as sink:
        for lang, values in sorted(sums.by_lang.items()):
            columns = [[lang] * sums.points, range(sums.points), *values]
            sink.write(pa.record_batch([pa.array(column) for column in columns], names=_PARTIAL.names).cast(_PARTIAL))
    receipt.rows_out = receipt.rows_in - receipt.drops["merged_into_image"]
    return receipt.check()


@dataclass(frozen=True)
class Expectation:
    """Expected pairs and images of a language, or of ALL, at each point, with standard deviations: float64 arrays."""

    pairs: np.ndarray
    pairs_deviation: np.ndarray
    images: np.ndarray
    images_deviation: np.ndarray


def add_forecasts(paths: Iterable[str]) -> dict[str, Expectation]:
    """Return {lang: Expectation}, ALL among them, added over the tasks' files; the order of files does not count."""
    sums: dict[tuple[str, int], list[int]] = {}
    for path in paths:
        for row in read_rows(path, _PARTIAL).to_pylist():
            total = sums.setdefault((row["lang"], row["point"]), [0] * len(SUMS))
            for index, name in enumerate(SUMS):
                total[index] += row[name]
    points = 1 + max((point for _, point in sums), default=-1)
    return {
        lang: _expectation([sums[lang, point] for point in range(points)])
        for lang in sorted({lang for lang, _ in sums})
    }


def _expectation(points: Sequence[Sequence[int]]) -> Expectation:
    pairs, pairs_variance, images, images_variance = np.array([[n / FIXED for n in row] for row in points]).T
    return Expectation(pairs, np.sqrt(pairs_variance), images, np.sqrt(images_variance))
