"""Where vectors come from, one file a task: files of embeddings, or buckets of matched texts."""

from collections.abc import Iterator
from dataclasses import dataclass

from curation.clusters.entry_vectors import (
    EntryVectors,
    EntryWeights,
    MatchedFile,
    count_images,
    read_entry_vectors,
)
from curation.clusters.vector_files import VectorBatch, VectorFile, count_rows, read_vectors
from curation.core.receipts import Receipt


@dataclass(frozen=True)
class Source:
    """A file of vectors, or a bucket whose entries give them: one of the two."""

    file: VectorFile | None = None
    matched: MatchedFile | None = None

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.file.path if self.file else self._matched.path

    def count(self) -> int:
        """Return its rows."""
        return count_rows(self.file.path) if self.file else count_images(self._matched)

    def read(self, weights: EntryWeights | None, receipt: Receipt) -> Iterator[VectorBatch]:
        """Yield its rows that have a uid and a direction; `weights` are those of entries."""
        if self.file:
            return read_vectors(self.file, receipt)
        if weights is None:
            raise ValueError("the entries of a bucket have no weights")
        return read_entry_vectors(self._matched, EntryVectors(weights), receipt)

    @property
    def _matched(self) -> MatchedFile:
        if self.matched is None:
            raise ValueError("a source has no file")
        return self.matched
