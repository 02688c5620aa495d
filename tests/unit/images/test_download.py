"""Downloads from curated rows to images, without Spark: the tasks of each step run one after the other."""

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, DOWNLOAD_STATUS, LISTS, STORED
from curation.core.tables import Table
from curation.images import fetch
from curation.images.download import DownloadSettings, download_list
from curation.images.download_lists import ListPlan, SliceTask, slice_curated, write_lists
from curation.images.download_rows import DownloadTask
from curation.images.downloads import Downloads, download_recipe, plan_downloads
from curation.images.ranges import Ranges, count_ranges, list_name
from curation.images.status import images_path, read_status
from tests.cluster.cluster import free_port
from tests.http_server import ImageServer, draw, png_bomb, webp_bomb
from tests.shard_data import curate, curated_rows
from tests.unit.images.settings import download_settings, fetch_settings, image_settings

SETTINGS = download_settings(
    fetch=fetch_settings(timeout_seconds=1.5, max_bytes=1 << 20, allow_private_hosts=("127.0.0.1/32",)),
    image=image_settings(size=32),
    threads=8,
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RETRY_PAUSE_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        yield server


def plan(folder: Path, rows: list[dict], ranges: Ranges, buckets: int = 1) -> Part:
    """Write the download lists of curated rows."""
    plan = ListPlan(f"{folder}/lists", [curate(folder, rows, buckets)], Table(f"{folder}/pairs"), ranges)
    plan.begin()
    sliced = [slice_curated(task, ranges).check() for task in plan.curated_tasks()]
    return plan.commit(sliced, Receipt("places"), [write_lists(task, ranges).check() for task in plan.list_tasks()], 0)


def download(
    downloads: Downloads, lists: Part, ranges: Ranges, settings: DownloadSettings = SETTINGS, stop_after: int = 999
) -> list[Receipt]:
    """Do what the job does; stop after some lists, like a killed job."""
    downloads.close_unfinished()
    recipe = download_recipe(settings, [lists])
    number = downloads.begin_generation(recipe, ranges)
    tasks = plan_downloads(downloads, lists, ranges, downloads.part_path(number))
    receipts = [download_list(task, settings).check() for task in tasks[:stop_after]]
    if stop_after > len(tasks):
        downloads.end_generation(number, recipe, ranges, receipts, 0)
    return receipts


def statuses(downloads: Downloads) -> dict[str, str]:
    """Return the status by path of the URL."""
    found = pa.concat_tables([read_status(files) for files in downloads.status_files().values()])
    urls = [url.split("/", 3)[3].split("?")[0] for url in found["url"].to_pylist()]
    return dict(zip(urls, found["status"].to_pylist(), strict=True))


def test_lists_hold_every_image_once_in_the_final_order(tmp_path: Path) -> None:
    rows = curated_rows([f"http://example.org/{index}" for index in range(200)])
    ranges = Ranges(8, 3)
    lists = plan(tmp_path, rows, ranges, 3)
    tables = [pq.read_table(path) for path in lists.files]
    assert [path[-len(list_name(0)) :] for path in lists.files] == [list_name(number) for number in range(8)]
    found = pa.concat_tables(tables)
    order = found["order"].to_numpy()
    assert (np.diff(order.astype(object)) >= 0).all()
    assert [int(o) >> 61 for o in order] == [n for n, table in enumerate(tables) for _ in range(table.num_rows)]
    assert sorted(found.select(CURATED.names).to_pylist(), key=lambda row: row["uid"]) == rows
    assert min(table.num_rows for table in tables) > 10


def test_lists_do_not_depend_on_the_buckets_they_came_from(tmp_path: Path) -> None:
    rows = curated_rows([f"http://example.org/{index}" for index in range(200)])
    digests = []
    for buckets in (1, 7):
        lists = plan(tmp_path / str(buckets), rows, Ranges(4, 0), buckets)
        digests.append([hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in lists.files])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("images", "ranges"), [(0, 1), (1, 1), (10, 1), (11, 2), (40, 4), (41, 8)])
def test_the_number_of_ranges_is_a_power_of_two(images: int, ranges: int) -> None:
    assert count_ranges(images, 10) == ranges


