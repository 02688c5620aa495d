"""Indexes beside shards equal a walk over the tars with Python's tarfile, also after samples were removed."""

import json
import shutil
import sqlite3
import struct
import tarfile
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from curation.core.parts import Part
from curation.core.removal_lists import read_removals
from curation.images.ranges import Ranges
from curation.shards.energon import write_sqlite
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.shard_set import ShardSet
from tests.shard_data import curated_rows
from tests.unit.shards.test_check import problems
from tests.unit.shards.test_write import URLS, bodies, make_shards, samples, stored


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of 25, 25 and 7 samples; not to be written to."""
    folder = tmp_path_factory.mktemp("made")
    downloads, lists = stored(folder, curated_rows(URLS), bodies(), Ranges(1, 0))
    make_shards(folder, downloads, lists, Ranges(1, 0), size=25)
    return folder / "shards"


@pytest.fixture
def part(made: Path, tmp_path: Path) -> Part:
    """A copy of the shards."""
    shutil.copytree(made, tmp_path / "shards", copy_function=shutil.copyfile)
    (part,) = ShardSet(f"{tmp_path}/shards").parts()
    return part


def walk(tar: Path) -> tuple[list[list[tuple[str, int, int, str]]], list[int]]:
    """The members of each sample as DALI lists them, and the places where samples begin and the last one ends."""
    found: dict[str, list[tuple[str, int, int, str]]] = {}
    starts = []
    with tarfile.open(tar) as archive:
        for entry in archive:
            key, extension = entry.name.split(".")
            if key not in found:
                starts.append(entry.offset)
            found.setdefault(key, []).append((extension, entry.offset_data, entry.size, entry.name))
        return list(found.values()), [*starts, archive.offset]


def agree(folder: Path) -> None:
    tars = sorted(folder.glob("*.tar"))
    for tar in tars:
        members, places = walk(tar)
        first, *lines = tar.with_suffix(".idx").read_text().splitlines()
        assert first == f"v1.2 {len(members)}"
        assert lines == [" ".join(f"{e} {o} {s} {n}" for e, o, s, n in sample) for sample in members]
        data = tar.with_suffix(".tar.idx").read_bytes()
        assert list(struct.unpack(f"<{len(data) // 8}Q", data)) == places
    info = json.loads((folder / ".nv-meta/.info.json").read_text())
    assert info["shard_counts"] == {tar.name: len(walk(tar)[0]) for tar in tars if walk(tar)[0]}


def test_indexes_equal_a_walk_over_the_tars(part: Part) -> None:
    folder = Path(part.path)
    assert len(list(folder.glob("*.tar"))) == 3
    agree(folder)
    splits = (folder / ".nv-meta/split.yaml").read_text()
    assert [line[4:] for line in splits.splitlines() if line.startswith("  - ")] == [f"0000{k}.tar" for k in range(3)]
    UUID((folder / ".nv-meta/index.uuid").read_text())


def test_they_stay_true_when_samples_are_removed(part: Part, tmp_path: Path) -> None:
    folder = Path(part.path)
    write_sqlite(part)
    (folder / ".nv-meta/split.yaml").write_text("a user's own")
    before = (folder / ".nv-meta/index.uuid").read_text()
    every = [meta["uid"] for meta, *_ in samples(tmp_path)]
    gone = [every[3], *every[50:]]  # of the last shard nothing is left
    receipts = [remove_from_shard(task, read_removals(tuple(gone))) for task in plan_removing(part)]
    ShardSet(part.path).amend(receipts)
    agree(folder)
    assert problems(tmp_path) == []
    assert (folder / ".nv-meta/split.yaml").read_text() == "a user's own"
    assert (folder / ".nv-meta/index.uuid").read_text() != before
    with closing(sqlite3.connect(folder / ".nv-meta/index.sqlite")) as base:
        found = base.execute("SELECT sample_key FROM samples ORDER BY tar_file_id, sample_index").fetchall()
    assert [key for (key,) in found] == [uid for uid in every if uid not in gone]


def test_keys_lead_to_the_bytes_of_a_sample(part: Part) -> None:
    write_sqlite(part)
    tars = sorted(Path(part.path).glob("*.tar"))
    query = """SELECT s.tar_file_id, sample_key, byte_offset, byte_size, part_name, content_byte_offset,
        content_byte_size FROM samples s JOIN sample_parts p
        ON s.tar_file_id = p.tar_file_id AND s.sample_index = p.sample_index"""
    with closing(sqlite3.connect(Path(part.path, ".nv-meta/index.sqlite"))) as base:
        rows = base.execute(query).fetchall()
    assert len(rows) == 3 * 57
    entries = {}
    for number, tar in enumerate(tars):
        with tarfile.open(tar) as archive:
            entries |= {(number, entry.name): entry for entry in archive}
    for tar, key, start, size, extension, offset, bytes_ in rows:
        entry = entries[tar, f"{key}.{extension}"]
        assert (entry.offset_data, entry.size) == (offset, bytes_)
        assert start <= entry.offset < start + size
        assert entries[tar, f"{key}.json"].offset == start


def test_a_set_of_an_older_version_gets_no_index_that_would_be_false(part: Part, tmp_path: Path) -> None:
    folder = Path(part.path)
    for path in (*folder.glob("*.idx"), *folder.glob(".nv-meta/*")):
        path.unlink()
    (folder / ".nv-meta").rmdir()
    uid = samples(tmp_path)[0][0]["uid"]
    receipts = [remove_from_shard(task, read_removals((uid,))) for task in plan_removing(part)]
    ShardSet(part.path).amend(receipts)
    assert not list(folder.glob("*.idx"))
    assert not (folder / ".nv-meta").exists()
    assert problems(tmp_path) == []


def test_check_shards_finds_an_index_of_another_tar(part: Part, tmp_path: Path) -> None:
    folder = Path(part.path)
    (folder / "00000.idx").write_bytes((folder / "00001.idx").read_bytes())
    (folder / "00001.tar.idx").write_bytes((folder / "00001.tar.idx").read_bytes()[:-8])
    assert problems(tmp_path) == [
        "00000.tar: 00000.idx is not the index of this tar",
        "00001.tar: 00001.tar.idx is not the index of this tar",
    ]
