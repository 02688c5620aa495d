"""Cleaning: deletes the files of tables that later tables were made from, and keeps their manifests.

Of downloads only the images go: download_status stays, so the report can still be made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from curation.core import storage
from curation.core.amounts import byte_size, counted
from curation.core.choices import Cleanable
from curation.core.cleaned import mark_cleaned
from curation.core.dropped import dropped_path
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.table_reader import read_schema
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.status import images_path
from curation.shards.clustered import clustered_sets
from curation.shards.shard_set import ShardSet

STAGE = "clean"
LOST = {
    Cleanable.pairs: "matching again, with other entry lists, edges or languages; places of images that are stored in "
    "shards of others; export; examples in another report of what extraction dropped",
    Cleanable.matches: "another t, seed or unit; forecasts; adding a crawl; another report",
    Cleanable.curated: "other download lists; export; another report",
    Cleanable.lists: "shards with other settings, a second balance, removals=; retry_failed",
    Cleanable.downloads: "shards with other settings, a larger t, a second balance, removals= of write_shards: all "
    "images would have to be fetched again. remove_samples still takes samples out of the shards",
}
"""Work that cannot be done any more without the files of a table."""
CONSUMERS = {
    Cleanable.pairs: Cleanable.matches,
    Cleanable.matches: Cleanable.curated,
    Cleanable.curated: Cleanable.lists,
}
"""The table that is made from each table; shards are made from the others."""


@dataclass(frozen=True)
class CleanPlan:
    """The files to delete of one table, with their sizes in bytes by part."""

    name: Cleanable
    files: dict[str, dict[str, int]]
    columns: dict[str, list[str]]

    @classmethod
    def make(cls, name: Cleanable, paths: Mapping[str, str]) -> Self:
        """List the files of a table; `paths` are those of all tables.

        Raises HeadtailError if the table does not exist, or if a part of it is still needed: no finished table was made
        from it, or `shards` holds sets by cluster, where it would be made from it.
        """
        parts = table_of(name, paths).parts()
        if not parts:
            raise HeadtailError(f"{paths[name]} holds no complete table: there is nothing to clean")
        consumer = CONSUMERS.get(name)
        taker = table_of(consumer, paths) if consumer else ShardSet(paths["shards"])
        if not consumer:
            _refuse_clustered(taker.path)
        used = {entry.get("id") for part in taker.parts() for entry in part.inputs()}
        for part in parts:
            made_from = part.outcome() if name is Cleanable.downloads else part.input()
            if made_from["id"] not in used:
                raise HeadtailError(
                    f"{part.path} is still needed: {taker.path} holds no finished table that was made from it. "
                    f"clean deletes nothing that is not used up"
                )
        files, columns = {}, {}
        for part in parts:
            sizes = storage.list_sizes(part.path)
            names = [file.rpartition("/")[2] for file in deletable(name, part)]
            files[part.path] = {file: sizes[file] for file in names if file in sizes}
            columns[part.path] = _columns(part)
        return cls(name, files, columns)

    @property
    def count(self) -> int:
        """The number of files."""
        return sum(len(sizes) for sizes in self.files.values())

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(sum(sizes.values()) for sizes in self.files.values())

    def describe(self) -> str:
        """Return what is deleted, and what it was good for."""
        size = f"{counted(self.count, 'files')}, {byte_size(self.bytes)}"
        return f"{self.name.value}: {size}. No longer possible: {LOST[self.name]}"

    def clean(self) -> None:
        """Delete the files; a part is marked before, so a stopped run can be repeated."""
        for folder, sizes in self.files.items():
            mark_cleaned(folder, STAGE, columns=self.columns[folder])
            storage.remove_files([storage.join(folder, name) for name in sizes])


def table_of(name: Cleanable, paths: Mapping[str, str]) -> Table:
    """Return a table that can be cleaned."""
    return Downloads(paths[name]) if name is Cleanable.downloads else Table(paths[name])


def deletable(name: Cleanable, part: Part) -> list[str]:
    """Return the paths of the files of a part that cleaning deletes, whether they are still there or not."""
    if name is Cleanable.downloads:
        return [images_path(file) for file in part.files]
    return [*part.files, *map(dropped_path, part.files)] if name is Cleanable.pairs else part.files


def _refuse_clustered(shards: str) -> None:
    """Raise HeadtailError if a folder of shards holds sets by cluster: each of them has inputs of its own."""
    if names := clustered_sets(shards):
        raise HeadtailError(
            f"{shards} holds sets by cluster (by=coarse): once write_shards has finished all, name one of them, "
            f"shards={storage.join(shards, names[-1])}"
        )


def _columns(part: Part) -> list[str]:
    if part.cleaned:
        return part.cleaned["columns"]
    return read_schema(part.files[0]).names if part.files else []