def test_every_attempt_has_a_row_and_images_lie_where_it_says(tmp_path: Path, server: ImageServer) -> None:
    expected = {
        "image/1.jpg": "success",
        "image/2.png": "success",
        "image/3.webp": "success",
        "image/4.gif": "success",
        "gone": "http_error",
        "status/410": "http_error",
        "status/503": "busy",
        "once/500/x": "success",
        "html": "not_an_image",
        "hangup": "connection",
        "slow-head": "timeout",
        "slow-body": "timeout",
        "short-chunks": "truncated",
        "endless/chunked": "too_large",
        "short": "truncated",
        "long": "undecodable",
        "endless": "too_large",
        "silent": "timeout",
        "robots/x": "opted_out",
        "body/svg": "vector_image",
        "body/png-bomb": "too_many_pixels",
        "body/webp-bomb": "too_many_pixels",
        "body/jpeg-cut-off": "undecodable",
        "body/jpeg-corrupt": "undecodable",
        "gzip/bomb": "too_large",
        "flood/interim": "too_large",
        "loop": "redirects",
        "redirect-to/file": "scheme",
        "redirect-to/ftp": "scheme",
        "redirect-to/other": "private_address",
        "redirect-to/other-6": "private_address",
        "reset": "connection",
        "empty": "empty",
    }
    server.bodies |= {
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "png-bomb": png_bomb(),
        "webp-bomb": webp_bomb(),
        "jpeg-cut-off": draw(8)[:-300],
        "jpeg-corrupt": draw(8).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    }
    server.robots["x"] = "noai"
    server.targets |= {
        "file": "file:///etc/passwd",
        "ftp": "ftp://127.0.0.1/x",
        "other": f"http://127.0.0.2:{server.server_port}/image/1.jpg",
        "other-6": f"http://[::1]:{server.server_port}/image/1.jpg",
    }
    rows = curated_rows([server.url(path) for path in expected])
    lists = plan(tmp_path, rows, Ranges(2, 0))
    downloads = Downloads(str(tmp_path / "downloads"))
    receipts = download(downloads, lists, Ranges(2, 0))
    assert statuses(downloads) == expected
    assert sum(receipt.rows_in for receipt in receipts) == len(expected)
    total = sum((receipt.drops for receipt in receipts), Counter())
    assert total == Counter(status for status in expected.values() if status != "success")
    files = [path for paths in downloads.status_files().values() for path in paths]
    for path in files:
        table = pq.read_table(path)
        assert table.schema.equals(DOWNLOAD_STATUS)
        whole = Path(images_path(path)).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
            names = tar.getnames()
        found = [row for row in table.to_pylist() if row["status"] == "success"]
        assert names == [f"{row['uid']}.jpg" for row in found], "in the order of the list"
        for row in found:
            image = Image.open(io.BytesIO(whole[row["offset"] : row["offset"] + row["bytes"]]))
            assert image.size == (row["width"], row["height"])
            assert row["seconds"] > 0
    bodies = {row["url"]: row["sha256"] for path in files for row in pq.read_table(path).to_pylist()}
    assert bodies[server.url("image/2.png")] == hashlib.sha256(draw(2, "PNG")).hexdigest()
    assert not list(tmp_path.glob("downloads/part-00000/.spool*"))


