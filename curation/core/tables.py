"""Tables: a table is a folder of parts, and a part is a folder of Parquet files with a manifest.

The manifest is written last: readers ignore a part without one. The manifest holds the id of the part's recipe
(recipes.py), so a stage finds out by comparing two ids whether a part is finished. docs/tables.md has the format.
"""

import hashlib
import json
import platform
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from itertools import count
from typing import Any

import pyarrow as pa

from curation.core import storage
from curation.core.amounts import counted
from curation.core.credentials import cut_failure, cut_input, cut_values, place
from curation.core.errors import HeadtailError
from curation.core.fences import WRITER
from curation.core.own_tables import MANIFEST
from curation.core.parquet_sink import write_rows
from curation.core.parts import ATTEMPT, Part, missing_inputs
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, difference
from curation.core.run_folders import table_instead
from curation.core.table_reader import check_file

INPUTS = "_inputs.parquet"
BEGUN = "_recipe.json"
"""The id of the recipe that a part was begun with."""
SETTINGS_HASH = "settings_sha256"
"""Key beside `settings` in a manifest: the hash of the whole settings, where an address in them was cut."""
INLINE_INPUTS = 100
"""A manifest lists up to this many inputs; more inputs go to a Parquet file, and its hash to the manifest."""


class Table:
    """A folder of parts whose files hold the columns of `schema`.

    `further` names columns that may stand beside them; None allows any. A table without a schema is not checked.
    `adds` tells whether the job that writes the table has the setting `add`, for messages.
    """

    adds = True

    def __init__(self, path: str, schema: pa.Schema | None = None, further: Iterable[str] | None = ()) -> None:
        self.path, self.schema, self.further = path.rstrip("/"), schema, further

    def parts(self) -> list[Part]:
        """Return the complete parts, in order."""
        found = []
        for name in storage.list_folder(self.path):
            if name.startswith("part-"):
                path = storage.join(self.path, name)
                try:
                    found.append(Part.read(path))
                except FileNotFoundError:
                    continue
        return found

    def require(self, stage: str) -> list[Part]:
        """Return the complete parts of a table that `stage` writes.

        Raises HeadtailError if the table has no complete part, or if the first file of a part has other columns than
        the schema: a job can then refuse a table that another program wrote before Spark starts. Cleaned parts pass:
        a job whose work is done does not need them.
        """
        parts = self.parts()
        if not parts:
            raise HeadtailError(
                f"{self.path} holds no complete table{table_instead(self.path, stage)}: run {stage} first, or set the "
                "path of its table"
            )
        if self.schema is not None:
            for part in parts:
                if part.files and not part.cleaned:
                    check_file(part.files[0], self.schema, self.further)
        return parts

    def files(self) -> list[str]:
        """Return the Parquet files of all complete parts."""
        return [file for part in self.parts() for file in part.files]

    def part_path(self, index: int) -> str:
        """Return the folder of part number `index`."""
        return storage.join(self.path, f"part-{index:05d}")

    def begin(self, index: int) -> str:
        """Delete the remains of part number `index`, and return the part's folder."""
        path = self.part_path(index)
        _delete_part(path)
        return path

    def begin_or_resume(self, index: int, recipe: Recipe) -> str:
        """Return the folder of part number `index`: with what a stopped run of this recipe has finished, else emptied.

        For parts whose files are finished one by one, each with a receipt of its own.
        """
        mark = storage.join(self.part_path(index), BEGUN)
        if storage.read_json_if_there(mark) != {"id": recipe.id}:
            storage.write_json(storage.join(self.begin(index), BEGUN), {"id": recipe.id})
        return self.part_path(index)

    def commit(self, index: int, recipe: Recipe, receipts: Sequence[Receipt], seconds: float, **facts: Any) -> Part:
        """Check the sum of the receipts and write the manifest, with `facts` added; the part is complete after that.

        The id is that of the recipe with whole addresses. Those in the manifest are those of `written`.
        """
        path = self.part_path(index)
        settings, inputs = self.written(recipe)
        sweep(path)
        total = merge_receipts(path, receipts)
        files = [{**output, "path": output["path"].removeprefix(f"{path}/")} for output in total.outputs]
        manifest = {
            "id": recipe.id,
            **asdict(recipe),
            **hashed_settings(recipe.settings, settings),
            "inputs": self._store_inputs(path, inputs),
            "rows_in": total.rows_in,
            "rows_out": total.rows_out,
            "drops": dict(sorted(total.drops.items())),
            "facts": dict(sorted(total.facts.items())),
            "failures": [cut_failure(failure) for failure in total.failures],
            **facts,
            "files": sorted(files, key=lambda entry: entry["path"]),
            "seconds": round(seconds, 3),
            "task_seconds": round(total.seconds, 3),
            "versions": versions(),
        }
        storage.write_json(storage.join(path, MANIFEST), manifest)
        return Part(path, manifest)

    def written(self, recipe: Recipe) -> tuple[dict[str, Any], list[dict]]:
        """Return settings and inputs of a recipe as a manifest holds them: their addresses are cut (credentials.py)."""
        return cut_values(recipe.settings), [cut_input(entry) for entry in recipe.inputs]

    @staticmethod
    def _store_inputs(path: str, inputs: list[dict]) -> list[dict] | dict[str, Any]:
        if len(inputs) <= INLINE_INPUTS:
            return inputs
        names = dict.fromkeys(name for entry in inputs for name in entry)  # some inputs have keys that others lack
        table = pa.table({name: [entry.get(name) for entry in inputs] for name in names})
        write_rows(storage.join(path, INPUTS), table)
        with storage.open_input(storage.join(path, INPUTS)) as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return {"file": INPUTS, "sha256": digest, "count": len(inputs)}

    def done(self, recipe: Recipe, overwrite: bool | None = None) -> Part | None:
        """Return the part of a one-part table if it has this recipe, else None.

        A cheap stage passes `overwrite=None` and runs again if the recipe has changed. An expensive stage passes false
        or true; with false, a part that has another recipe raises HeadtailError with the differences.
        """
        parts = self.parts()
        refuse_other_stage(parts, recipe)
        if parts and parts[0].id == recipe.id:
            return parts[0]
        if parts and overwrite is False:
            raise HeadtailError(
                f"{self.path} is finished, with other settings ({difference(parts[0].manifest, recipe)}): "
                "set overwrite=true to make it again, or another path"
            )
        return None

    def plan_parts(
        self,
        recipe: Recipe,
        per_part: int,
        overwrite: bool,
        add: bool = False,
        retry: Collection[str] = (),
        check: Callable[[], None] = lambda: None,
    ) -> tuple[list[Part], list[tuple[int, Recipe]]]:
        """Return the finished parts, and (number, recipe) of each part to make.

        Inputs of a complete part are done. The others form new parts of `per_part` inputs, in their order. If a part
        has other settings, or an input file has changed since, `overwrite` decides: true deletes all parts, false
        raises HeadtailError. The same holds if the recipe lacks inputs of a part, unless `add` is true: then these
        inputs stay in the table. A part of nothing but failures is deleted unless this recipe made it of the same
        inputs. The input files at the places `retry` (credentials.py) are read again, into further parts: finished
        parts stay as they are. `check` is called before `overwrite` deletes parts, and raises HeadtailError if they
        could not be made again.
        """
        refuse_other_stage(self.parts(), recipe)
        parts = self._without_unread(recipe, add)
        if overwrite and any(self._differs(part, recipe) for part in parts):
            check()
            for part in parts:
                _delete_part(part.path)
            parts = []
        known: dict[str, dict] = {}
        attempts: Counter[str] = Counter()
        for part in parts:
            if found := self._differs(part, recipe):
                raise HeadtailError(
                    f"{part.path} is finished, with other settings ({found}): "
                    "set overwrite=true to make it again, or another path"
                )
            for entry in part.inputs():
                where = place(entry)
                attempts[where] = max(attempts[where], entry.get(ATTEMPT, 1))
                known[where] = _without_attempt(cut_input(entry))
        # An upstream part is compared by id: it may have been moved.
        done = {entry.get("id", where) for where, entry in known.items()}
        fresh = [entry for entry in recipe.inputs if entry.get("id", place(entry)) not in done]
        again = [entry for entry in recipe.inputs if retry and place(entry) in retry and place(entry) in done]
        fresh += [{**entry, ATTEMPT: attempts[place(entry)] + 1} for entry in again]
        for entry in recipe.inputs:
            cut = cut_input(entry)
            if entry.get("id") not in done and known.get(place(entry), cut) != cut:
                if overwrite:
                    check()
                    for part in parts:
                        _delete_part(part.path)
                    return self.plan_parts(recipe, per_part, overwrite, add, retry)
                raise HeadtailError(
                    f"{cut['path']} has changed since {self.path} was made from it: "
                    "set overwrite=true to make the table again"
                )
        if not add and (missing := missing_inputs(known.values(), recipe.inputs)):
            if overwrite:
                check()
                for part in parts:
                    if missing_inputs(part.inputs(), recipe.inputs):
                        _delete_part(part.path)
                return self.plan_parts(recipe, per_part, overwrite, add, retry)
            keep = f"add=true to keep them{f' and add {len(fresh):,} more' if fresh else ''}, "
            raise HeadtailError(
                f"{self.path} holds {counted(len(known), 'inputs')}, {len(missing):,} of which this call does not "
                f"name, such as {missing[0]}: set {keep if self.adds else ''}overwrite=true to make the table from "
                "the named inputs alone, or another path"
            )
        taken = {int(part.path[-5:]) for part in parts}
        free = (number for number in count() if number not in taken)
        plans = [
            (next(free), Recipe(recipe.stage, recipe.logic_version, recipe.settings, fresh[i : i + per_part]))
            for i in range(0, len(fresh), per_part)
        ]
        return parts, plans

    def _without_unread(self, recipe: Recipe, add: bool) -> list[Part]:
        """Delete the parts that hold nothing but failures of another recipe or of other inputs; return the others.

        With `add`, inputs that the recipe lacks are none of these others.
        """
        wanted = {place(entry): cut_input(entry) for entry in recipe.inputs}

        def is_another(entry: dict) -> bool:
            found = wanted.get(place(entry))
            return not add if found is None else found != _without_attempt(entry)

        kept = []
        for part in self.parts():
            if part.is_unread() and (self._differs(part, recipe) or any(map(is_another, part.inputs()))):
                _delete_part(part.path)
            else:
                kept.append(part)
        return kept

    def differs(self, recipe: Recipe) -> bool:
        """Return whether a part has other settings than the recipe."""
        return any(self._differs(part, recipe) for part in self.parts())

    @staticmethod
    def _differs(part: Part, recipe: Recipe) -> str:
        before: Any = part.manifest["settings"]
        now: Any = recipe.settings
        if whole := part.manifest.get(SETTINGS_HASH):  # the manifest holds cut addresses
            before, now = whole, settings_hash(recipe.settings)
        same = (part.manifest["stage"], part.manifest["logic_version"], before) == (
            recipe.stage,
            recipe.logic_version,
            now,
        )
        return "" if same else difference(part.manifest, recipe)


