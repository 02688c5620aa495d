"""Images that lie in shards of others: found by uid, and used only if they are unchanged."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.core import storage
from curation.core.parquet_sink import ParquetSink
from curation.core.recipes import Recipe
from curation.core.schemas import DOWNLOAD_STATUS, LISTS, STORED
from curation.core.tables import Table
from curation.images.download import download_list
from curation.images.download_lists import SliceTask, slice_places
from curation.images.download_rows import DownloadTask
from curation.images.ranges import Ranges
from curation.images.status import read_status
from curation.images.stored_images import add_places, take_image
from tests.http_server import ImageServer, draw
from tests.unit.images.test_download import SETTINGS

PLACES = pa.schema([pa.field("uid", pa.string()), *STORED])


def write_places(path: Path, places: list[tuple[str, str, int]]) -> str:
    """Write a file of pairs with the columns of places alone, from (uid, file, offset)."""
    rows = [
        {"uid": uid, "image_file": file, "image_offset": offset, "image_bytes": 1, "image_sha256": "x"}
        for uid, file, offset in places
    ]
    with ParquetSink(str(path), PLACES) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, PLACES))
    return str(path)


def part_of(folder: Path, *inputs: str) -> str:
    """Write the manifest of a part of pairs that was made from these shards; return the path of the part."""
    Table(str(folder)).begin(0)
    recipe = Recipe("extract_pairs", 1, {}, [{"path": path, "size": 1, "version": ""} for path in inputs])
    return Table(str(folder)).commit(0, recipe, [], 0.0).path


@pytest.mark.parametrize("count", [1, 4])
def test_places_come_to_the_rows_of_their_uid(tmp_path: Path, count: int) -> None:
    ranges = Ranges(count, 0)
    uids = [f"{k:024x}" for k in range(300)]
    files = [
        write_places(tmp_path / "0.parquet", [(uid, "a", k) for k, uid in enumerate(uids) if k % 3 == 0] * 2),
        write_places(tmp_path / "1.parquet", [(uid, "b", k) for k, uid in enumerate(uids) if k % 3 != 2]),
        write_places(tmp_path / "2.parquet", []),
    ]
    part = part_of(tmp_path / "pairs", "a", "b")
    for number, path in enumerate(files):
        slice_places(SliceTask(path, f"{tmp_path}/places/{number:06d}", part), ranges).check()
    asked = pa.array(uids[50:])
    group_of = ranges.of(ranges.order(asked))
    for group in range(count):
        rows = pa.table({"uid": asked.filter(pa.array(group_of == group))})
        found = {row["uid"]: (row["image_file"], row["image_offset"]) for row in
                 add_places(rows, f"{tmp_path}/places", group).to_pylist()}  # fmt: skip
        assert found == {
            uid: [("a", k), ("b", k), (None, None)][k % 3] for uid in rows["uid"].to_pylist() for k in [int(uid, 16)]
        }


FOREIGN = [
    "/etc/passwd",
    "http://169.254.169.254/latest",
    "s3://b/other.tar",
    "/data/../secret/a.tar",
    "file:///data/a.tar",
]


@pytest.mark.parametrize("inputs", [2, 200], ids=["inline", "in a file"])
def test_places_elsewhere_than_in_the_shards_of_the_part_are_refused(tmp_path: Path, inputs: int) -> None:
    signed, chain = "https://me:pw@h.org/a.tar?key=1", "zip://a.tar::http://10.0.0.1/b.zip"
    shards = ["/data/a.tar", signed, chain, *(f"/data/{k}.tar" for k in range(inputs))]
    part = part_of(tmp_path / "pairs", *shards)
    named = ["/data/a.tar", signed, chain, "https://h.org/a.tar", "https://me:pw@h.org/a.tar?key=2", *FOREIGN]
    places = [(f"{k:024x}", path, k) for k, path in enumerate(named)]
    path = write_places(tmp_path / "0.parquet", places)
    receipt = slice_places(SliceTask(path, f"{tmp_path}/places/0", part), Ranges(1, 0)).check()
    assert (receipt.rows_in, receipt.rows_out, receipt.drops) == (10, 2, {"foreign_place": 8})
    assert receipt.failures[0]["error"] == "zip://a.tar::http://10.0.0.1/b.zip"
    rows = pa.table({"uid": pa.array([uid for uid, _, _ in places])})
    kept = add_places(rows, f"{tmp_path}/places", 0)["image_file"].to_pylist()
    assert kept == ["/data/a.tar", signed, *[None] * 8]


@pytest.mark.parametrize("path", ["ftp://127.0.0.1/a.tar", "simplecache::http://127.0.0.1/a.tar", "memory://a.tar"])
def test_an_image_is_read_from_no_other_kind_of_place(path: str) -> None:
    storage.write_bytes("memory://a.tar", b"image")
    place = {
        "image_file": path,
        "image_offset": 0,
        "image_bytes": 5,
        "image_sha256": hashlib.sha256(b"image").hexdigest(),
    }
    assert take_image(place, 5).status == "unreadable"


def place_of(path: Path, data: bytes, offset: int = 5) -> dict[str, Any]:
    path.write_bytes(bytes(offset) + data + b"rest")
    return {
        "image_file": str(path),
        "image_offset": offset,
        "image_bytes": len(data),
        "image_sha256": hashlib.sha256(data).hexdigest(),
    }


def test_only_an_unchanged_image_is_used(tmp_path: Path) -> None:
    place = place_of(tmp_path / "a.tar", b"image")
    taken = take_image(place, 5)
    assert (taken.status, taken.body.read(), taken.sha256) == ("success", b"image", place["image_sha256"])
    assert take_image(place, 4).status == "too_large"
    assert take_image(place_of(tmp_path / "b.tar", b""), 5).status == "empty"
    for data in (bytes(5) + b"imagE", b"", None):
        (tmp_path / "a.tar").unlink()
        if data is not None:
            (tmp_path / "a.tar").write_bytes(data)
        changed = take_image(place, 5)
        assert (changed.status, changed.body) == ("unreadable", None)
        assert "a.tar" in (changed.error or "")


def test_a_list_reads_stored_images_and_fetches_the_others(tmp_path: Path) -> None:
    uids = [f"{k:024x}" for k in range(6)]
    with ImageServer() as server:
        rows = []
        for k, uid in enumerate(uids):
            row = {"uid": uid, "url": server.url(f"image/{k}.jpg"), "text": "t", "lang": "en", "keep_probability": 1.0}
            place = place_of(tmp_path / f"{k}.tar", draw(k)) if k % 2 else dict.fromkeys(STORED.names)
            rows.append(row | {"texts": [], "order": k} | place)
        rows[5]["image_sha256"] = "0" * 64
        rows[1]["url"] = ""
        with ParquetSink(str(tmp_path / "list.parquet"), pa.schema([*LISTS, *STORED])) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, pa.schema([*LISTS, *STORED])))
        task = DownloadTask(str(tmp_path / "list.parquet"), (), str(tmp_path / "range-000000.parquet"))
        receipt = download_list(task, SETTINGS).check()
        assert set(server.hits) == {f"/image/{k}.jpg" for k in (0, 2, 4)}
    status = read_status([task.status_path])
    assert status.drop_columns("generation").schema.equals(DOWNLOAD_STATUS)
    assert status["status"].to_pylist() == ["success"] * 5 + ["unreadable"]
    assert receipt.drops == {"unreadable": 1}
    assert status["http_status"].to_pylist()[:2] == [200, None]
    assert status["sha256"][1].as_py() == rows[1]["image_sha256"]
