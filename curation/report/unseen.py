"""Images that are no examples for any reason: on a removal list, opted out, or perhaps dropped for what they show.

The lists are those of the shards, of the set's setting `removals`, and of `urls.removals`. Where one cannot be read any
more, nothing is known of its images: no examples are shown then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import Faces
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import flatten
from curation.core.removal_lists import Removals, divide_sources, read_removals
from curation.core.schemas import DOWNLOAD_STATUS
from curation.core.table_reader import read_rows
from curation.core.tables import SETTINGS_HASH, Part
from curation.images.downloads import Downloads
from curation.report.examples import SILENT, Example
from curation.shards.shard_set import ShardSet


@dataclass(frozen=True)
class Unseen:
    """The images that must not be seen: those of `removals`, and, if `arrived`, all that were downloaded.

    `arrived` holds where images were dropped for their faces, or for perceptual hashes: no table tells which.
    """

    removals: Removals
    arrived: bool

    @classmethod
    def of_tables(cls, pairs: Iterable[Part], shards: ShardSet) -> Self:
        """Read the lists of a run. Raises HeadtailError or OSError for one that cannot be read any more."""
        sources, faces = list[str](shards.removal_lists()), False
        for part in pairs:
            sources += _named_sources(part, flatten(part.manifest["settings"]).get("urls.removals"))
        for part in shards.parts():
            settings = part.manifest["settings"]
            faces |= settings.get("faces") == Faces.drop
            sources += _named_sources(part, settings.get("removals"))
        removals = read_removals(tuple(dict.fromkeys(sources)))
        return cls(removals, faces or removals.count("phash") > 0)

    def without(self, examples: Sequence[Example], statuses: Sequence[Mapping[str, Any]] = ()) -> list[Example]:
        """Return the examples that may be shown, as far as the outputs of `find_statuses` tell."""
        hidden = {each["uid"] for each in statuses if self._hides(each["status"])}
        uids = [*(example.uid for example in examples), *(each["uid"] for each in statuses)]
        digests = [*(None for _ in examples), *(each["sha256"] for each in statuses)]
        listed = self.removals.mask({"uid": pa.array(uids, pa.string()), "sha256": pa.array(digests, pa.string())})
        hidden |= {uid for uid, is_listed in zip(uids, listed.tolist(), strict=True) if is_listed}
        return [example for example in examples if example.uid not in hidden]

    def _hides(self, status: str) -> bool:
        return status in SILENT or (self.arrived and status == "success")


def _named_sources(part: Part, listed: Sequence[Any] | None) -> list[str]:
    """Return the removals of a manifest as `read_removals` takes them.

    Raises HeadtailError for an address or a path that may have been cut.
    """
    paths = [entry["path"] if isinstance(entry, Mapping) else str(entry) for entry in listed or ()]
    cut = SETTINGS_HASH in part.manifest
    for path in paths:
        if cut and ("://" in path or divide_sources([path])[1]):
            raise HeadtailError(f"the manifest of {part.path} does not have the whole of removals={path}")
    return paths


@dataclass(frozen=True)
class StatusTask:
    """Files of downloads in which images are looked up."""

    files: list[str]
    uids: list[str]


def plan_statuses(downloads: Downloads, examples: Iterable[Example], max_tasks: int) -> list[StatusTask]:
    """Return at most `max_tasks` tasks for the files, of all generations, that may hold images of examples."""
    uids = sorted({example.uid for example in examples if example.uid})
    by_file: dict[str, list[str]] = defaultdict(list)
    for uid, files in zip(uids, downloads.files_of(uids), strict=True):
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