def test_a_larger_selection_fetches_only_what_is_new(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(4, 0)
    rows = curated_rows([server.url(f"image/{index}.jpg") for index in range(30)])
    downloads = Downloads(str(tmp_path / "downloads"))
    download(downloads, plan(tmp_path, rows[:10], ranges), ranges)
    assert sum(server.hits.values()) == 10
    lists = plan(tmp_path, rows, ranges)
    assert not downloads.has_all(lists)
    download(downloads, lists, ranges)
    assert set(server.hits.values()) == {1}
    assert len(server.hits) == 30
    assert downloads.has_all(lists)
    assert len(downloads.parts()) == 2
    assert set(statuses(downloads).values()) == {"success"}


def test_far_more_images_are_cut_into_finer_lists(tmp_path: Path, server: ImageServer) -> None:
    rows = curated_rows([server.url(f"image/{index}.jpg") for index in range(45)])
    downloads = Downloads(str(tmp_path / "downloads"))
    coarse = downloads.plan_ranges(SETTINGS, 10, 5, seed=0, overwrite=False)
    download(downloads, plan(tmp_path, rows[:10], coarse), coarse)
    assert downloads.plan_ranges(SETTINGS, 39, 5, seed=0, overwrite=False) == coarse == Ranges(2, 0)
    fine = downloads.plan_ranges(SETTINGS, 45, 5, seed=0, overwrite=False)
    assert fine == Ranges(16, 0)
    download(downloads, plan(tmp_path, rows, fine), fine)
    assert (len(server.hits), set(server.hits.values())) == (45, {1})
    assert set(statuses(downloads).values()) == {"success"}
    named = [path for paths in downloads.status_files().values() for path in paths]
    assert len(named) == len(set(named)), "a report counts every file once"
    for number in range(16):
        listed = pq.read_table(tmp_path / "lists/part-00000" / list_name(number))["uid"].to_pylist()
        assert set(listed) <= set(read_status(downloads.status_files(fine)[str(number)])["uid"].to_pylist())


def test_a_stopped_run_goes_on_with_the_lists_it_had_not_finished(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(8, 0)
    lists = plan(tmp_path, curated_rows([server.url(f"image/{index}.jpg") for index in range(48)]), ranges)
    downloads = Downloads(str(tmp_path / "downloads"))
    download(downloads, lists, ranges, stop_after=3)
    folder = Path(downloads.part_path(0))
    (folder / ".spool-abc").mkdir()
    (folder / "range-000003.tar").write_bytes(b"half")
    (folder / "range-000004.tar").write_bytes(b"whole")
    (folder / "range-000004.parquet").write_bytes(b"the receipt is missing")
    assert not downloads.parts()
    before = Counter(server.hits)
    download(downloads, lists, ranges)
    assert set(server.hits.values()) == {1}, "nothing of a finished list is fetched again"
    assert sum(before.values()) == sum(pq.read_metadata(path).num_rows for path in lists.files[:3])
    assert [part.manifest["complete"] for part in downloads.parts()] == [False, True]
    assert sorted(path.name for path in folder.iterdir() if "00003" in path.name or "00004" in path.name) == []
    assert len(statuses(downloads)) == 48


def test_a_stopped_run_goes_on_where_its_folder_was_moved_to(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(4, 0)
    rows = curated_rows([server.url(f"image/{index}.jpg") for index in range(20)])
    lists = plan(tmp_path / "here", rows, ranges)
    download(Downloads(str(tmp_path / "here/downloads")), lists, ranges, stop_after=2)
    (tmp_path / "here").rename(tmp_path / "there")
    lists = Table(f"{tmp_path}/there/lists").parts()[0]
    downloads = Downloads(str(tmp_path / "there/downloads"))
    download(downloads, lists, ranges)
    assert set(server.hits.values()) == {1}
    assert set(statuses(downloads).values()) == {"success"}


def test_lists_that_were_never_attempted_come_first(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(4, 0)
    lists = plan(tmp_path, curated_rows([server.url(f"image/{index}.jpg") for index in range(20)]), ranges)
    downloads = Downloads(str(tmp_path / "downloads"))
    download(downloads, lists, ranges, stop_after=2)
    downloads.close_unfinished()
    tasks = plan_downloads(downloads, lists, ranges, downloads.part_path(1))
    assert [bool(task.earlier) for task in tasks] == [False, False, True, True]


def test_a_machine_that_has_reached_no_host_is_not_believed(
    tmp_path: Path, server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of three images may be gone, but not on a machine that has reached no host yet."""
    monkeypatch.setattr("curation.images.download._reached_by_process", set())
    ranges, closed = Ranges(1, 0), free_port()
    for name, urls in (("gone", [f"http://127.0.0.1:{closed}/{k}.jpg" for k in range(3)]), ("there", ["html"])):
        plan(tmp_path / name, curated_rows([url if ":" in url else server.url(url) for url in urls]), ranges)
    tasks = {
        name: DownloadTask(
            f"{tmp_path}/{name}/lists/part-00000/{list_name(0)}", (), f"{tmp_path}/{name}/{list_name(0)}"
        )
        for name in ("gone", "there")
    }
    with pytest.raises(HeadtailError, match=r"reached none of the 3 images .*connection 3.*cut off from the network"):
        download_list(tasks["gone"], SETTINGS)
    download_list(tasks["there"], SETTINGS)
    assert download_list(tasks["gone"], SETTINGS).drops == {"connection": 3}


def test_a_list_of_which_nothing_was_reached_is_fetched_again_after_a_stop(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(2, 0)
    urls = [server.url(f"image/{index}.jpg") for index in range(16)]
    lists = plan(tmp_path, curated_rows(urls), ranges)
    downloads = Downloads(str(tmp_path / "downloads"))
    first, _ = download(downloads, lists, ranges, stop_after=2)
    receipt = tmp_path / "downloads/part-00000" / list_name(0).replace(".parquet", ".json")
    receipt.write_text(replace(first, rows_out=0, drops=Counter(timeout=first.rows_out)).to_json())
    closed = downloads.close_unfinished()
    assert closed is not None
    assert closed.rows_in == len(urls) - first.rows_in
    assert len(list((tmp_path / "downloads/part-00000").glob("range-*"))) == 3
    download(downloads, lists, ranges)
    assert sorted(server.hits.values()) == [1] * closed.rows_in + [2] * first.rows_in


def test_a_fault_of_ours_ends_the_task(tmp_path: Path, server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = plan(tmp_path, curated_rows([server.url(f"image/{index}.jpg") for index in range(60)]), Ranges(1, 0))
    monkeypatch.setattr(
        "curation.images.fetch.SpooledTemporaryFile.write", partial(_raise, OSError(28, "No space left"))
    )
    out = tmp_path / "part" / list_name(0)
    with pytest.raises(HeadtailError, match=r"a body could not be stored.*No space left"):
        download_list(DownloadTask(lists.files[0], (), str(out)), SETTINGS)
    assert sum(server.hits.values()) <= SETTINGS.threads, "the rest is not fetched"


def test_a_task_run_again_by_the_engine_fetches_nothing(tmp_path: Path, server: ImageServer) -> None:
    lists = plan(tmp_path, curated_rows([server.url("image/1.jpg")]), Ranges(1, 0))
    task = DownloadTask(lists.files[0], (), str(tmp_path / "part" / list_name(0)))
    first = download_list(task, SETTINGS)
    assert download_list(task, SETTINGS) == first
    assert server.hits["/image/1.jpg"] == 1


def test_retry_failed_tries_only_what_can_pass(tmp_path: Path, server: ImageServer) -> None:
    ranges = Ranges(1, 0)
    paths = ["image/1.jpg", "gone", "once/500/a", "once/404/b", "html"]
    lists = plan(tmp_path, curated_rows([server.url(path) for path in paths]), ranges)
    downloads = Downloads(str(tmp_path / "downloads"))
    once = replace(SETTINGS, fetch=replace(SETTINGS.fetch, retries=0))
    download(downloads, lists, ranges, once)
    assert statuses(downloads)["once/500/a"] == "busy"
    download(downloads, lists, ranges, once)
    assert set(server.hits.values()) == {1}
    again = replace(once, retry_failed=True)
    download(downloads, lists, ranges, again)
    assert server.hits.pop("/once/500/a") == 2
    assert set(server.hits.values()) == {1}
    assert statuses(downloads)["once/500/a"] == "success"


def test_other_settings_do_not_touch_stored_images(tmp_path: Path, server: ImageServer) -> None:
    lists = plan(tmp_path, curated_rows([server.url("image/1.jpg")]), Ranges(1, 0))
    downloads = Downloads(str(tmp_path / "downloads"))
    assert downloads.plan_ranges(SETTINGS, 1, 10, seed=0, overwrite=False) == Ranges(1, 0)
    download(downloads, lists, Ranges(1, 0))
    faster = replace(SETTINGS, fetch=replace(SETTINGS.fetch, timeout_seconds=9, retries=3), threads=1)
    assert downloads.plan_ranges(faster, 4, 1, seed=0, overwrite=False) == Ranges(1, 0)
    larger = replace(SETTINGS, image=image_settings(size=64))
    with pytest.raises(HeadtailError, match=r"download.size was 32, is 64.*overwrite=true"):
        downloads.plan_ranges(larger, 1, 10, seed=0, overwrite=False)
    with pytest.raises(HeadtailError, match="seed was 0, is 1"):
        downloads.plan_ranges(SETTINGS, 1, 10, seed=1, overwrite=False)

    def refuse() -> None:
        raise HeadtailError("no contact")

    images = [path.read_bytes() for path in (tmp_path / "downloads").rglob("*.tar")]
    with pytest.raises(HeadtailError, match="no contact"):
        downloads.plan_ranges(larger, 1, 10, 1, overwrite=True, check=refuse)
    assert images == [path.read_bytes() for path in (tmp_path / "downloads").rglob("*.tar")] != []
    assert downloads.plan_ranges(larger, 1, 10, seed=1, overwrite=True) == Ranges(1, 1)
    assert not downloads.parts()


def test_a_length_of_lists_that_has_no_effect_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    downloads = Downloads(str(tmp_path))
    planned = downloads.plan_ranges(SETTINGS, 20, 10, seed=0, overwrite=False)
    downloads.plan_ranges(SETTINGS, 30, 10, seed=0, overwrite=False)
    assert not capsys.readouterr().err
    assert downloads.plan_ranges(SETTINGS, 20, 5, seed=0, overwrite=False) == planned
    assert "download.images_per_list=5 has no effect" in capsys.readouterr().err
    assert downloads.plan_ranges(SETTINGS, 90, 5, seed=0, overwrite=False) == Ranges(32, 0)
    assert not capsys.readouterr().err
    (tmp_path / "_ranges.json").write_text('{"count": 2, "seed": 0}')
    assert downloads.plan_ranges(SETTINGS, 20, 5, seed=0, overwrite=False) == Ranges(2, 0)
    assert not capsys.readouterr().err, "an earlier version did not note it"


def test_a_disk_that_cannot_be_written_stops_the_task(
    tmp_path: Path, server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = plan(tmp_path, curated_rows([server.url(f"image/{index}.jpg") for index in range(5)]), Ranges(1, 0))
    monkeypatch.setattr("curation.images.worker.Spool.append", partial(_raise, OSError(28, "No space left on device")))
    out = tmp_path / "part" / list_name(0)
    with pytest.raises(HeadtailError, match="No space left"):
        download_list(DownloadTask(lists.files[0], (), str(out)), SETTINGS)
    assert [path.name for path in out.parent.iterdir()] == []


def _raise(error: Exception, *_: object) -> None:
    raise error


@pytest.mark.parametrize(
    ("read", "schema"),
    [
        (lambda path: slice_curated(SliceTask(path, f"{path}-slices", ""), Ranges(1, 0)), CURATED),
        (lambda path: download_list(DownloadTask(path, (), f"{path}-status"), SETTINGS), LISTS),
        (lambda path: read_status([path], ["sha256"]), DOWNLOAD_STATUS),
    ],
    ids=["curated", "lists", "download_status"],
)
def test_a_file_with_wrong_columns_is_refused(tmp_path: Path, read: Callable[[str], object], schema: pa.Schema) -> None:
    path = str(tmp_path / "x.parquet")
    columns = {field.name: pa.array([], field.type) for field in schema if field.name != "uid"}
    pq.write_table(pa.table(columns | {"url": pa.array([], pa.int64()), "extra": pa.array([], pa.int64())}), path)
    message = "uid is missing; url is int64, expected string; extra is unexpected"
    with pytest.raises(HeadtailError, match=f"{path} has other columns than expected: {message}"):
        read(path)


@pytest.mark.parametrize("table", ["curated", "pairs"])
def test_a_plan_refuses_tables_with_wrong_columns(tmp_path: Path, table: str) -> None:
    curated, pairs = curate(tmp_path, curated_rows(["http://example.org/1"])), Table(f"{tmp_path}/pairs")
    rows = pa.table({name: pa.array([], pa.string()) for name in ("uid", *STORED.names)})
    path = f"{pairs.begin(0)}/0.parquet"
    with ParquetSink(path, rows.schema) as sink:
        pass
    pairs.commit(0, Recipe("extract_pairs", 1, {}), [Receipt("0", outputs=[sink.output()])], 0)
    if table == "curated":
        path = curated.files[0]
        pq.write_table(pa.table({"uid": ["a"]}), path)
    plan = ListPlan(f"{tmp_path}/lists", [curated], pairs, Ranges(1, 0))
    fault = "url is missing" if table == "curated" else "image_offset is string, expected int64"
    with pytest.raises(HeadtailError, match=f"{path} has other columns than expected: {fault}"):
        plan.begin()


def test_a_status_file_may_have_its_columns_in_another_order(tmp_path: Path) -> None:
    values = {field.name: "x" if field.type == pa.string() else 0 for field in DOWNLOAD_STATUS}
    table = pa.Table.from_pylist([values | {"uid": uid} for uid in ("a", "b")], DOWNLOAD_STATUS)
    paths = [str(tmp_path / name) for name in ("0.parquet", "1.parquet")]
    pq.write_table(table, paths[0])
    pq.write_table(table.slice(0, 1).select(DOWNLOAD_STATUS.names[::-1]), paths[1])
    assert read_status(paths)["generation"].to_pylist() == [1, 0]


def test_nothing_curated_gives_nothing(tmp_path: Path) -> None:
    lists = plan(tmp_path, [], Ranges(1, 0))
    downloads = Downloads(str(tmp_path / "downloads"))
    assert [receipt.rows_in for receipt in download(downloads, lists, Ranges(1, 0))] == [0]
    assert downloads.has_all(lists)
    assert downloads.status_files() == {}
    assert json.loads((tmp_path / "downloads/part-00000/_manifest.json").read_text())["rows_in"] == 0
    assert storage.exists(lists.files[0])
