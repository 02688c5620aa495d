"""Taking samples out of finished shards: only the tars that hold them are written again."""

import hashlib
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.removal_lists import Removals
from curation.core.schemas import SAMPLES
from curation.core.tables import Part
from curation.core.tar_writer import end, member
from curation.shards.selection import write_rows
from curation.shards.shard_set import note_name, read_lines, write_lines


def plan_removing(part: Part) -> list[dict]:
    """Return the tasks of `remove_from_shard` for a set of shards."""
    return [
        {
            "tar": storage.join(part.path, entry["tar"]),
            "sidecar": storage.join(part.path, entry["path"]),
            "rows": entry["rows"],
        }
        for entry in part.manifest["files"]
    ]


def remove_from_shard(task: dict, removals: Removals) -> Receipt:
    """Write a shard again without the samples that are to be removed, if it holds any.

    `task` holds tar, sidecar and rows (samples by the manifest). The side-car is written last, and a shard whose
    side-car and manifest disagree is looked at again, so a run that was stopped can be repeated. What goes is noted
    by uid and hash before, in a file beside the shard: it must stay away even if this run is never repeated. The
    output is that of `write_shard`; there is none for a shard left as it is.
    """
    with storage.open_input(task["sidecar"]) as file:
        rows = pq.read_table(file)
    removed = removals.mask({name: rows[name] for name in ("uid", "sha256")})
    receipt = Receipt(task["tar"], rows_in=rows.num_rows, rows_out=rows.num_rows - int(removed.sum()))
    receipt.drops["removed"] = int(removed.sum())
    if not removed.any() and rows.num_rows == task["rows"]:
        return receipt
    gone = rows.filter(pa.array(removed))
    kept = rows.filter(pa.array(~removed))
    name = task["tar"].rsplit("/", 1)[-1]
    _note(task["tar"].removesuffix(name) + note_name(name), gone["uid"].to_pylist() + gone["sha256"].to_pylist())
    size, digest = _copy_without(task["tar"], frozenset(gone["uid"].to_pylist()))
    output = write_rows(task["sidecar"], kept.cast(SAMPLES))
    receipt.outputs.append({**output, "tar": name, "tar_bytes": size, "tar_sha256": digest})
    return receipt


def _note(path: str, lines: list[str]) -> None:
    """Add lines to a note, which may be that of a run that was stopped."""
    known = read_lines(path) if storage.exists(path) else []
    write_lines(path, [*known, *lines])


def _copy_without(path: str, uids: frozenset[str]) -> tuple[int, str]:
    """Copy a tar over itself without the members of some samples; return its bytes and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with storage.AtomicFile(path) as out, storage.open_input(path) as source, tarfile.open(fileobj=source) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is None or entry.name.split(".")[0] in uids:
                continue
            data = member(entry.name, content.read())
            digest.update(data)
            size += out.write(data)
        tail = end(size)
        digest.update(tail)
        size += out.write(tail)
    return size, digest.hexdigest()
