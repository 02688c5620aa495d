"""Images of other sets, which this set is to leave out: finished shards, or tables that hash_images has made.

They take part in the search for duplicates as images that stay in any case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.choices import NearDuplicates
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.exchange import write_slices
from curation.core.receipts import Receipt
from curation.core.table_reader import foreign_schema, read_rows, read_schema
from curation.core.tables import Part
from curation.images.ranges import Ranges, top_bits
from curation.shards.benchmark_files import HashFilesTask, hash_files
from curation.shards.benchmark_images import EMBEDDING_COLUMN
from curation.shards.cells import Cells
from curation.shards.duplicates import FIXED, FIXED_PIXELS, KEYS
from curation.shards.keyed_join import SliceWriter
from curation.shards.near_images import IN_CELL, add_images
from curation.shards.perceptual_hash import QUICK, VERSION_KEY
from curation.shards.scores import score_files
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.steps import PIVOTS, SelectionSteps
from curation.shards.stored_vectors import to_vectors


@dataclass(frozen=True)
class OtherFile:
    """The images of one file of another set: a Parquet file with `sha256`, and a column of embeddings ("": none).

    `tar` are the images themselves, where perceptual hashes are yet to be computed.
    """

    path: str
    embeddings: str
    tar: str = ""


@dataclass(frozen=True)
class OtherSets:
    """The files of the sets, and how a recipe names the sets."""

    files: tuple[OtherFile, ...] = ()
    named: tuple[dict[str, Any], ...] = ()

    def key_tasks(self, steps: SelectionSteps, version: int | None) -> list["OtherKeysTask"]:
        """Return the tasks of `deal_other_keys`; `version` is that of the perceptual hashes that are compared."""
        hashes = steps.folder("other-hashes")
        return [
            OtherKeysTask(
                number, file, version, storage.join(steps.folder("keys"), f"other-{number:06d}.arrow"),
                storage.join(hashes, f"{number:06d}.parquet"),
            )
            for number, file in enumerate(self.files)
        ]  # fmt: skip


@dataclass(frozen=True)
class OtherKeysTask:
    """A file of another set, its number, and the file of slices to write: keys by the version of a hash, or sha256.

    `hashes` is where hashes that are computed here are written.
    """

    number: int
    file: OtherFile
    version: int | None
    output: str
    hashes: str


@dataclass(frozen=True)
class OtherVectorsTask:
    """A file of another set, its number, the pivots, and the prefix of the slices to write."""

    number: int
    file: OtherFile
    pivots: str
    prefix: str
    receivers: int


def open_others(paths: Sequence[str], near: NearDuplicates, version: int | None, column: str) -> OtherSets:
    """Return the files of other sets. `version` is that of the hashes that are compared, if any are.

    Raises HeadtailError for a path that is neither a finished set nor a table of hash_images, and for one without the
    hashes or embeddings that are to be compared.
    """
    files: list[OtherFile] = []
    named: list[dict[str, Any]] = []
    for path in paths:
        parts = [part for part in ShardSet(path).parts() if part.manifest.get("stage") == STAGE]
        if parts:
            files += _files_of(parts[0], near, version, column)
            named.append(parts[0].outcome())
        else:
            infos = score_files([path], "against")
            files += [_checked_table(info.path, near, version) for info in infos]
            named += [vars(info) for info in infos]
    return OtherSets(tuple(files), tuple(named))


def _files_of(part: Part, near: NearDuplicates, version: int | None, column: str) -> list[OtherFile]:
    embedded = near == NearDuplicates.embedding
    if embedded and part.files and column not in read_schema(part.files[0]).names:
        raise HeadtailError(
            f"against: the side-cars in {part.path} have no column {column}: write that set with score_columns=true, "
            "or give a table of hash_images with embeddings=true"
        )
    tars = [storage.join(part.path, entry["tar"]) for entry in part.manifest["files"]]
    mine = zip(part.files, tars, strict=True)
    return [OtherFile(path, column if embedded else "", tar if version else "") for path, tar in mine]


def _checked_table(path: str, near: NearDuplicates, version: int | None) -> OtherFile:
    schema, embedded = foreign_schema(path), near == NearDuplicates.embedding
    needed = ["sha256", *(["phash"] if version else []), *([EMBEDDING_COLUMN] if embedded else [])]
    if missing := [name for name in needed if name not in schema.names]:
        raise HeadtailError(
            f"against: {path} has no column {', '.join(missing)}, and is no finished set of shards: hash_images makes "
            f"such a table{' with embeddings=true' if embedded else ''}"
        )
    found = (schema.metadata or {}).get(VERSION_KEY.encode(), b"").decode()
    if version and found != str(version):
        advice = "run hash_images again with overwrite=true" if version == QUICK else "set filters.near_duplicates=hash"
        raise HeadtailError(
            f"against: {path} has perceptual hashes of version {found or 'unknown'}, and "
            f"filters.near_duplicates={near} compares version {version}: {advice}"
        )
    return OtherFile(path, EMBEDDING_COLUMN if embedded else "")


def deal_other_keys(task: OtherKeysTask, ranges: Ranges) -> Receipt:
    """Send the keys of the images of a file to the tasks that compare them with those of candidates."""
    path, column = task.file.path, "phash" if task.version else "sha256"
    if task.version and task.file.tar:
        made = HashFilesTask("against", (task.file.tar,), task.hashes)
        if not storage.exists(task.hashes):
            hash_files(made, version=task.version)
        path = task.hashes
    rows = read_rows(path, pa.schema([]), [column, "sha256"] if task.version else [column], None).combine_chunks()
    keys = rows[column].combine_chunks().cast(pa.string())
    count = rows.num_rows
    columns = [
        keys,
        rows["sha256"],
        pa.array(np.full(count, FIXED_PIXELS)),
        _numbers(count),
        _names(task.number, count),
    ]
    receivers = top_bits(hash64(ranges.seed, "duplicates", keys), ranges.groups)
    write_slices(task.output, pa.table(columns, KEYS), receivers, ranges.groups)
    return Receipt(task.output, count, count)


def plan_other_vectors(others: OtherSets, steps: SelectionSteps, folder: str, receivers: int) -> list[OtherVectorsTask]:
    """Return the tasks of `deal_other_vectors`, which write to a folder of slices."""
    return [
        OtherVectorsTask(number, file, steps.folder(PIVOTS), storage.join(folder, f"other-{number:06d}"), receivers)
        for number, file in enumerate(others.files)
    ]


def deal_other_vectors(task: OtherVectorsTask) -> Receipt:
    """Send the images of a file to the tasks of their cells under the first plan; those without a vector are left."""
    receipt = Receipt(task.prefix)
    cells, out = Cells.read(task.pivots, 0), SliceWriter(task.prefix, IN_CELL, task.receivers)
    lists = read_rows(task.file.path, pa.schema([]), [task.file.embeddings], None)[task.file.embeddings]
    done = 0
    for chunk in lists.chunks:
        vectors = to_vectors(chunk)
        known = vectors.is_valid()
        vectors = vectors.filter(known)
        count = len(vectors)
        names = _names(task.number, len(chunk), done).filter(known)
        heads = [pa.array(np.full(count, FIXED_PIXELS)), _numbers(count), names, pa.array([""] * count)]
        add_images(out, cells, heads, vectors, task.receivers)
        done += len(chunk)
    out.close()
    receipt.rows_in = receipt.rows_out = done
    return receipt


def _numbers(count: int) -> pa.Array:
    return pa.array(np.arange(count, dtype=np.uint64))


def _names(number: int, count: int, start: int = 0) -> pa.Array:
    return pa.array([f"{FIXED}{number}.{row}" for row in range(start, start + count)], pa.string())
