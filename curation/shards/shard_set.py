"""A folder of shards: written as a whole, numbered without gaps, with a manifest that is written last."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from curation.core import storage
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.progress import account, say
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe, differences
from curation.core.tables import MANIFEST, SETTINGS_HASH, Table, settings_hash, sweep
from curation.shards.dropped import EXAMPLES_KEY
from curation.shards.energon import MAX_SQLITE_SAMPLES, has_energon, has_sqlite, write_energon, write_sqlite
from curation.shards.indexes import index_paths
from curation.shards.origin import Origin
from curation.shards.public_places import with_places_of, without_folders
from curation.shards.readme import shard_readme
from curation.shards.sample_json import NEWEST, version_of

STAGE = "write_shards"
SIZES = "sizes.json"
README, CROISSANT = "README.md", "croissant.json"
REMOVALS = "removals.txt"
NOTE_PREFIX = ".removed-"
_SHARD = re.compile(r"\d{5,}\.(tar|parquet|idx|tar\.idx)")


class ShardSet(Table):
    """A table of one part whose files are in the table's folder itself, where trainers look for `{00000..00099}.tar`.

    Intermediate files are in a hidden work folder named after the recipe. A stopped run that is started again finds
    the receipts of its finished shards there.
    """

    def part_path(self, index: int) -> str:  # noqa: ARG002
        """Return the folder of shards."""
        return self.path

    def parts(self) -> list[Part]:
        """Return the set, if it is complete."""
        try:
            return [Part.read(self.path)]
        except FileNotFoundError:
            return []

    def written(self, recipe: Recipe) -> tuple[dict[str, Any], list[dict]]:
        """Return settings and inputs without folders of this machine: the manifest is published with the shards."""
        settings, inputs = super().written(recipe)
        return without_folders(settings), without_folders(inputs)

    def refuse_to_replace(self, recipe: Recipe, origin: Origin, before: Origin | None) -> None:
        """Raise HeadtailError if the set is complete and another set than the recipe and the origin would give.

        `before` is the origin of the complete set. A set may grow: by further pairs, and by further downloads.
        """
        for part in self.parts():
            changes = changes_of(part.manifest, recipe)
            lists, *downloads = [entry["id"] for entry in part.inputs()]
            now = [entry["id"] for entry in recipe.inputs]
            if before:
                changes += before.changes(origin)
            elif now and lists != now[0]:
                changes.append("an older version of headtail made it from other lists, and did not keep their settings")
            if now and set(downloads) - set(now[1:]):
                changes.append("images were fetched again since")
            if changes:
                raise HeadtailError(
                    f"{describe_set(part)}, and this call would replace them by others ({'; '.join(changes)}): "
                    "set overwrite=true to replace them, or another path for shards"
                )

    def refuse_to_empty(self, selection: Receipt, work: str) -> None:
        """Raise HeadtailError if the set is complete and has samples, but the new selection has none; delete `work`."""
        for part in self.parts():
            if part.receipt.rows_out and not selection.rows_out:
                storage.remove(work)
                raise HeadtailError(
                    f"{describe_set(part)}, and they stay, for this call would replace them by none "
                    f"({account(selection)}): check filter, filters and removals; allow_empty=true accepts an empty set"
                )

    def json_version(self, asked: int | None, recipes: Mapping[int, Recipe], overwrite: bool) -> int:
        """Return the version of the samples' json: `asked`, else the one by which the set was begun, else the newest.

        `recipes` are those of the call by version. With `overwrite`, the newest holds if the complete set differs from
        the call by more than its version: the version alone is no reason to write a set again.
        """
        if asked is not None:
            return asked
        for part in self.parts():
            begun = version_of(part.manifest)
            return NEWEST if overwrite and part.id != recipes[begun].id else begun
        names = storage.list_folder(self.path)
        return next((version for version, recipe in recipes.items() if _work_name(recipe) in names), NEWEST)

    def work_folder(self, recipe: Recipe) -> str:
        """Return the work folder of a recipe; those of other recipes are deleted."""
        mine = _work_name(recipe)
        for name in storage.list_folder(self.path):
            if name.startswith(".work-") and name != mine:
                storage.remove(storage.join(self.path, name))
        return storage.join(self.path, mine)

    def retract(self) -> None:
        """Delete the manifest, sizes.json and croissant.json: the tars are no set until `publish`."""
        storage.remove(storage.join(self.path, MANIFEST))
        storage.remove(storage.join(self.path, SIZES))
        storage.remove(storage.join(self.path, CROISSANT))

    def publish(
        self, recipe: Recipe, work: str, receipts: Sequence[Receipt], selection: Receipt, seconds: float, **facts: Any
    ) -> Part:
        """Write sizes.json and the manifest, and delete the shards of earlier sets that are not in this one.

        The manifest counts the whole stage: rows in and drops of `selection`, rows out of the shards' receipts, which
        must equal the rows out of the selection. `facts` go into the manifest.
        """
        written = {name for receipt in receipts for output in receipt.outputs for name in _names(output)}
        for name in storage.list_folder(self.path):
            if name not in written and _SHARD.fullmatch(name):
                storage.remove(storage.join(self.path, name))
        outputs = [output for receipt in receipts for output in receipt.outputs]
        self._write_sizes(outputs)
        rows = sum(output["rows"] for output in outputs)
        total = Receipt(STAGE, selection.rows_in, rows, selection.drops, outputs=outputs)
        for receipt in receipts:
            total.facts.update(receipt.facts)
        part = self.commit(0, recipe, [total], seconds, **facts)
        storage.write_bytes(storage.join(self.path, README), shard_readme(part).encode())
        write_energon(part, splits=True)
        storage.remove(work)
        return part

    def removal_lists(self) -> list[str]:
        """Return the lists of samples that were removed from this set: they must not come back.

        The notes of a stopped run of remove_samples count as well.
        """
        names = [name for name in storage.list_folder(self.path) if name == REMOVALS or name.startswith(NOTE_PREFIX)]
        return [storage.join(self.path, name) for name in names]

    def amend(self, receipts: Sequence[Receipt]) -> Part:
        """Update sizes.json, the manifest and the list of removals after shards were written again.

        The card and croissant.json told of the shards before: the README is a plain one again. The examples of dropped
        images go: they may be the removed ones at other addresses.
        """
        (part,) = self.parts()
        storage.remove(storage.join(self.path, CROISSANT))
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
        manifest.pop(EXAMPLES_KEY, None)
        self._gather_notes()
        self._write_sizes(manifest["files"])
        storage.write_json(storage.join(self.path, MANIFEST), manifest)
        sweep(self.path)
        part = Part(self.path, manifest)
        storage.write_bytes(storage.join(self.path, README), shard_readme(part).encode())
        searchable = has_sqlite(self.path)
        if has_energon(self.path):
            write_energon(part, splits=False)
        if searchable:
            write_sqlite(part)
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


def _work_name(recipe: Recipe) -> str:
    return f".work-{recipe.id}"


def changes_of(manifest: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """Return a text for each difference between the recipe of a complete set and another one, inputs left aside.

    Files that are the same but for their folders are a difference of their own: the manifest has no folders.
    """
    settings = with_places_of(recipe.settings, manifest["settings"])
    changes = differences({**manifest, "settings": settings}, vars(recipe))
    hashed = manifest.get(SETTINGS_HASH)
    if not changes and hashed and hashed != settings_hash(recipe.settings):
        changes.append("files in its settings lie elsewhere")
    return changes


def describe_set(part: Part) -> str:
    """Return what a complete set is: its folder, samples, shards and date."""
    samples, shards = part.receipt.rows_out, len(part.files)
    written = _date(storage.join(part.path, MANIFEST))
    return f"{part.path} holds {counted(samples, 'samples')} in {counted(shards, 'shards')}{written}"


def _date(path: str) -> str:
    fs, inner = storage.filesystem(path)
    with suppress(NotImplementedError):  # some stores keep no time
        return f", written {fs.modified(inner):%Y-%m-%d}"
    return ""


def note_name(tar: str) -> str:
    """Return the name of the file that lists the samples removed from a shard."""
    return f"{NOTE_PREFIX}{tar}.txt"


def read_lines(path: str) -> list[str]:
    """Return the lines of a list of removed samples."""
    with storage.open_input(path) as file:
        return file.read().decode().split()


def write_lines(path: str, lines: list[str]) -> None:
    """Write a list of removed samples, each line once."""
    storage.write_bytes(path, "".join(f"{line}\n" for line in sorted(set(lines))).encode())


def _names(output: dict) -> tuple[str, ...]:
    return output["tar"], output["path"].rsplit("/", 1)[-1], *index_paths(output["tar"])


def make_searchable(part: Part) -> None:
    """Write index.sqlite beside a complete set, unless it is there; a line says why where it cannot be written."""
    if has_sqlite(part.path):
        return
    if part.receipt.rows_out > MAX_SQLITE_SAMPLES:
        say(STAGE, f"writes no index.sqlite: the set has more than {MAX_SQLITE_SAMPLES:,} samples")
    elif not has_energon(part.path):
        say(STAGE, "writes no index.sqlite: the set has no sample, or an older version wrote shards of it")
    else:
        write_sqlite(part)
