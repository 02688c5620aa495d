"""Tables: folders of parts, a part being Parquet files and a manifest that is written last.

A part without a manifest does not exist for any reader. The manifest's `id` is a hash of what decides the rows (the
stage's logic version, its settings, its inputs), so "is this done?" is a comparison of two ids. docs/tables.md has
the format.
"""

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.fences import WRITER
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, difference
from curation.core.table_reader import check_file

MANIFEST = "_manifest.json"
INPUTS = "_inputs.parquet"
INLINE_INPUTS = 100
"""More inputs than these go to a Parquet file whose hash the manifest holds."""


class Part:
    """A complete part of a table."""

    def __init__(self, path: str, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest

    @property
    def id(self) -> str:
        """The id of the recipe that made it."""
        return self.manifest["id"]

    @property
    def files(self) -> list[str]:
        """Paths of its Parquet files, in order."""
        return [storage.join(self.path, entry["path"]) for entry in self.manifest["files"]]

    @property
    def receipt(self) -> Receipt:
        """The summed account of its tasks."""
        keys = ("rows_in", "rows_out", "drops", "facts", "failures", "seconds")
        values = {key: self.manifest[key] for key in keys}
        return Receipt.from_json(json.dumps({"task": self.path, "outputs": [], **values}))

    def input(self) -> dict[str, str]:
        """What a downstream recipe holds of it."""
        return {"path": self.path, "id": self.id}

    def outcome(self) -> dict[str, str]:
        """What a downstream recipe holds of a part by what came of it, which no recipe foretells."""
        told = json.dumps(self.manifest, sort_keys=True).encode()
        return {"path": self.path, "id": hashlib.sha256(told).hexdigest()[:32]}

    def inputs(self) -> list[dict]:
        """The inputs it was made from."""
        inputs = self.manifest["inputs"]
        if isinstance(inputs, list):
            return inputs
        with storage.open_input(storage.join(self.path, inputs["file"])) as file:
            rows = pq.read_table(file).to_pylist()
        return [{key: value for key, value in row.items() if value is not None} for row in rows]


class Table:
    """A folder of parts whose files hold the columns of `schema`.

    `further` names columns that may stand beside them; None allows any. A table without a schema is not checked.
    """

    def __init__(self, path: str, schema: pa.Schema | None = None, further: Iterable[str] | None = ()) -> None:
        self.path, self.schema, self.further = path.rstrip("/"), schema, further

    def parts(self) -> list[Part]:
        """Return the complete parts, in order."""
        found = []
        for name in storage.list_folder(self.path):
            if name.startswith("part-"):
                path = storage.join(self.path, name)
                try:
                    found.append(Part(path, storage.read_json(storage.join(path, MANIFEST))))
                except FileNotFoundError:
                    continue
                except ValueError as error:
                    raise HeadtailError(
                        f"{path}/{MANIFEST} is damaged ({error}): remove it, to make the part again"
                    ) from error
        return found

    def require(self, stage: str) -> list[Part]:
        """Return the complete parts of a table that `stage` writes.

        Raises HeadtailError if the table has no complete part, or if the first file of a part has other columns than
        the schema: a job can then refuse a table that another program wrote before Spark starts.
        """
        parts = self.parts()
        if not parts:
            raise HeadtailError(f"{self.path} holds no complete table: run {stage} first or set its path")
        if self.schema is not None:
            for part in parts:
                if part.files:
                    check_file(part.files[0], self.schema, self.further)
        return parts

    def files(self) -> list[str]:
        """Return the Parquet files of all complete parts."""
        return [file for part in self.parts() for file in part.files]

    def part_path(self, index: int) -> str:
        """Return the folder of a part by its number."""
        return storage.join(self.path, f"part-{index:05d}")

    def begin(self, index: int) -> str:
        """Return the folder of a part, emptied of what an unfinished or outdated run left: the manifest goes first."""
        path = self.part_path(index)
        storage.remove(storage.join(path, MANIFEST))
        storage.remove(path)
        return path

    def commit(self, index: int, recipe: Recipe, receipts: Sequence[Receipt], seconds: float, **facts: Any) -> Part:
        """Check the receipts' sum, write the manifest, and so make the part exist. `facts` go into the manifest."""
        path = self.part_path(index)
        sweep(path)
        total = merge_receipts(path, receipts)
        files = [{**output, "path": output["path"].removeprefix(f"{path}/")} for output in total.outputs]
        manifest = {
            "id": recipe.id,
            **asdict(recipe),
            "inputs": self._store_inputs(path, recipe.inputs),
            "rows_in": total.rows_in,
            "rows_out": total.rows_out,
            "drops": dict(sorted(total.drops.items())),
            "facts": dict(sorted(total.facts.items())),
            "failures": total.failures,
            **facts,
            "files": sorted(files, key=lambda entry: entry["path"]),
            "seconds": round(seconds, 3),
            "task_seconds": round(total.seconds, 3),
            "versions": versions(),
        }
        storage.write_json(storage.join(path, MANIFEST), manifest)
        return Part(path, manifest)

    @staticmethod
    def _store_inputs(path: str, inputs: list[dict]) -> list[dict] | dict[str, Any]:
        if len(inputs) <= INLINE_INPUTS:
            return inputs
        table = pa.Table.from_pylist(inputs)
        with storage.ParquetSink(storage.join(path, INPUTS), table.schema) as sink:
            for batch in table.to_batches():
                sink.write(batch)
        with storage.open_input(storage.join(path, INPUTS)) as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return {"file": INPUTS, "sha256": digest, "count": len(inputs)}

    def done(self, recipe: Recipe, overwrite: bool | None = None) -> Part | None:
        """Return the only part of a one-part table if it was made by this recipe, else None: it has to be made.

        A cheap stage (`overwrite=None`) runs again by itself when its recipe changed. For the others a part made
        otherwise is finished work: HeadtailError says what differs, unless `overwrite` is true.
        """
        parts = self.parts()
        if parts and parts[0].id == recipe.id:
            return parts[0]
        if parts and overwrite is False:
            raise HeadtailError(
                f"{self.path} is finished, with other settings ({difference(parts[0].manifest, recipe)}): "
                "set overwrite=true to make it again, or another path"
            )
        return None

    def plan_parts(self, recipe: Recipe, per_part: int, overwrite: bool) -> tuple[list[Part], list[tuple[int, Recipe]]]:
        """Split a recipe's inputs into the parts that are there and the parts still to make.

        Inputs already in a complete part are done; the others form new parts of `per_part` inputs, in their order.
        A part that was made with other settings, or from a file that has changed since, raises HeadtailError unless
        `overwrite` is true, which deletes all parts. Returns (finished parts, [(number, recipe of the part)]).
        """
        parts = self.parts()
        if overwrite and any(self._differs(part, recipe) for part in parts):
            for part in parts:
                storage.remove(storage.join(part.path, MANIFEST))
                storage.remove(part.path)
            parts = []
        known: dict[str, dict] = {}
        for part in parts:
            if found := self._differs(part, recipe):
                raise HeadtailError(
                    f"{part.path} is finished, with other settings ({found}): "
                    "set overwrite=true to make it again, or another path"
                )
            known.update({entry["path"]: entry for entry in part.inputs()})
        # An upstream part is known by what it holds, wherever it was moved to.
        done = {entry.get("id", entry["path"]) for entry in known.values()}
        fresh = [entry for entry in recipe.inputs if entry.get("id", entry["path"]) not in done]
        for entry in recipe.inputs:
            if entry.get("id") not in done and known.get(entry["path"], entry) != entry:
                if overwrite:
                    for part in parts:
                        storage.remove(part.path)
                    return self.plan_parts(recipe, per_part, overwrite)
                raise HeadtailError(
                    f"{entry['path']} has changed since {self.path} was made from it: "
                    "set overwrite=true to make the table again"
                )
        taken = {int(part.path[-5:]) for part in parts}
        free = (number for number in count() if number not in taken)
        plans = [
            (next(free), Recipe(recipe.stage, recipe.logic_version, recipe.settings, fresh[i : i + per_part]))
            for i in range(0, len(fresh), per_part)
        ]
        return parts, plans

    @staticmethod
    def _differs(part: Part, recipe: Recipe) -> str:
        same = (part.manifest["stage"], part.manifest["logic_version"], part.manifest["settings"]) == (
            recipe.stage,
            recipe.logic_version,
            recipe.settings,
        )
        return "" if same else difference(part.manifest, recipe)


def sweep(folder: str) -> None:
    """Delete what killed tasks had begun to write in a folder."""
    for name in storage.list_folder(folder):
        if name.startswith(".") and name.endswith((storage.TEMPORARY, WRITER)):
            storage.remove(storage.join(folder, name))


def versions() -> dict[str, str]:
    """Return the versions of what made a part, for the record only."""
    # A cluster's pyspark is no installed distribution.
    spark = sys.modules.get("pyspark")
    found = {name: version(name) for name in ("headtail", "pyarrow", "numpy")}
    return {"python": platform.python_version(), **found, "pyspark": spark.__version__ if spark else "none"}


def sum_receipts(parts: Iterable[Part]) -> Receipt:
    """Return the account of several parts together."""
    return merge_receipts("all parts", [part.receipt for part in parts])


def check_failed_share(parts: Sequence[Part], max_share: float) -> None:
    """Raise HeadtailError if more than the share `max_share` of the parts' inputs could not be read to their end."""
    failures = [failure for part in parts for failure in part.manifest["failures"]]
    files = {failure["file"] for failure in failures}
    inputs = sum(len(part.inputs()) for part in parts)
    if inputs and len(files) / inputs > max_share:
        raise HeadtailError(
            f"{len(files)} of {inputs} inputs could not be read to their end, more than max_failed_share={max_share}; "
            f"the first: {failures[0]['file']}: {failures[0]['error']} (all are in the manifests of "
            f"{parts[0].path.rsplit('/', 1)[0]})"
        )
