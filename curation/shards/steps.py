"""The steps between downloads and shards, as lists of tasks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.core import storage
from curation.core.choices import Faces
from curation.images.ranges import Ranges, list_name
from curation.shards.duplicates import DropTask, DuplicatesTask, KeyTask
from curation.shards.perceptual_hash import HashTask
from curation.shards.second_balance import DrawTask, WeighTask
from curation.shards.selection import SelectTask

SCORED, BOXES = "scored", "boxes"
"""The folders of scores, for side-cars, and of boxes of faces, by range."""
VECTORS, PIVOTS_OF_GROUPS, PIVOTS = "vectors", "pivots", "pivots.parquet"
"""The folders of embeddings by range and of their pivots by group, and the file of all pivots."""
CHOSEN_FOLDER, UNIQUE, SURVIVORS = "chosen", "unique", "survivors"
"""The folders of the images that stay: before duplicates are sought, and near ones by embedding; after all steps."""
BALANCED = "balanced"
"""The folder of those that stay in the second balance, if there is one."""


@dataclass(frozen=True)
class SelectionSteps:
    """The tasks of each step, which pass files on to the next step in folders below `work`.

    `lists` is the folder of download lists, `status` the status files of each range (its number as text).
    """

    ranges: Ranges
    lists: str
    work: str
    status: Mapping[str, list[str]]

    def folder(self, name: str) -> str:
        """Return the folder of a step's files."""
        return storage.join(self.work, name)

    def file(self, name: str, number: int, ending: str) -> str:
        """Return the path of the file of one group in the folder of a step."""
        return storage.join(self.folder(name), f"{number:05d}.{ending}")

    def select(self) -> list[SelectTask]:
        """Return the tasks of `select_images`."""
        candidates = self.folder("candidates")
        return [SelectTask(group, self.lists, self._status_of(group), candidates) for group in self._groups]

    def hash(self, versions: Sequence[int]) -> list[HashTask]:
        """Return the tasks of `hash_images` for each version of the hash."""
        return [HashTask(path, version) for version in versions for paths in self.status.values() for path in paths]

    def key(self, filtered: bool, faces: Faces = Faces.keep, embedded: bool = False) -> list[KeyTask]:
        """Return the tasks of `key_images`; `filtered`: an SQL filter has written the uids that pass.

        Unless `faces` is keep, boxes were written; `embedded`: vectors were, and are compared with those of benchmarks.
        """
        boxes = "" if faces == Faces.keep else self.folder(BOXES)
        return [
            KeyTask(
                group,
                self._status_of(group),
                self.folder("candidates"),
                self.file("passed", group, "parquet") if filtered else None,
                self.folder(CHOSEN_FOLDER),
                self.file("keys", group, "arrow"),
                self.file("hits", group, "parquet"),
                boxes,
                faces,
                self.folder(VECTORS) if embedded else "",
            )
            for group in self._groups
        ]

    def find(self) -> list[DuplicatesTask]:
        """Return the tasks of `find_duplicates`."""
        keys = self.folder("keys")
        return [DuplicatesTask(group, keys, self.file("dropped", group, "arrow")) for group in self._groups]

    def drop(self, to: str = SURVIVORS) -> list[DropTask]:
        """Return the tasks of `drop_duplicates`; `to` is the folder of the images that stay."""
        chosen, dropped, survivors = map(self.folder, (CHOSEN_FOLDER, "dropped", to))
        return [DropTask(group, chosen, dropped, survivors) for group in self._groups]

    def survivors_of_status(self, name: str = SURVIVORS) -> dict[str, tuple[str, ...]]:
        """Return the files in the folder of a step, that of survivors, that may hold images of each status file."""
        found = defaultdict[str, list[str]](list)
        for number, paths in self.status.items():
            for path in paths:
                found[path].append(storage.join(self.folder(name), list_name(int(number))))
        return {path: tuple(files) for path, files in found.items()}

    def weigh(self) -> list[WeighTask]:
        """Return the tasks of `weigh_images`."""
        survivors = self.folder(SURVIVORS)
        return [
            WeighTask(group, survivors, self.lists, self.file("weights", group, "parquet")) for group in self._groups
        ]

    def draw(self) -> list[DrawTask]:
        """Return the tasks of `draw_images`."""
        survivors, balanced, drawn = map(self.folder, (SURVIVORS, BALANCED, "drawn"))
        return [DrawTask(group, survivors, self.lists, balanced, drawn) for group in self._groups]

    @property
    def _groups(self) -> range:
        return range(self.ranges.groups)

    def _status_of(self, group: int) -> dict[str, list[str]]:
        return {str(number): self.status.get(str(number), []) for number in self.ranges.in_group(group)}
