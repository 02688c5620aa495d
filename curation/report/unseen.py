"""Images that the report shows nothing of: on a removal list, opted out, or perhaps dropped for what they show.

The lists are those of the shards, of the set's setting `removals`, of `urls.removals`, and those that the report is
given. Where one cannot be read any more, nothing is known of its images: no examples of what was dropped are shown
then, and of what was kept only texts of samples.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import Faces
from curation.core.credentials import cut_values
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import flatten
from curation.core.removal_lists import divide_sources, read_removals
from curation.core.schemas import DOWNLOAD_STATUS, SAMPLES
from curation.core.table_reader import read_rows
from curation.core.tables import SETTINGS_HASH
from curation.images.downloads import Downloads
from curation.report.examples import SILENT, Example
from curation.report.stats import ShardsTask
from curation.shards.clustered import clustered_sets
from curation.shards.public_places import without_folders
from curation.shards.shard_set import ShardSet

WANTED = pa.schema([SAMPLES.field("uid")])
"""The images that are looked up in the shards."""


@dataclass(frozen=True)
class Unseen:
    """The images that must not be seen: those of the removal `lists`, and, if `arrived`, all that were downloaded.

    `arrived` holds where images were dropped for their faces, or for perceptual hashes: no table tells which.
    """

    lists: tuple[str, ...]
    arrived: bool

    @classmethod
    def of_tables(cls, pairs: Iterable[Part], shards: ShardSet, given: Sequence[str] = ()) -> Self:
        """Return what the tables of a run and `given` lists say; all lists can be read.

        The manifest of a set names local files without their folders, which `given` ones tell. Raises HeadtailError or
        OSError for a list that cannot be read any more.
        """
        sets = [shards, *(ShardSet(storage.join(shards.path, name)) for name in clustered_sets(shards.path))]
        sources, whole, faces = [*given, *(each for one in sets for each in one.removal_lists())], _whole(given), False
        for part in pairs:
            sources += _named_sources(part, flatten(part.manifest["settings"]).get("urls.removals"), whole)
        for part in (part for one in sets for part in one.parts()):
            settings = part.manifest["settings"]
            faces |= settings.get("faces") == Faces.drop
            sources += _named_sources(part, settings.get("removals"), whole)
        lists = tuple(dict.fromkeys(sources))
        return cls(lists, faces or read_removals(lists).count("phash") > 0)

    def without(self, examples: Sequence[Example], statuses: Sequence[Mapping[str, Any]] = ()) -> list[Example]:
        """Return the examples that may be shown, as far as the outputs of `find_statuses` tell."""
        hidden = self.hidden([example.uid for example in examples], statuses)
        return [example for example in examples if example.uid not in hidden]

    def hidden(self, uids: Sequence[str], statuses: Sequence[Mapping[str, Any]]) -> set[str]:
        """Return the images that must not be seen, as far as the outputs of `find_statuses` tell."""
        hidden = {each["uid"] for each in statuses if self._hides(each["status"])}
        named = [*uids, *(each["uid"] for each in statuses)]
        digests = [*(None for _ in uids), *(each["sha256"] for each in statuses)]
        columns = {"uid": pa.array(named, pa.string()), "sha256": pa.array(digests, pa.string())}
        listed = read_removals(self.lists).mask(columns)
        return hidden | {uid for uid, is_listed in zip(named, listed.tolist(), strict=True) if is_listed}

    def _hides(self, status: str) -> bool:
        return status in SILENT or (self.arrived and status == "success")


def removal_settings(given: Sequence[str]) -> dict[str, Any]:
    """Return the removals that a report is given as its recipe has them, nothing without any.

    Raises HeadtailError for a list that cannot be read.
    """
    read_removals(tuple(given))
    values, paths = divide_sources(given)
    return {"removals": [*map(vars, list_files(paths)), *values]} if given else {}


def _whole(given: Sequence[str]) -> dict[str, str]:
    """Return the path or the value of each of the given removals by its form in the manifest of a set."""
    listed = removal_settings(given).get("removals", [])
    return {_form(each): each["path"] if isinstance(each, Mapping) else each for each in listed}


def _form(entry: Any) -> str:
    return json.dumps(without_folders(cut_values(entry)), sort_keys=True)


def _named_sources(part: Part, listed: Sequence[Any] | None, whole: Mapping[str, str]) -> list[str]:
    """Return the removals of a manifest as `read_removals` takes them; `whole` tells paths and addresses that were cut.

    Raises HeadtailError for one that may have been cut and is not told.
    """
    found, cut = list[str](), SETTINGS_HASH in part.manifest
    for entry in listed or ():
        path = entry["path"] if isinstance(entry, Mapping) else str(entry)
        told = whole.get(_form(entry))
        if cut and told is None and ("://" in path or divide_sources([path])[1]):
            raise HeadtailError(
                f"the manifest of {part.path} does not have the whole of removals={path}: give it to report_stats, too"
            )
        found.append(told or path)
    return found


@dataclass(frozen=True)
class StatusTask:
    """Files of downloads in which images are looked up."""

    files: list[str]
    uids: list[str]


def plan_statuses(downloads: Downloads, uids: Iterable[str], max_tasks: int) -> list[StatusTask]:
    """Return at most `max_tasks` tasks for the files, of all generations, that may hold some images."""
    wanted = sorted({uid for uid in uids if uid})
    by_file: dict[str, list[str]] = defaultdict(list)
    for uid, files in zip(wanted, downloads.files_of(wanted), strict=True):
        for file in files:
            by_file[file].append(uid)
    files = sorted(by_file)
    size = max(1, -(-len(files) // max_tasks))
    groups = [files[start : start + size] for start in range(0, len(files), size)]
    return [StatusTask(group, sorted({uid for file in group for uid in by_file[file]})) for group in groups]


def find_statuses(task: StatusTask) -> Receipt:
    """Look up images; the outputs are uid, status and sha256 of each attempt. Rows are attempts."""
    receipt, wanted = Receipt(f"statuses of {len(task.files)} files"), pa.array(task.uids, pa.string())
    for file in task.files:
        rows = read_rows(file, DOWNLOAD_STATUS, ["uid", "status", "sha256"])
        receipt.outputs += rows.filter(pc.is_in(rows["uid"], wanted)).to_pylist()
    receipt.rows_in = receipt.rows_out = len(receipt.outputs)
    return receipt


def find_samples(task: ShardsTask, wanted: str) -> Receipt:
    """Look up the images of the file `wanted` (WANTED); the outputs are those that are samples. Rows are these."""
    receipt, uids = Receipt(f"samples of {task.name}"), read_rows(wanted, WANTED)["uid"]
    for file in task.sidecars:
        rows = read_rows(file, SAMPLES, ["uid"], None)["uid"]
        receipt.outputs += [{"uid": uid} for uid in rows.filter(pc.is_in(rows, uids)).to_pylist()]
    receipt.rows_in = receipt.rows_out = len(receipt.outputs)
    return receipt