def _delete_part(path: str) -> None:
    """Delete a part's folder, the manifest first: what a kill leaves is then no part."""
    storage.remove(storage.join(path, MANIFEST))
    storage.remove(path)


def _without_attempt(entry: dict) -> dict:
    return {key: value for key, value in entry.items() if key != ATTEMPT}


def refuse_other_stage(parts: Iterable[Part], recipe: Recipe) -> None:
    """Raise HeadtailError if parts are of another stage than the recipe: a job never replaces another job's table."""
    for part in parts:
        if part.manifest["stage"] != recipe.stage:
            raise HeadtailError(
                f"{part.path} is of a table of {part.manifest['stage']}, and {recipe.stage} would replace it: "
                "give this table another path"
            )


def settings_hash(settings: dict[str, Any]) -> str:
    """Return the SHA-256 in hex of settings as canonical JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def hashed_settings(whole: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they are written, and the hash of the whole ones if they differ."""
    return {"settings": written} if written == whole else {"settings": written, SETTINGS_HASH: settings_hash(whole)}


def sweep(folder: str) -> None:
    """Delete the temporary files that killed tasks left in a folder."""
    for name in storage.list_folder(folder):
        if name.startswith(".") and name.endswith((storage.TEMPORARY, WRITER)):
            storage.remove(storage.join(folder, name))


def versions() -> dict[str, str]:
    """Return the versions of Python and of the main packages, for the manifest."""
    # On a cluster, pyspark comes without the metadata of a distribution.
    spark = sys.modules.get("pyspark")
    return {"python": platform.python_version(), **_installed(), "pyspark": spark.__version__ if spark else "none"}


@cache
def _installed() -> dict[str, str]:
    """Return the versions of installed packages: to look them up takes as long as to write a small table."""
    return {name: version(name) for name in ("headtail", "pyarrow", "numpy")}
