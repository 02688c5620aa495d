"""Duplicates among all images, and images on removal lists.

Rows are partitioned by hash, so duplicates reach the same task; the dropped uids are sent back to their group.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import Faces, NearDuplicates
from curation.core.draws import hash64
from curation.core.exchange import read_slices, write_slices
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.removal_lists import DIGITS, Removals, read_removals
from curation.core.schemas import CANDIDATES
from curation.core.string_buffers import equals_previous
from curation.core.table_reader import read_rows
from curation.images.ranges import Ranges, list_name, top_bits
from curation.shards.benchmark_images import REASON, BenchmarkRules, column_of, drop_benchmark_images
from curation.shards.dropped import add_examples
from curation.shards.face_boxes import drop_faces
from curation.shards.perceptual_hash import IMAGEHASH, PHASHES, QUICK, phashes_path
from curation.shards.selection import CHOSEN, write_survivors
from curation.shards.stored_vectors import read_vectors

KEYS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("pixels", pa.int64(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("uid", pa.string(), nullable=False),
    ]
)
"""An image as it is compared with others; `key` is the perceptual hash if near duplicates are dropped, else the
sha256. With perceptual hashes an image may have a second row, for other sets alone: OF_FILE and its sha256."""
OF_FILE = "file "
FIXED, FIXED_PIXELS = "*", np.iinfo(np.int64).max
"""Beginning of the uids of images of other sets, and their pixels: they come first, and stay in any case."""
IN_OTHER_SET = "in_other_set"
DROPPED = pa.schema([KEYS.field("uid"), pa.field("reason", pa.string(), nullable=False)])
PASSED = pa.schema([KEYS.field("uid")])
"""The uids of the images that pass an SQL filter."""
COMPARED = ["uid", "sha256", "original_width", "original_height", "order", "row", "bytes", "generation"]
BY_QUALITY = [("key", "ascending"), ("pixels", "descending"), ("order", "ascending"), ("uid", "ascending")]


@dataclass(frozen=True)
class UniqueRules:
    """Which images are duplicates: those with equal perceptual hashes (`near` is true or hash), else equal files.

    Images of removal lists, which hold perceptual hashes if `hashes_removed`, and of benchmarks are left out before. If
    there are other sets (`others`), files are compared with theirs, beside the perceptual hashes.
    """

    near: NearDuplicates
    removals: tuple[str, ...]
    benchmarks: BenchmarkRules = field(default_factory=BenchmarkRules)
    hashes_removed: bool = False
    others: bool = False

    @property
    def near_version(self) -> int | None:
        """The version of the perceptual hashes by which duplicates are found; None: they are not."""
        return {NearDuplicates.true: IMAGEHASH, NearDuplicates.hash: QUICK}.get(self.near)

    @property
    def versions(self) -> list[int]:
        """The versions of the perceptual hashes that are compared."""
        needed = {self.near_version, self.benchmarks.version} - {None}
        if needed and self.hashes_removed:
            needed.add(IMAGEHASH)
        return sorted(version for version in needed if version)


@dataclass(frozen=True)
class KeyTask:
    """A group of ranges, and the status files of each range (oldest first).

    Reads the folder `candidates`, the file `passed` (None: there is no SQL filter; no such file: no image passed), and
    the folder `boxes` of faces unless `faces` is keep, and the folder `vectors` ("": none are compared with those of
    benchmarks); writes the folder `chosen`, the file `keys`, and, if benchmarks are given, the file `hits`.
    """

    group: int
    status: dict[str, list[str]]
    candidates: str
    passed: str | None
    chosen: str
    keys: str
    hits: str
    boxes: str = ""
    faces: Faces = Faces.keep
    vectors: str = ""


@dataclass(frozen=True)
class DuplicatesTask:
    """The receiver of a range of keys; reads its slices in the folder `keys`, and writes the file `dropped`."""

    receiver: int
    keys: str
    dropped: str


@dataclass(frozen=True)
class DropTask:
    """A group of ranges; reads the folders `chosen` and `dropped`, and writes the folder `survivors`."""

    group: int
    chosen: str
    dropped: str
    survivors: str


def key_images(task: KeyTask, ranges: Ranges, rules: UniqueRules) -> Receipt:
    """Drop images by filter, faces, removal lists and benchmarks; send the keys of others to `find_duplicates`.

    Reasons: filter, no_face_boxes, face, removed, benchmark_image.
    """
    removals = read_removals(rules.removals)
    passed = _read_passed(task.passed) if task.passed else None
    receipt = Receipt(f"keys of group {task.group}")
    keys, hits = [], []
    for number in ranges.in_group(task.group):
        path = list_name(number)
        rows = read_rows(storage.join(task.candidates, path), CANDIDATES, COMPARED)
        rows = rows.append_column("place", pa.array(np.arange(rows.num_rows, dtype=np.int32)))
        receipt.rows_in += rows.num_rows
        if passed is not None:
            passes = pc.is_in(rows["uid"], passed)
            kept = rows.filter(passes)
            receipt.drops["filter"] += rows.num_rows - kept.num_rows
            shown = _shown(rows.filter(pc.invert(passes)), task, number, rules, removals)
            add_examples(receipt, "filter", shown["uid"], ranges.seed)
            rows = kept
        if task.faces != Faces.keep:
            rows = drop_faces(rows, storage.join(task.boxes, path), task.faces, receipt)
        rows = _with_phashes(rows, task, number, rules.versions)
        rows = _remove(rows, removals, receipt)
        if rules.benchmarks:
            vectors = read_vectors(storage.join(task.vectors, path), rows["place"]) if task.vectors else None
            rows, found = drop_benchmark_images(rows, rules.benchmarks, receipt, vectors)
            add_examples(receipt, REASON, found["uid"], ranges.seed)
            hits.append(found)
        keys.append(_keys(rows, column_of(rules.near_version) if rules.near_version else "sha256"))
        if rules.near_version and rules.others:
            of_files = pc.binary_join_element_wise(OF_FILE, rows["sha256"], "")
            keys.append(_keys(rows.append_column("file", of_files), "file"))
        receipt.rows_out += rows.num_rows
        write_rows(storage.join(task.chosen, path), rows.select(CHOSEN.names).cast(CHOSEN))
    table = pa.concat_tables(keys).combine_chunks()
    receivers = top_bits(hash64(ranges.seed, "duplicates", _one_chunk(table["key"])), ranges.groups)
    write_slices(task.keys, table, receivers, ranges.groups)
    if hits:
        write_rows(task.hits, pa.concat_tables(hits))
    return receipt


def find_duplicates(task: DuplicatesTask, ranges: Ranges) -> Receipt:
    """Find duplicates among the images whose key falls to this receiver, and send the dropped uids to their groups.

    Reasons: duplicate_image, near_duplicate; in_other_set for an image with the key of one of another set.

    Of the images with one key, the image with the most pixels stays; among several with the most pixels, the first
    in the final order. Equal files have equal keys of either kind.
    """
    rows = read_slices(task.keys, task.receiver)
    of_file = pc.starts_with(rows["key"], OF_FILE)
    found = pa.concat_tables([_duplicates(rows.filter(pc.invert(of_file))), _in_others(rows.filter(of_file))])
    groups = top_bits(found["order"].to_numpy(), ranges.groups)
    write_slices(task.dropped, found.select(DROPPED.names), groups, ranges.groups)
    return Receipt(f"duplicates {task.receiver}", rows_in=rows.num_rows, rows_out=rows.num_rows)


def _duplicates(rows: pa.Table) -> pa.Table:
    """Return uid, order and reason of the images that an image with their key stands before."""
    rows = rows.sort_by(BY_QUALITY)
    duplicate = equals_previous(_one_chunk(rows["key"]))
    # The reason is duplicate_image if the same file stands before the image, among the files of its key.
    by_file = np.lexsort((np.arange(rows.num_rows), _one_chunk(rows["sha256"]).dictionary_encode().indices.to_numpy()))
    exact = np.zeros(rows.num_rows, bool)
    exact[by_file] = equals_previous(_one_chunk(rows["sha256"]).take(pa.array(by_file)))
    reasons = np.where(exact, "duplicate_image", "near_duplicate")
    fixed = np.asarray(pc.starts_with(rows["uid"], FIXED))
    if fixed.any():
        heads = np.maximum.accumulate(np.where(duplicate, 0, np.arange(rows.num_rows)))
        reasons = np.where(fixed[heads], IN_OTHER_SET, reasons)
        duplicate = duplicate & ~fixed
    told = pa.array(reasons, pa.string())
    return _dropped(rows, told).filter(pa.array(duplicate))


def _in_others(rows: pa.Table) -> pa.Table:
    """Return uid, order and reason of the images whose file another set has."""
    fixed = pc.starts_with(rows["uid"], FIXED)
    mine = rows.filter(pc.invert(fixed))
    known = _one_chunk(rows["key"].filter(fixed))
    mine = mine.filter(pc.is_in(mine["key"], known))
    return _dropped(mine, pa.array([IN_OTHER_SET] * mine.num_rows, pa.string()))


def _dropped(rows: pa.Table, reasons: pa.Array) -> pa.Table:
    return rows.select(["uid", "order"]).append_column(DROPPED.field("reason"), reasons)


def drop_duplicates(task: DropTask, ranges: Ranges) -> Receipt:
    """Drop the duplicates of a group, and write the survivors of each range in the final order.

    Reasons: duplicate_image, near_duplicate, in_other_set.
    """
    dropped = read_slices(task.dropped, task.group)
    others = pc.equal(dropped["reason"], IN_OTHER_SET)  # an image may have two reasons: the first counts
    dropped = pa.concat_tables([dropped.filter(others), dropped.filter(pc.invert(others))])
    receipt = Receipt(f"samples of group {task.group}")
    for number in ranges.in_group(task.group):
        rows = read_rows(storage.join(task.chosen, list_name(number)), CHOSEN)
        receipt.rows_in += rows.num_rows
        place = pc.index_in(rows["uid"], _one_chunk(dropped["uid"]))
        found = dropped["reason"].take(place.drop_null())
        receipt.drops.update(found.to_pylist())
        gone = rows["uid"].filter(place.is_valid())
        for name in found.unique().to_pylist():
            add_examples(receipt, name, gone.filter(pc.equal(found, name)), ranges.seed)
        kept = rows.filter(place.is_null())
        receipt.outputs.append(write_survivors(task.survivors, number, kept))
        receipt.rows_out += kept.num_rows
    return receipt


def _read_passed(path: str) -> pa.Array:
    # Spark writes no file for a group that it knows to be empty.
    return _one_chunk(read_rows(path, PASSED)["uid"]) if storage.exists(path) else pa.array([], pa.string())


def _shown(rows: pa.Table, task: KeyTask, number: int, rules: UniqueRules, removals: Removals) -> pa.Table:
    """Return the rows of a range that no later rule hides: those of faces and of removal lists."""
    unseen = Receipt("images that are no examples")
    if task.faces != Faces.keep and rows.num_rows:
        rows = drop_faces(rows, storage.join(task.boxes, list_name(number)), task.faces, unseen)
    versions = rules.versions if rules.hashes_removed else []
    return _remove(_with_phashes(rows, task, number, versions), removals, unseen)


def _with_phashes(rows: pa.Table, task: KeyTask, number: int, versions: list[int]) -> pa.Table:
    for version in versions:
        hashes = _phashes(rows, task.status.get(str(number), []), version)
        rows = rows.append_column(column_of(version), hashes)
    return rows


def _phashes(rows: pa.Table, status_files: list[str], version: int) -> pa.Array:
    """Return the perceptual hash of each row, from the file of its generation."""
    found = pa.array([None] * rows.num_rows, pa.string())
    for generation, path in enumerate(status_files):
        hashes = read_rows(phashes_path(path, version), PHASHES)
        value = hashes["phash"].take(pc.index_in(rows["uid"], _one_chunk(hashes["uid"])))
        found = pc.if_else(pc.equal(rows["generation"], generation), value, found)
    return found


def _remove(rows: pa.Table, removals: Removals, receipt: Receipt) -> pa.Table:
    removed = removals.mask({name: rows[name] for name in DIGITS if name in rows.column_names})
    receipt.drops["removed"] += int(removed.sum())
    return rows.filter(pa.array(~removed))


def _keys(rows: pa.Table, key: str) -> pa.Table:
    pixels = pc.multiply(rows["original_width"].cast(pa.int64()), rows["original_height"].cast(pa.int64()))
    return pa.table([rows[key], rows["sha256"], pixels, rows["order"], rows["uid"]], KEYS)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
