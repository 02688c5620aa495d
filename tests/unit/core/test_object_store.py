"""Object stores differ from disks: no renames, no folders, and uploads that appear when they are complete."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from tests.s3_server import s3_server


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with s3_server("bucket", monkeypatch) as fs:
        yield fs


@pytest.mark.parametrize("size", [10, 60 << 20], ids=["one_request", "parts"])
@pytest.mark.filterwarnings("error")
def test_an_upload_that_fails_leaves_nothing(s3: Any, size: int) -> None:
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
    assert [file.path for file in storage.list_files(["s3://bucket/run"])] == [
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
