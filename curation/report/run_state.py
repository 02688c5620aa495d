"""The state of a run: its tables, what decided them, what is missing next, and who works on it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from curation.balancing.entry_table import is_free
from curation.core import storage
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.lease_files import Lease, LeaseFile, read_lease
from curation.core.own_tables import MANIFEST
from curation.core.owners import Owner
from curation.core.parts import Part
from curation.core.schemas import THRESHOLDS
from curation.core.table_reader import read_rows
from curation.core.tables import Table
from curation.shards.shard_set import ShardSet

CHAIN = {
    "pairs": ("extract_pairs", ""),
    "matches": ("match_pairs", "pairs"),
    "entry_counts": ("count_entries", "matches"),
    "thresholds": ("balance_pairs", "matches"),
    "curated": ("balance_pairs", "matches"),
    "lists": ("download_images", "curated"),
    "downloads": ("download_images", "lists"),
    "shards": ("write_shards", "lists"),
    "report": ("report_stats", ""),
}
"""Table -> the job that writes it, and the table that it is made from. In the order of the jobs."""
FURTHER = {
    "forecasts": "balance_pairs",
    "entries": "match_pairs",
    "concept_counts": "balance_pairs",
    "hosts": "download_images",
}
FINISHED, UNFINISHED, MISSING, OLD, CLEANED, DAMAGED = "finished", "unfinished", "-", "behind", "cleaned", "damaged"
REPORT = "report.json"


@dataclass(frozen=True)
class TableState:
    """A table of a run: `parts` are its complete parts, `begun` says how far an unfinished one is."""

    name: str
    path: str
    parts: tuple[Part, ...] = ()
    begun: str = ""
    behind: str = ""
    """The table that has changed since this one was made."""
    finished: datetime | None = None
    is_report: bool = False
    fault: str = ""
    """Why the table cannot be read; it has no parts then."""

    @property
    def is_there(self) -> bool:
        """Whether a part of it is complete."""
        return bool(self.parts) or self.is_report

    @property
    def state(self) -> str:
        """The state in a word or two."""
        if self.fault:
            return DAMAGED
        if self.begun:
            return f"{UNFINISHED}{f' ({self.begun})' if self.begun != UNFINISHED else ''}"
        if not self.is_there:
            return MISSING
        if self.behind:
            return f"{OLD} {self.behind}"
        return CLEANED if any(part.cleaned for part in self.parts) else FINISHED

    @property
    def is_done(self) -> bool:
        """Whether its job has nothing to do for it, as far as the manifests tell."""
        return self.is_there and not self.begun and not self.behind

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(entry.get("rows", 0) for part in self.parts for entry in part.manifest["files"])

    @property
    def files(self) -> int:
        """The number of files."""
        return sum(1 + ("tar" in entry) for part in self.parts for entry in part.manifest["files"])

    @property
    def bytes(self) -> int:
        """The size of the files, with the images of downloads and shards."""
        files = sum(e.get("bytes", 0) + e.get("tar_bytes", 0) for part in self.parts for e in part.manifest["files"])
        return files + sum(part.manifest["facts"].get("image_bytes", 0) for part in self.parts)


@dataclass(frozen=True)
class RunState:
    """The tables of a run by name, and the lines about the processes that have leases in it."""

    path: str
    tables: Mapping[str, TableState]
    work: Sequence[str] = field(default=())

    @classmethod
    def read(cls, path: str) -> "RunState":
        """Read the manifests of a run; a folder without any has no tables."""
        path = path.rstrip("/") or path
        names = [*CHAIN, *FURTHER]
        folders = [storage.join(path, name) for name in names]
        with ThreadPoolExecutor(len(names)) as pool:  # the requests to a store take most of the time
            tables = dict(zip(names, pool.map(_read_or_tell, names, folders), strict=True))
            leases = list(pool.map(_lease, folders))
        for name, (_, source) in CHAIN.items():
            if source and (behind := _is_behind(tables[name], tables[source])):
                tables[name] = replace(tables[name], behind=behind)
        curated, thresholds = tables["curated"], tables["thresholds"]
        if curated.parts and thresholds.parts and curated.parts[-1].id != thresholds.parts[-1].id:
            tables["thresholds"] = replace(thresholds, behind="curated")
        report = tables["report"]
        if report.finished:
            later = [
                each.name
                for each in tables.values()
                if each.name in CHAIN and each.finished and each.finished > report.finished
            ]
            tables["report"] = replace(report, behind=later[-1] if later else "")
        return cls(path, tables, _work(leases))

    @property
    def is_run(self) -> bool:
        """Whether the folder has a table, finished or begun."""
        return any(each.is_there or each.begun or each.fault for each in self.tables.values())

    @cached_property
    def next_job(self) -> str:
        """The first job that has something to do; "" if all is done."""
        return next((CHAIN[name][0] for name in CHAIN if not self.tables[name].is_done), "")

    def settings(self, name: str) -> dict[str, Any]:
        """Return the settings of the last part of a table, none if there is no part."""
        parts = self.tables[name].parts
        return parts[-1].manifest["settings"] if parts else {}

    def thresholds(self) -> list[dict[str, Any]]:
        """Return the rows of `thresholds`, the language with most matches first."""
        parts = self.tables["thresholds"].parts
        rows = [row for part in parts for file in part.files for row in read_rows(file, THRESHOLDS).to_pylist()]
        return sorted(rows, key=lambda row: (-row["matches"], row["lang"]))


def _read_or_tell(name: str, path: str) -> TableState:
    """Return the state of a table; one with a damaged manifest says so, and hides no other table."""
    try:
        state = _read(name, path)
        # A manifest may be JSON and yet no manifest: what is shown of it must be there.
        _ = state.rows, state.files, state.bytes, [(part.id, part.inputs(), part.cleaned) for part in state.parts]
        if bad := [part.path for part in state.parts if not isinstance(part.manifest["settings"], dict)]:
            raise ValueError(f"the settings of {bad[0]} are no object")
    except HeadtailError as error:
        return TableState(name, path, fault=str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return TableState(name, path, fault=f"a manifest of {path} is damaged ({type(error).__name__}: {error})")
    return state


def _read(name: str, path: str) -> TableState:
    if name == "report":
        file = storage.join(path, REPORT)
        there = storage.exists(file)
        return TableState(name, path, finished=_modified(file) if there else None, is_report=there)
    if name == "entries" and not is_free(path):  # entry lists of the user, perhaps
        return TableState(name, path)
    table = ShardSet(path) if name == "shards" else Table(path)
    parts = tuple(table.parts())
    manifests = [storage.join(part.path, MANIFEST) for part in parts]
    times = [time for manifest in manifests if (time := _modified(manifest))]
    return TableState(name, path, parts, _begun(name, path, parts), finished=max(times, default=None))


def _begun(name: str, path: str, parts: Sequence[Part]) -> str:
    """Return how far a part is that has no manifest; "" if there is none."""
    names = storage.list_folder(path)
    if name == "shards":
        work = [each for each in names if each.startswith(".work-")]
        return UNFINISHED if work or (not parts and any(each.endswith(".tar") for each in names)) else ""
    complete = {part.path.rpartition("/")[2] for part in parts}
    open_parts = [each for each in names if each.startswith("part-") and each not in complete]
    if name == "downloads" and open_parts:
        return _lists_done(storage.join(path, open_parts[-1]))
    if name == "matches" and (waiting := Table(storage.join(path, "_waiting")).parts()):
        return f"{counted(len(waiting), 'parts')} to merge"
    return f"{counted(len(parts), 'parts')} done" if open_parts and parts else UNFINISHED if open_parts else ""


def _lists_done(folder: str) -> str:
    """Return how many download lists of a generation are finished: each has a receipt then."""
    from curation.images.downloads import RECIPE  # with all that fetches and decodes images: rarely needed

    names = storage.list_folder(folder)
    done = sum(name.startswith("range-") and name.endswith(".json") for name in names)
    if RECIPE not in names:
        return UNFINISHED
    return f"{done:,} of {counted(storage.read_json(storage.join(folder, RECIPE))['ranges'], 'lists')}"


def _is_behind(state: TableState, source: TableState) -> str:
    """Return the name of the source if it has parts that the table was not made from."""
    made_from = {entry.get("id") for part in state.parts for entry in part.inputs()}
    lacks = any(part.id not in made_from for part in source.parts)
    return source.name if state.parts and lacks else ""


def _modified(path: str) -> datetime | None:
    fs, inner = storage.filesystem(path)
    with suppress(NotImplementedError, FileNotFoundError):
        return fs.modified(inner)
    return None


def _lease(folder: str) -> Lease | None:
    """Return the lease of a folder, None if there is none."""
    with suppress(NotADirectoryError):
        return read_lease(LeaseFile(folder).read() or b"")
    return None


def _work(leases: Sequence[Lease | None]) -> list[str]:
    """Return a line for each process that has leases."""
    owners = {lease.owner.id: lease.owner for lease in leases if lease}
    return [f"{owner.describe()}, {_doing(owner)}" for owner in owners.values()]


def _doing(owner: Owner) -> str:
    if not owner.is_near:
        return "works on it, unless it has ended: its machine is another one"
    return "works on it" if owner.is_running() else "was stopped: the same command goes on where it stopped"
