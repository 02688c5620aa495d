"""The steps between downloads and shards, as lists of tasks."""

from curation.core import storage
from curation.images.ranges import Ranges


class Selecting:
    """The tasks of the steps of selecting, which hand files on in a work folder."""

    def __init__(self, ranges: Ranges, lists: str, work: str, status: dict[str, list[str]]) -> None:
        self._ranges, self._lists, self.work, self._status = ranges, lists, work, status

    def folder(self, name: str) -> str:
        """Return the folder of a step's files."""
        return storage.join(self.work, name)

    def select(self) -> list[dict]:
        """Tasks of `select_images`."""
        folders = {"lists": self._lists, "candidates": self.folder("candidates")}
        return [{"group": group, "status": self._status_of(group), **folders} for group in range(self._ranges.groups)]

    def hash(self) -> list[dict]:
        """Tasks of `hash_images`."""
        return [{"status": path} for paths in self._status.values() for path in paths]

    def key(self, filtered: bool) -> list[dict]:
        """Tasks of `key_images`."""
        return [
            {
                "group": group,
                "status": self._status_of(group),
                "candidates": self.folder("candidates"),
                "chosen": self.folder("chosen"),
                "passed": storage.join(self.folder("passed"), f"{group:05d}.parquet") if filtered else None,
                "keys": storage.join(self.folder("keys"), f"{group:05d}.arrow"),
            }
            for group in range(self._ranges.groups)
        ]

    def find(self) -> list[dict]:
        """Tasks of `find_duplicates`."""
        return [
            {
                "receiver": receiver,
                "keys": self.folder("keys"),
                "losers": storage.join(self.folder("losers"), f"{receiver:05d}.arrow"),
            }
            for receiver in range(self._ranges.groups)
        ]

    def drop(self) -> list[dict]:
        """Tasks of `drop_duplicates`."""
        folders = {name: self.folder(name) for name in ("chosen", "losers", "survivors")}
        return [{"group": group, **folders} for group in range(self._ranges.groups)]

    def weigh(self) -> list[dict]:
        """Tasks of `weigh_images`."""
        return [
            {
                "group": group,
                "survivors": self.folder("survivors"),
                "lists": self._lists,
                "weights": storage.join(self.folder("weights"), f"{group:05d}.parquet"),
            }
            for group in range(self._ranges.groups)
        ]

    def draw(self) -> list[dict]:
        """Tasks of `draw_images`."""
        folders = {name: self.folder(name) for name in ("survivors", "balanced", "drawn")} | {"lists": self._lists}
        return [{"group": group, **folders} for group in range(self._ranges.groups)]

    def _status_of(self, group: int) -> dict[str, list[str]]:
        return {str(number): self._status.get(str(number), []) for number in self._ranges.in_group(group)}
