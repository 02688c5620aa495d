"""Tables: a table is a folder of parts, and a part is a folder of Parquet files with a manifest.

The manifest is written last: readers ignore a part without one. The manifest holds the id of the part's recipe
(recipes.py), so a stage finds out by comparing two ids whether a part is finished. docs/tables.md has the format.
"""

import hashlib
import json
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from itertools import count
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.amounts import counted
from curation.core.cleaned import CLEANED
from curation.core.credentials import cut_failure, cut_input, cut_values, failed_place, place
from curation.core.errors import HeadtailError
from curation.core.fences import WRITER
from curation.core.own_tables import MANIFEST
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, difference
from curation.core.record_errors import READER_ERROR
from curation.core.run_folders import table_instead
from curation.core.table_reader import check_file

INPUTS = "_inputs.parquet"
SETTINGS_HASH = "settings_sha256"
"""Key beside `settings` in a manifest: the hash of the whole settings, where an address in them was cut."""
INLINE_INPUTS = 100
"""A manifest lists up to this many inputs; more inputs go to a Parquet file, and its hash to the manifest."""


ATTEMPT = "attempt"
"""Key in an input of a part: how often the file has been read, from 2 on. Such a part has an id of its own."""


class Part:
    """A complete part of a table.

    Raises HeadtailError if the manifest names a file outside of the part's folder: somebody else may have written it.
    """

    def __init__(self, path: str, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest
        for name in _file_names(manifest):
            if not is_plain_name(name):
                raise HeadtailError(
                    f"{path}/{MANIFEST} names the file {str(name)[:200]!r}, expected the name of a file in its own "
                    "folder: headtail has not written this manifest"
                )

    @classmethod
    def read(cls, path: str) -> Self:
        """Return the part in a folder; raises FileNotFoundError without a manifest, HeadtailError for a damaged one."""
        try:
            return cls(path, storage.read_json(storage.join(path, MANIFEST)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HeadtailError(f"{path}/{MANIFEST} is damaged ({error}): delete it to make the part again") from error

    @property
    def id(self) -> str:
        """Id of the part's recipe."""
        return self.manifest["id"]

    @property
    def files(self) -> list[str]:
        """Paths of the Parquet files, in order."""
        return [storage.join(self.path, entry["path"]) for entry in self.manifest["files"]]

    @property
    def receipt(self) -> Receipt:
        """The sum of the receipts of the part's tasks."""
        keys = ("rows_in", "rows_out", "drops", "facts", "failures", "seconds")
        values = {key: self.manifest[key] for key in keys}
        return Receipt.from_json(json.dumps({"task": self.path, "outputs": [], **values}))

    def is_unread(self) -> bool:
        """Whether all inputs failed and gave no row: older versions finished such parts."""
        failed = {failure["file"] for failure in self.manifest["failures"]}
        # The inputs of a dump are ranges of it, whose paths contain the path of the file.
        if not failed or self.manifest["rows_in"]:
            return False
        return all(entry["path"] in failed or any(file in entry["path"] for file in failed) for entry in self.inputs())

    def input(self) -> dict[str, str]:
        """Return the part as an input of a recipe: {path, id}."""
        return {"path": self.path, "id": self.id}

    def outcome(self) -> dict[str, str]:
        """Return the part as an input of a recipe, with a fingerprint of the manifest instead of the recipe's id.

        For parts whose content is not determined by their settings and inputs, such as downloads. A cleaned part keeps
        its fingerprint.
        """
        told = {key: value for key, value in self.manifest.items() if key != CLEANED}
        manifest = json.dumps(told, sort_keys=True).encode()
        return {"path": self.path, "id": hashlib.sha256(manifest).hexdigest()[:32]}

    @property
    def cleaned(self) -> dict[str, Any] | None:
        """The note of a cleaned part (cleaned.py), None if its files are there."""
        return self.manifest.get(CLEANED)

    def inputs(self) -> list[dict]:
        """Return the inputs of the part's recipe."""
        inputs = self.manifest["inputs"]
        if isinstance(inputs, list):
            return inputs
        with storage.open_input(storage.join(self.path, inputs["file"])) as file:
            rows = pq.read_table(file).to_pylist()
        return [{key: value for key, value in row.items() if value is not None} for row in rows]


def is_plain_name(name: Any) -> bool:
    """Return whether a value is the name of a file in a folder, and no path that leads elsewhere.

    >>> [is_plain_name(name) for name in ("00000.tar", "../a", "/a", "..", "", "a::b", 7)]
    [True, False, False, False, False, False, False]
    """
    return isinstance(name, str) and name not in ("", ".", "..") and not re.search(r"[/\\\0]|::", name)


def _file_names(manifest: dict[str, Any]) -> Iterator[Any]:
    """Yield the names of files that a manifest gives: those of its files and tars, and that of its inputs."""
    for entry in manifest.get("files", []):
        yield entry["path"]
        if "tar" in entry:
            yield entry["tar"]
    if not isinstance(inputs := manifest.get("inputs", []), list):
        yield inputs["file"]


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
        with storage.ParquetSink(storage.join(path, INPUTS), table.schema) as sink:
            for batch in table.to_batches():
                sink.write(batch)
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


def missing_inputs(known: Iterable[dict], wanted: Iterable[dict]) -> list[str]:
    """Return the paths of the known inputs that are not wanted; an upstream part is compared by id, as it may move."""
    keys = {key for entry in wanted for key in (entry.get("id"), place(entry)) if key}
    return [entry["path"] for entry in known if not {place(entry), entry.get("id")} & keys]


def describe_growth(parts: Sequence[Part], plans: Sequence[tuple[int, Recipe]], path: str, unit: str) -> str:
    """Return a line about the inputs that a table has, and those that are added to it; "" if it has none yet."""
    before, more = (sum(map(len, each)) for each in ([p.inputs() for p in parts], [r.inputs for _, r in plans]))
    return f"adds {more:,} {unit} to the {before:,} in {path}" if before and more else ""


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


def sum_receipts(parts: Iterable[Part]) -> Receipt:
    """Return the sum of the receipts of several parts."""
    return merge_receipts("all parts", [part.receipt for part in parts])


def last_failures(parts: Iterable[Part]) -> list[dict]:
    """Return the failures of input files, each of the last attempt at its file; faults of single records are none."""
    attempts: dict[str, int] = {}
    failures: list[tuple[int, dict]] = []
    for part in parts:
        here = {place(entry): entry.get(ATTEMPT, 1) for entry in part.inputs()}
        attempts |= {path: attempt for path, attempt in here.items() if attempt > attempts.get(path, 0)}
        failures += [(here.get(failed_place(failure), 1), failure) for failure in part.manifest["failures"]]
    return [
        failure
        for attempt, failure in failures
        if failure.get("reason") != READER_ERROR and attempt == attempts.get(failed_place(failure), attempt)
    ]


def check_failed_share(
    parts: Sequence[Part], max_share: float, unread: Sequence[Receipt] = (), inputs: int | None = None
) -> None:
    """Raise HeadtailError if more than the share `max_share` of the inputs could not be read to their end.

    `unread` are receipts of parts that are not finished. `inputs` is the number of inputs of all parts; the default is
    that of `parts`.
    """
    failures = last_failures(parts)
    failures += [each for receipt in unread for each in receipt.failures if each.get("reason") != READER_ERROR]
    files = {failed_place(failure) for failure in failures}
    if inputs is None:
        inputs = len({place(entry) for part in parts for entry in part.inputs()})
    if inputs and len(files) / inputs > max_share:
        listed = f" (all are in the manifests of {parts[0].path.rsplit('/', 1)[0]})" if parts else ""
        raise HeadtailError(
            f"{len(files)} of {counted(inputs, 'inputs')} could not be read to their end, more than "
            f"max_failed_share={max_share}; the first: {failures[0]['file']}: {failures[0]['error']}{listed}"
        )
