"""Parts: what the manifests of finished parts tell. docs/tables.md has the format."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import pyarrow.parquet as pq

from curation.core import storage
from curation.core.amounts import counted
from curation.core.cleaned import CLEANED
from curation.core.credentials import failed_place, place
from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.record_errors import READER_ERROR

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


def missing_inputs(known: Iterable[dict], wanted: Iterable[dict]) -> list[str]:
    """Return the paths of the known inputs that are not wanted; an upstream part is compared by id, as it may move."""
    keys = {key for entry in wanted for key in (entry.get("id"), place(entry)) if key}
    return [entry["path"] for entry in known if not {place(entry), entry.get("id")} & keys]


def describe_growth(parts: Sequence[Part], plans: Sequence[tuple[int, Recipe]], path: str, unit: str) -> str:
    """Return a line about the inputs that a table has, and those that are added to it; "" if it has none yet."""
    before, more = (sum(map(len, each)) for each in ([p.inputs() for p in parts], [r.inputs for _, r in plans]))
    return f"adds {more:,} {unit} to the {before:,} in {path}" if before and more else ""


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
