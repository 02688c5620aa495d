"""The table of clusters: a part for each set of inputs, and beside the parts the centres that all of them have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.clusters.assign import AssignTask
from curation.clusters.hierarchy import read_hierarchy
from curation.clusters.sources import Source
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe, added
from curation.core.tables import MANIFEST, Table, refuse_other_stage

STAGE = "cluster_images"
LOGIC_VERSION = 1
CENTRES_ID = "centres"
"""Key in the manifest of a part: the id of its centres."""
WORK = ".work"
MADE_BY = "recipe"
"""Key in hierarchy.json: the id of the recipe that looked for the centres."""


@dataclass(frozen=True)
class ClusterSettings:
    """How centres are looked for: numbers of clusters, rows of the sample, rounds, balance, seed.

    `vectors` is the column of given embeddings; `entries` is set where entries give the vectors: the hash of their
    lists and the id of their counts. `centres` is the id of given centres, and then all but `entries` is 0.
    """

    fine: int
    coarse: int
    sample_images: int
    rounds: int
    balanced: bool
    seed: int
    vectors: str = ""
    entries: tuple[str, ...] = ()
    centres: str = added("", default="")


class ClustersTable(Table):
    """A table of clusters. A file is finished if its receipt exists; a stopped run goes on with the same recipe."""

    adds = False

    def begin_or_resume(self, index: int, recipe: Recipe) -> str:
        """Return the folder of a part as other tables do; the work folder of a stopped run is deleted."""
        storage.remove(self.work())
        return super().begin_or_resume(index, recipe)

    def has_centres_of(self, recipe: Recipe) -> bool:
        """Return whether the centres that lie there are whole, and those that this recipe looked for before."""
        try:
            return read_hierarchy(self.path).facts.get(MADE_BY) == recipe.id
        except HeadtailError:
            return False

    def remove_without_centres(self, recipe: Recipe, check: Callable[[], None]) -> None:
        """Delete all parts if the centres beside them are gone or damaged, or are not those that they were made with.

        `check` is called before, and raises HeadtailError if the parts could not be made again.
        """
        parts = self.parts()
        refuse_other_stage(parts, recipe)
        try:
            self.check_centres(read_hierarchy(self.path).id)
        except HeadtailError:
            if parts:
                check()
            for part in parts:
                storage.remove(storage.join(part.path, MANIFEST))
                storage.remove(part.path)

    def check_centres(self, found: str) -> None:
        """Raise HeadtailError if a finished part has other centres than those with the id `found`."""
        for part in self.parts():
            if (made := part.manifest.get(CENTRES_ID)) != found:
                raise HeadtailError(
                    f"{part.path} was made with the centres {made}, and {self.path} holds {found}: "
                    "set overwrite=true to make the clusters again"
                )

    def work(self, *names: str) -> str:
        """Return a path in the work folder."""
        return storage.join(self.path, WORK, *names)


def plan_assigning(sources: Sequence[Source], folder: str) -> list[AssignTask]:
    """Return a task for each source; its receipt is hidden from readers of the table."""
    return [
        AssignTask(source, storage.join(folder, f"{number:05d}.parquet"), storage.join(folder, f"_{number:05d}.json"))
        for number, source in enumerate(sources)
    ]
