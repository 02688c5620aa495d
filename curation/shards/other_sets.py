"""Images of other sets, which this set is to leave out: finished shards, or tables that hash_images has made.

They take part in the search for duplicates as images that stay in any case.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import NearDuplicates
from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.table_reader import foreign_schema, read_foreign_batches
from curation.images.ranges import Ranges, top_bits
from curation.shards.attachments import is_text
from curation.shards.benchmark_files import HashFilesTask, hash_files
from curation.shards.benchmark_images import EMBEDDING_COLUMN
from curation.shards.cells import Cells
from curation.shards.duplicates import FIXED, FIXED_PIXELS, KEYS, OF_FILE
from curation.shards.keyed_join import SliceWriter
from curation.shards.near_images import IN_CELL, add_images
from curation.shards.perceptual_hash import QUICK, VERSION_KEY
from curation.shards.scores import score_files
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.steps import PIVOTS, SelectionSteps
from curation.shards.stored_vectors import to_vectors
from curation.shards.vector_rows import is_vector

BATCH_ROWS = 1024
_DIGITS = {"sha256": "^[0-9a-f]{64}$", "phash": "^[0-9a-f]{16}$"}
"""Other values are no hashes, and equal none of a candidate."""


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
                number, file, version, storage.join(steps.folder("keys"), f"other-{number:06d}"),
                storage.join(hashes, f"{number:06d}.parquet"),
            )
            for number, file in enumerate(self.files)
        ]  # fmt: skip


@dataclass(frozen=True)
class OtherKeysTask:
    """A file of another set, its number, and the prefix of the slices to write.

    Keys are sha256, and perceptual hashes if there is a `version` of them. `hashes` is where hashes that are computed
    here are written.
    """

    number: int
    file: OtherFile
    version: int | None
    prefix: str
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
    schema = foreign_schema(part.files[0]) if part.files else None
    if embedded and schema and column not in schema.names:
        raise HeadtailError(
            f"against: the side-cars in {part.path} have no column {column}: write that set with score_columns=true, "
            "or give a table of hash_images with embeddings=true"
        )
    if schema:
        _check_types(part.files[0], schema, ["sha256"], column if embedded else "")
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
    _check_types(path, schema, needed[: 2 if version else 1], EMBEDDING_COLUMN if embedded else "")
    found = (schema.metadata or {}).get(VERSION_KEY.encode(), b"").decode(errors="replace")
    if version and found != str(version):
        advice = "run hash_images again with overwrite=true" if version == QUICK else "set filters.near_duplicates=hash"
        raise HeadtailError(
            f"against: {path} has perceptual hashes of version {found or 'unknown'}, and "
            f"filters.near_duplicates={near} compares version {version}: {advice}"
        )
    return OtherFile(path, EMBEDDING_COLUMN if embedded else "")


def _check_types(path: str, schema: pa.Schema, texts: Sequence[str], vectors: str) -> None:
    """Raise HeadtailError if columns of a file do not hold what is compared; `vectors` is a column's name, or empty."""
    for name in [*texts, *([vectors] if vectors else [])]:
        if schema.names.count(name) != 1:
            raise HeadtailError(f"against: {path} has several columns {name}, or none: expected one")
        kind, is_right = schema.field(name).type, is_vector if name == vectors else is_text
        if not is_right(kind):
            expected = "lists of floating-point numbers" if name == vectors else "string"
            raise HeadtailError(f"against: {name} of {path} is {str(kind)[:100]}, expected {expected}")


def deal_other_keys(task: OtherKeysTask, ranges: Ranges) -> Receipt:
    """Send the keys of the images of a file to the tasks that compare them with those of candidates.

    Reason: faulty_row, a sha256 that is none.
    """
    receipt = Receipt(task.prefix)
    out = SliceWriter(task.prefix, KEYS, ranges.groups)
    for keys in _keys_in(task.file.path, "sha256", receipt):
        of_files = pc.binary_join_element_wise(OF_FILE, keys, "") if task.version else keys
        _add_keys(out, task.number, of_files, ranges)
    if task.version:
        path = task.file.path
        if task.file.tar:
            path = task.hashes
            if not storage.exists(path):
                hash_files(HashFilesTask("against", (task.file.tar,), path), version=task.version)
        for keys in _keys_in(path, "phash", Receipt(path)):
            _add_keys(out, task.number, keys, ranges)
    out.close()
    return receipt


def _keys_in(path: str, column: str, receipt: Receipt) -> Iterator[pa.Array]:
    """Yield the hashes in a column, those of a batch each once; the receipt counts the rows."""
    for batch in read_foreign_batches(path, pa.schema([]), [column], BATCH_ROWS, None):
        given = batch[column].cast(pa.string())
        keys = given.filter(pc.fill_null(pc.match_substring_regex(given, _DIGITS[column]), False))
        receipt.rows_in += len(given)
        receipt.rows_out += len(keys)
        receipt.drops["faulty_row"] += len(given) - len(keys)
        yield keys.unique()


def _add_keys(out: SliceWriter, number: int, keys: pa.Array, ranges: Ranges) -> None:
    count = len(keys)
    columns = [
        keys,
        pa.array([""] * count),
        pa.array(np.full(count, FIXED_PIXELS)),
        _numbers(count),
        _names(number, count),
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=KEYS)
    out.add(batch, top_bits(hash64(ranges.seed, "duplicates", keys), ranges.groups), batch.nbytes)


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
    done = 0
    for batch in read_foreign_batches(task.file.path, pa.schema([]), [task.file.embeddings], BATCH_ROWS, None):
        vectors = to_vectors(batch[task.file.embeddings])
        known = vectors.is_valid()
        vectors = vectors.filter(known)
        count = len(vectors)
        names = _names(task.number, batch.num_rows, done).filter(known)
        heads = [pa.array(np.full(count, FIXED_PIXELS)), _numbers(count), names, pa.array([""] * count)]
        add_images(out, cells, heads, vectors, task.receivers)
        done += batch.num_rows
    out.close()
    receipt.rows_in = receipt.rows_out = done
    return receipt


def _numbers(count: int) -> pa.Array:
    return pa.array(np.arange(count, dtype=np.uint64))


def _names(number: int, count: int, start: int = 0) -> pa.Array:
    return pa.array([f"{FIXED}{number}.{row}" for row in range(start, start + count)], pa.string())
