"""Concepts in a balance: the keep probabilities of images by their concepts, bucket by bucket, and what is kept."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from curation.balancing.balance import BalanceSettings, BalanceTask, DrawnBatch
from curation.balancing.combined_draw import ImageDraws, draw_combined, draw_concepts, expected_combined, together
from curation.balancing.concept_join import joined_path
from curation.balancing.counts import CountArrays, CountFiles, write_partial
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.probabilities import keep_probabilities
from curation.balancing.targets import EntryTargets, with_targets
from curation.balancing.weighted_ids import keep_weighted
from curation.core import storage
from curation.core.choices import Combine


@dataclass(frozen=True)
class ConceptDraw:
    """How images are drawn by their concepts: the threshold `t` of each namespace, and `combine`.

    `counts` is the folder of CountFiles by namespace, `joined` that of the joined buckets, `kept` that of the counts of
    kept images to write. `targets` are those of concepts, by namespace, in the same counts.
    """

    t: Mapping[str, float]
    combine: Combine
    counts: str
    joined: str
    kept: str
    targets: EntryTargets | None = None

    @contextmanager
    def open(self, task: BalanceTask, settings: BalanceSettings) -> Iterator["ConceptBucket"]:
        """Open the draw of a bucket; at the end, write how many images with each concept are kept."""
        with self.read(task.name) as concepts:
            bucket = ConceptBucket(concepts, settings)
            yield bucket
        write_partial(storage.join(self.kept, task.name), bucket.kept)

    @contextmanager
    def read(self, bucket: str) -> Iterator["BucketConcepts"]:
        """Open the concepts of a bucket, by the name of its file; the images of all of it are to be asked for."""
        with storage.open_input(joined_path(self.joined, bucket)) as file:
            concepts = BucketConcepts(self, pa.ipc.open_file(file))
            yield concepts
            concepts.close()


class BucketConcepts:
    """The concepts of the images of one bucket, which are asked for in the order of their uids."""

    def __init__(self, draw: ConceptDraw, joined: pa.ipc.RecordBatchFileReader) -> None:
        self.draw, self._joined = draw, joined
        self._counts = with_targets(CountFiles(draw.counts), draw.targets)
        self._next = 0
        self._held = pa.Table.from_batches([], joined.schema)

    def take(self, images: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the concepts of the next images by namespace: offsets int32[n + 1], from 0, and ids int32."""
        while self._held.num_rows < images:
            if self._next == self._joined.num_record_batches:
                raise AssertionError(f"{images - self._held.num_rows} images were not joined with concepts")
            batch = self._joined.get_batch(self._next)
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([batch])])
            self._next += 1
        mine, self._held = self._held.slice(0, images), self._held.slice(images)
        found = {}
        for name in mine.column_names:
            # Most batches are one chunk, which `combine_chunks` would copy.
            lists = mine[name].chunk(0) if mine[name].num_chunks == 1 else mine[name].combine_chunks()
            offsets = lists.offsets.to_numpy()
            found[name] = (offsets - offsets[0], lists.flatten().to_numpy())
        return found

    def probabilities(self, concepts: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the keep probabilities of images by namespace, float64[n]: NaN without a concept."""
        return {
            name: concept_probabilities(*lists, self._counts[name], self.draw.t[name])
            for name, lists in concepts.items()
        }

    def together(self, images: int) -> np.ndarray:
        """Return the probabilities of the next images by all namespaces, float64[n]."""
        return together(self.draw.combine, images, self.probabilities(self.take(images)))

    def close(self) -> None:
        """Raise AssertionError if concepts are left: the images of the join were not those that were asked for."""
        left = self._held.num_rows + sum(
            self._joined.get_batch(number).num_rows for number in range(self._next, self._joined.num_record_batches)
        )
        if left:
            raise AssertionError(f"{left} images were joined with concepts, and not asked for")


class ConceptBucket:
    """Draws the batches of one bucket, which come in the order of their uids."""

    def __init__(self, concepts: BucketConcepts, settings: BalanceSettings) -> None:
        self._concepts, self._settings = concepts, settings
        self._images: ImageDraws | None = None
        self.kept = CountArrays()

    def draw(self, matched: MatchedBatch, probabilities: np.ndarray) -> DrawnBatch:
        """Draw a batch, given the texts' keep probabilities by entries, and count the concepts of the kept images."""
        settings, lists = self._settings, self._concepts.take(matched.images)
        combine, by_name = self._concepts.draw.combine, self._concepts.probabilities(lists)
        self._images = draw_concepts(combine, settings.seed, matched.batch["uid"], by_name)
        drawn = draw_combined(matched, probabilities, self._images, settings.unit, settings.seed)
        kept = drawn.chosen >= 0
        for name, (offsets, ids) in lists.items():
            self.kept.add_ids(name, matched.images, _ids_of(kept, offsets, ids))
        return drawn

    def expect(self, matched: MatchedBatch, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each text's expected pairs and images, of the batch that was drawn last."""
        assert self._images is not None
        return expected_combined(matched, probabilities, self._images, self._settings.unit, self._settings.seed)


def concept_probabilities(offsets: np.ndarray, ids: np.ndarray, counts: np.ndarray, t: float) -> np.ndarray:
    """Return the keep probability of each image by its concepts, float64[n]: NaN without a concept.

    The ids of image i are ids[offsets[i]:offsets[i + 1]]. With weights w (int64, weighted_ids.py) it is
    1 - prod(1 - w t / max(count, t)), and counts are sums of weights.

    >>> concept_probabilities(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([20, 40]), 10.0).tolist()
    [0.625, nan]
    """
    out = np.full(len(offsets) - 1, np.nan)
    if ids.dtype == np.int64:
        keep_weighted(offsets, ids, counts, t, out)
        return out
    keep_probabilities(np.flatnonzero(np.diff(offsets)), offsets, ids, counts, t, out)
    return out


@numba.njit(cache=True, nogil=True)
def _ids_of(images: np.ndarray, offsets: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the ids of some images, `images` bool[n]."""
    out, size = np.empty(len(ids), ids.dtype), 0
    for image in range(len(images)):
        if images[image]:
            for at in range(offsets[image], offsets[image + 1]):
                out[size] = ids[at]
                size += 1
    return out[:size]
