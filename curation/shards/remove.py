"""Removing samples from finished shards: only the tars that hold them are written again."""

import hashlib
import tarfile
from dataclasses import dataclass

import pyarrow as pa

from curation.core import storage
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.removal_lists import Removals
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.core.tar_writer import COMPANION_NAME, end, member
from curation.shards.indexes import TarIndex, index_paths
from curation.shards.shard_set import note_name, read_lines, write_lines


@dataclass(frozen=True)
class RemoveTask:
    """The paths of a tar and its side-car, and the number of its samples in the manifest."""

    tar: str
    sidecar: str
    rows: int


def plan_removing(part: Part) -> list[RemoveTask]:
    """Return the tasks of `remove_from_shard` for a set of shards."""
    return [
        RemoveTask(storage.join(part.path, entry["tar"]), storage.join(part.path, entry["path"]), entry["rows"])
        for entry in part.manifest["files"]
    ]


def remove_from_shard(task: RemoveTask, removals: Removals) -> Receipt:
    """Write a shard again without the samples on the removal lists, if it holds any.

    First a note beside the shard lists the removed uids and hashes: they must stay away even if this run is never
    repeated. The side-car is written last, and a shard whose side-car and manifest differ is written again, so a
    stopped run can be repeated. The output has the keys of `write_shard`; an unchanged shard has no output.
    """
    rows = read_rows(task.sidecar, SAMPLES, further=None)
    removed = removals.mask({name: rows[name] for name in ("uid", "sha256")})
    receipt = Receipt(task.tar, rows_in=rows.num_rows, rows_out=rows.num_rows - int(removed.sum()))
    receipt.drops["removed"] = int(removed.sum())
    if not removed.any() and rows.num_rows == task.rows:
        return receipt
    removed_rows = rows.filter(pa.array(removed))
    kept = rows.filter(pa.array(~removed))
    name = task.tar.rsplit("/", 1)[-1]
    uids = removed_rows["uid"].to_pylist()
    _note(task.tar.removesuffix(name) + note_name(name), uids + removed_rows["sha256"].to_pylist())
    size, digest, index = _copy_without(task.tar, frozenset(uids))
    if storage.exists(index_paths(task.tar)[0]):  # an older version has written none
        index.write(task.tar)
    scores = [field for field in kept.schema if field.name not in SAMPLES.names]
    output = write_rows(task.sidecar, kept.cast(pa.schema([*SAMPLES, *scores])))
    receipt.outputs.append({**output, "tar": name, "tar_bytes": size, "tar_sha256": digest})
    return receipt


def _note(path: str, lines: list[str]) -> None:
    """Add lines to a note; a stopped run may have begun it."""
    known = read_lines(path) if storage.exists(path) else []
    write_lines(path, [*known, *lines])


def _copy_without(path: str, uids: frozenset[str]) -> tuple[int, str, TarIndex]:
    """Copy a tar over itself without the members of some samples; return its bytes, SHA-256 and index."""
    digest, size, index = hashlib.sha256(), 0, TarIndex()
    with storage.AtomicFile(path) as out, storage.open_input(path) as source, tarfile.open(fileobj=source) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is None or entry.name.split(".")[0] in uids:
                continue
            data = member(entry.name, content.read(), COMPANION_NAME)
            index.add(entry.name, entry.size)
            digest.update(data)
            size += out.write(data)
        tail = end(size)
        digest.update(tail)
        size += out.write(tail)
    return size, digest.hexdigest(), index
