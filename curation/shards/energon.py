"""The folder `.nv-meta`, with which Megatron-Energon reads a set of shards without an `energon prepare` of hours.

Format: Megatron-Energon 7, `.nv-meta/{dataset.yaml, split.yaml, .info.json, index.uuid, index.sqlite}`.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from uuid import UUID

from curation.core import storage
from curation.core.parts import Part
from curation.core.tar_writer import BLOCK, padding
from curation.shards.indexes import index_paths, read_index

FOLDER = ".nv-meta"
VERSION = "7.0.0"
"""The version of Energon whose format this is."""
SQLITE = "index.sqlite"
MAX_SQLITE_SAMPLES = 10_000_000
DATASET = """# Written by headtail: images and captions, as Megatron-Energon's CaptioningSample.
sample_type:
  __module__: megatron.energon
  __class__: CaptioningSample
field_map:
  image: jpg,png,webp
  caption: txt
"""
TABLES = """
CREATE TABLE samples (
    tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL, byte_offset INTEGER,
    byte_size INTEGER);
CREATE TABLE sample_parts (
    tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, content_byte_offset INTEGER, content_byte_size INTEGER);
"""
KEYS = """
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset);
CREATE INDEX idx_sample_parts_full
    ON sample_parts(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size);
"""


def write_energon(part: Part, *, splits: bool) -> None:
    """Write the folder beside the shards of a complete set, without index.sqlite, which `write_sqlite` writes.

    `splits` writes split.yaml, too, which users may edit. A set whose shards lack an index is left alone.
    """
    present = set(storage.list_folder(part.path))
    rows = _samples(part)
    if not rows or not all(set(index_paths(tar)) <= present for tar in rows):
        return
    folder = storage.join(part.path, FOLDER)
    storage.remove(storage.join(folder, SQLITE))
    storage.write_bytes(storage.join(folder, "dataset.yaml"), DATASET.encode())
    if splits:
        storage.write_bytes(storage.join(folder, "split.yaml"), _splits(list(rows)).encode())
    storage.write_json(storage.join(folder, ".info.json"), {"energon_version": VERSION, "shard_counts": rows})
    digest = hashlib.sha256(json.dumps([entry["tar_sha256"] for entry in part.manifest["files"]]).encode())
    storage.write_bytes(storage.join(folder, "index.uuid"), str(UUID(bytes=digest.digest()[:16], version=4)).encode())


def has_energon(folder: str) -> bool:
    """Return whether a folder of shards has `.nv-meta` as write_energon writes it."""
    return storage.exists(storage.join(folder, FOLDER, "index.uuid"))


def has_sqlite(folder: str) -> bool:
    """Return whether a folder of shards has index.sqlite."""
    return storage.exists(storage.join(folder, FOLDER, SQLITE))


def write_sqlite(part: Part) -> None:
    """Write index.sqlite, with which Energon finds samples by key, from the indexes of the shards of a complete set."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, SQLITE)
        with closing(sqlite3.connect(path)) as base, base:
            base.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {TABLES}")
            for number, tar in enumerate(_samples(part)):
                _insert_shard(base, number, storage.join(part.path, tar))
            base.executescript(KEYS)
        with storage.AtomicFile(storage.join(part.path, FOLDER, SQLITE)) as file, path.open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 24)


def _samples(part: Part) -> dict[str, int]:
    """Return the samples of each tar that has any: Energon refuses empty ones."""
    return {entry["tar"]: entry["rows"] for entry in part.manifest["files"] if entry["rows"]}


def _insert_shard(base: sqlite3.Connection, number: int, tar: str) -> None:
    samples, parts = [], []
    for index, members in enumerate(read_index(tar)):
        _, first, _, name = members[0]
        _, last, size, _ = members[-1]
        start, stop = first - BLOCK, last + size + len(padding(size))
        samples.append((number, name.partition(".")[0], index, start, stop - start))
        parts += [(number, index, extension, offset, size) for extension, offset, size, _ in members]
    base.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", samples)
    base.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", parts)


def _splits(tars: list[str]) -> str:
    listed = "".join(f"  - {tar}\n" for tar in tars)
    return f"split_parts:\n  train:\n{listed}  val: []\n  test: []\nexclude: []\n"
