"""Object stores differ from disks: no renames, no folders, and uploads that appear when they are complete."""

import contextvars
import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from curation.core import leases, storage
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.lease_files import Lease, LeaseFile, read_lease
from curation.core.leases import hold_leases
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from tests.s3_server import empty, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, s3_server("bucket", patch) as fs:
        yield fs


@pytest.fixture
def s3(server: Any) -> Any:
    """The file system of the server, with an empty bucket."""
    empty(server, "bucket")
    return server


@pytest.mark.parametrize("size", [10, 6 << 20], ids=["one_request", "parts"])
@pytest.mark.filterwarnings("error")
def test_an_upload_that_fails_leaves_nothing(s3: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "default_block_size", 5 << 20)  # the smallest part that S3 takes

    def write() -> None:
        with storage.AtomicFile("s3://bucket/a/file") as file:
            file.write(bytes(size))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    gc.collect()
    assert not storage.exists("s3://bucket/a/file")
    assert s3.call_s3("list_multipart_uploads", Bucket="bucket").get("Uploads", []) == []
    storage.write_bytes("s3://bucket/a/file", bytes(size))
    assert s3.size("bucket/a/file") == size


def test_what_others_write_is_seen_at_once(s3: Any) -> None:
    assert storage.list_folder("s3://bucket/run") == []
    assert not storage.exists("s3://bucket/run/part/a")
    s3.pipe("bucket/run/part/a", b"1")
    assert storage.list_folder("s3://bucket/run") == ["part"]
    assert storage.list_folder("s3://bucket/run/part") == ["a"]
    s3.pipe("bucket/run/part/b", b"1")
    assert storage.list_folder("s3://bucket/run/part") == ["a", "b"]
    assert [file.path for file in list_files(["s3://bucket/run"])] == [
        "s3://bucket/run/part/a",
        "s3://bucket/run/part/b",
    ]
    s3.rm("bucket/run/part/b")
    assert not storage.exists("s3://bucket/run/part/b")


def test_a_table_is_there_when_its_manifest_is(s3: Any) -> None:
    table, recipe = Table("s3://bucket/run/pairs"), Recipe("extract_pairs", 1, {}, [{"path": "a", "id": "1"}])
    folder = table.begin(0)
    storage.write_bytes(storage.join(folder, "00000.parquet"), b"rows")
    assert table.parts() == []
    receipt = Receipt("a", outputs=[{"path": storage.join(folder, "00000.parquet"), "rows": 0, "bytes": 4}])
    table.commit(0, recipe, [receipt], 0.0)
    (part,) = table.parts()
    assert part.files == ["s3://bucket/run/pairs/part-00000/00000.parquet"]
    assert table.begin(0) == part.path
    assert s3.find("bucket/run") == []


def test_files_are_deleted_together_and_their_sizes_are_listed(s3: Any) -> None:
    for name in ("a", "b", "c", "folder/d"):
        s3.pipe(f"bucket/run/{name}", b"123")
    assert storage.list_sizes("s3://bucket/run") == {"a": 3, "b": 3, "c": 3}
    storage.remove_files(["s3://bucket/run/a", "s3://bucket/run/c"])
    assert storage.list_sizes("s3://bucket/run") == {"b": 3}
    assert storage.list_sizes("s3://bucket/none") == {}
    # The client takes `[1]` for a glob that matches `run1`.
    for name in ("run[1]/part/a", "run[1]/c", "run1/part/a", "run1/c"):
        s3.pipe(f"bucket/{name}", b"123")
    storage.remove("s3://bucket/run[1]/part")
    storage.remove_files(["s3://bucket/run[1]/c"])
    assert s3.find("bucket/run1") + s3.find("bucket/run[1]") == ["bucket/run1/c", "bucket/run1/part/a"]
    assert len(list_files(["s3://bucket/run1/[cd]", "s3://bucket/run1/part"])) == 2


def test_one_run_at_a_time_writes_to_a_folder(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "sleep", lambda _: None)
    folder = "s3://bucket/run/pairs"

    def second() -> None:
        with hold_leases("match_pairs", [folder]):
            pass

    with hold_leases("extract_pairs", [folder]):
        assert s3.find("bucket/run") == ["bucket/run/pairs/.lease"]
        with pytest.raises(HeadtailError, match=r"another run \(extract_pairs, process"):
            contextvars.Context().run(second)
        lease = read_lease(LeaseFile(folder).read())
    assert s3.find("bucket/run") == []
    LeaseFile(folder).replace(Lease(replace(lease.owner, process_start="1")), None)
    second()
    assert s3.find("bucket/run") == []
    nowhere = hold_leases("extract_pairs", ["s3://nowhere/run/pairs"])
    with pytest.raises(HeadtailError, match=r"s3://nowhere/run/pairs/\.lease cannot be used: FileNotFoundError"):
        nowhere.__enter__()
