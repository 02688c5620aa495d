"""A folder of shards: made as a whole, numbered without gaps, described by a manifest written last."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.tables import MANIFEST, Part, Recipe, Table, sweep
from curation.images.ranges import Ranges, list_name
from curation.images.status import images_path
from curation.shard_readme import shard_readme
from curation.shards import Piece, plan_shards, shard_name

STAGE = "write_shards"
SIZES = "sizes.json"
README = "README.md"
REMOVALS = "removals.txt"
NOTE_PREFIX = ".removed-"


class ShardSet(Table):
    """A table of one part that lies in the table's folder itself, where trainers look for `{00000..00099}.tar`.

    What a run needs on its way lies in a hidden work folder named after the recipe: a run that was stopped finds the
    shards it has written there, by their receipts.
    """

    def part_path(self, index: int) -> str:  # noqa: ARG002
        """Return the folder of shards."""
        return self.path

    def parts(self) -> list[Part]:
        """Return the set, if it is complete."""
        try:
            return [Part(self.path, storage.read_json(storage.join(self.path, MANIFEST)))]
        except FileNotFoundError:
            return []

    def work_folder(self, recipe: Recipe) -> str:
        """Return the work folder of a recipe; those of other recipes are deleted."""
        mine = f".work-{recipe.id}"
        for name in storage.list_folder(self.path):
            if name.startswith(".work-") and name != mine:
                storage.remove(storage.join(self.path, name))
        return storage.join(self.path, mine)

    def retract(self) -> None:
        """Take the manifest and sizes.json away: from now on the tars are no set until `publish`."""
        storage.remove(storage.join(self.path, MANIFEST))
        storage.remove(storage.join(self.path, SIZES))

    def publish(
        self, recipe: Recipe, work: str, receipts: Sequence[Receipt], selection: Receipt, seconds: float, **facts: Any
    ) -> Part:
        """Write sizes.json and the manifest, and delete what belongs to no shard of this set.

        The manifest's account is that of the whole stage: `selection` (images of the lists in, with all reasons), and
        the shards' receipts, whose rows must be what the selection let through. `facts` go into the manifest.
        """
        written = {name for receipt in receipts for output in receipt.outputs for name in _names(output)}
        for name in storage.list_folder(self.path):
            if name not in written and name.endswith((".tar", ".parquet")):
                storage.remove(storage.join(self.path, name))
        outputs = [output for receipt in receipts for output in receipt.outputs]
        self._write_sizes(outputs)
        rows = sum(output["rows"] for output in outputs)
        total = Receipt(STAGE, selection.rows_in, rows, selection.drops, outputs=outputs)
        for receipt in receipts:
            total.facts.update(receipt.facts)
        part = self.commit(0, recipe, [total], seconds, **facts)
        storage.write_bytes(storage.join(self.path, README), shard_readme(part).encode())
        storage.remove(work)
        return part

    def removal_lists(self) -> list[str]:
        """Return the lists of samples that were taken out of this set, if there are any: they must not come back.

        A run of remove_samples that was stopped leaves notes, which count as well.
        """
        names = [name for name in storage.list_folder(self.path) if name == REMOVALS or name.startswith(NOTE_PREFIX)]
        return [storage.join(self.path, name) for name in names]

    def amend(self, receipts: Sequence[Receipt]) -> Part:
        """Bring sizes.json, the manifest and the list of removals in line with shards that were written again."""
        (part,) = self.parts()
        manifest = dict(part.manifest)
        changed = {output["tar"]: dict(output) for receipt in receipts for output in receipt.outputs}
        for output in changed.values():
            output["path"] = output["path"].rsplit("/", 1)[-1]
        manifest["files"] = [changed.get(entry["tar"], entry) for entry in manifest["files"]]
        rows = sum(entry["rows"] for entry in manifest["files"])
        drops = Counter(manifest["drops"])
        drops["removed"] += manifest["rows_out"] - rows
        manifest |= {"rows_out": rows, "drops": dict(sorted(drops.items()))}
        manifest["facts"]["tar_bytes"] = sum(entry["tar_bytes"] for entry in manifest["files"])
        self._gather_notes()
        self._write_sizes(manifest["files"])
        storage.write_json(storage.join(self.path, MANIFEST), manifest)
        sweep(self.path)
        part = Part(self.path, manifest)
        storage.write_bytes(storage.join(self.path, README), shard_readme(part).encode())
        return part

    def _gather_notes(self) -> None:
        paths = self.removal_lists()
        listed = storage.join(self.path, REMOVALS)
        write_lines(listed, [line for path in paths for line in read_lines(path)])
        for path in paths:
            if path != listed:
                storage.remove(path)

    def _write_sizes(self, outputs: Sequence[dict]) -> None:
        sizes = {output["tar"]: output["rows"] for output in outputs}
        storage.write_bytes(storage.join(self.path, SIZES), json.dumps(sizes, indent=1).encode() + b"\n")


def note_name(tar: str) -> str:
    """Name of the file that notes what is taken out of a shard."""
    return f"{NOTE_PREFIX}{tar}.txt"


def read_lines(path: str) -> list[str]:
    """Return the lines of a list of removals."""
    with storage.open_input(path) as file:
        return file.read().decode().split()


def write_lines(path: str, lines: list[str]) -> None:
    """Write a list of removals, each once."""
    storage.write_bytes(path, "".join(f"{line}\n" for line in sorted(set(lines))).encode())


def _names(output: dict) -> tuple[str, str]:
    return output["tar"], output["path"].rsplit("/", 1)[-1]


def plan_shard_tasks(
    folder: str,
    work: str,
    lists: str,
    survivors: Receipt,
    status: dict[str, list[str]],
    samples_per_shard: int,
    max_shard_bytes: int,
) -> list[dict]:
    """Return a task for `write_shard` for every shard, in order.

    `survivors` is the summed account of the last step of selecting; `status` the status files of each range. The
    sizes of single images are read only where the bound in bytes can be reached.
    """
    outputs = {output["range"]: output for output in survivors.outputs}
    largest = max((output["largest"] for output in survivors.outputs), default=0)
    bounded = largest * samples_per_shard > max_shard_bytes
    sizes = ((number, _image_bytes(outputs[number], bounded)) for number in sorted(outputs))
    shards = plan_shards(sizes, samples_per_shard, max_shard_bytes)

    def piece_task(piece: Piece) -> dict:
        files = status.get(str(piece.range), [])
        return {
            "survivors": outputs[piece.range]["path"],
            "list": storage.join(lists, list_name(piece.range)),
            "tars": [images_path(path) for path in files],
            "start": piece.start,
            "end": piece.end,
        }

    tasks = []
    for number, pieces in enumerate(shards):
        name = shard_name(number, len(shards))
        tasks.append(
            {
                "tar": storage.join(folder, f"{name}.tar"),
                "sidecar": storage.join(folder, f"{name}.parquet"),
                "receipt": storage.join(work, "shards", f"{name}.json"),
                "pieces": [piece_task(piece) for piece in pieces],
            }
        )
    return tasks


def _image_bytes(output: dict, needed: bool) -> np.ndarray:
    if not needed:
        return np.zeros(output["rows"], np.int64)
    with storage.open_input(output["path"]) as file:
        return pq.read_table(file, columns=["bytes"])["bytes"].to_numpy()


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
