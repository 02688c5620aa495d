"""Hosts are asked before their images: with a real server, task by task as the job does it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import HOSTS
from curation.images.download import DownloadSettings, download_list
from curation.images.download_rows import DownloadTask
from curation.images.downloads import Downloads, download_recipe, plan_downloads
from curation.images.host_rules import origin_of
from curation.images.hosts import HostPlan, ask_hosts, slice_hosts
from curation.images.ranges import Ranges
from tests.cluster.cluster import free_port
from tests.http_server import ImageServer
from tests.shard_data import curated_rows
from tests.unit.images.test_download import SETTINGS, plan, server, statuses  # noqa: F401  # server is a fixture

BOTH = ("ai_txt", "robots_txt")


def settings_of(*obey: str, **changes: bool) -> DownloadSettings:
    return replace(SETTINGS, fetch=replace(SETTINGS.fetch, obey=obey, retries=0), **changes)


def download(
    folder: Path, lists: Part, ranges: Ranges, settings: DownloadSettings, stop_after: int = 999
) -> tuple[Downloads, Part | None]:
    downloads = Downloads(f"{folder}/downloads")
    downloads.close_unfinished()
    recipe = download_recipe(settings, [lists])
    number = downloads.begin_generation(recipe, ranges)
    tasks = plan_downloads(downloads, lists, ranges, downloads.part_path(number))
    hosts = HostPlan(f"{folder}/hosts", lists, settings.fetch, ranges)
    if settings.retry_failed or not hosts.finished():
        hosts.begin(settings.retry_failed)
        for task in hosts.slice_tasks(tasks):
            slice_hosts(task, ranges.groups, settings.retry_failed).check()
        asked = [
            ask_hosts(task, settings.fetch, 4, ranges.groups, settings.detect_outage).check()
            for task in hosts.ask_tasks()[:stop_after]
        ]
        if stop_after < ranges.groups:
            return downloads, None
        hosts.commit(asked, 0)
    receipts = [download_list(task, settings).check() for task in hosts.with_rules(tasks)]
    downloads.end_generation(number, recipe, ranges, receipts, 0)
    return downloads, hosts.finished()


def test_images_that_a_host_forbids_are_not_asked_for(tmp_path: Path, server: ImageServer) -> None:  # noqa: F811
    server.files |= {
        "/robots.txt": b"User-agent: *\nDisallow: /image/1\nAllow: /image/10",
        "/ai.txt": b"User-agent: *\nDisallow: *.png",
    }
    paths = ["image/1.jpg", "image/10.jpg", "image/2.jpg", "image/3.png", "image/11.png"]
    rows = curated_rows([*map(server.url, paths), "ftp://127.0.0.1/x", "http://[1/"])
    ranges = Ranges(4, 0)
    lists = plan(tmp_path, rows, ranges)
    downloads, hosts = download(tmp_path, lists, ranges, settings_of(*BOTH))
    expected = {
        "image/1.jpg": "robots_txt", "image/10.jpg": "success", "image/2.jpg": "success", "image/3.png": "ai_txt",
        "image/11.png": "robots_txt", "x": "scheme", "": "bad_url",
    }  # fmt: skip
    assert statuses(downloads) == expected
    assert server.hits == {"/robots.txt": 1, "/ai.txt": 1, "/image/10.jpg": 1, "/image/2.jpg": 1}
    assert pq.read_table(hosts.files, schema=HOSTS).to_pylist() == [
        {
            "origin": server.url("")[:-1],
            "robots_txt": "success",
            "robots_txt_rules": ["+/image/10", "-/image/1"],
            "ai_txt": "success",
            "ai_txt_rules": ["-*.png"],
        }
    ]
    assert hosts.receipt.facts == {"forbidding": 1, "failed": 0}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.0 404 No\r\n\r\n", "success"),
        (b"HTTP/1.0 403 No\r\n\r\n", "success"),
        (b"HTTP/1.0 200 Yes\r\n\r\n", "success"),
        (b"HTTP/1.0 301 There\r\nLocation: /robots.txt\r\n\r\n", "success"),
        (b"HTTP/1.0 500 Oh\r\n\r\n", "busy"),
        (b"HTTP/1.0 505 Oh\r\n\r\n", "busy"),
        (b"HTTP/1.0 429 Wait\r\n\r\n", "busy"),
        (b"HTTP/1.0 200 Yes\r\nContent-Length: 9\r\n\r\nUser", "truncated"),
        (b"HTTP/1.0 200 Yes\r\nContent-Length: 99999999\r\n\r\n", "too_large"),
        (b"HTTP/1.0 200 Yes\r\n\r\nUser-agent: *\nDisallow: /", "robots_txt"),
    ],
    ids=["404", "403", "empty", "redirects", "500", "505", "429", "truncated", "too-large", "forbids-all"],
)
def test_a_file_that_cannot_be_had(tmp_path: Path, server: ImageServer, answer: bytes, status: str) -> None:  # noqa: F811
    server.raw["/robots.txt"] = answer
    ranges = Ranges(1, 0)
    lists = plan(tmp_path, curated_rows([server.url("image/1.jpg")]), ranges)
    downloads, _ = download(tmp_path, lists, ranges, settings_of("robots_txt"))
    assert statuses(downloads) == {"image/1.jpg": status}
    assert server.hits["/image/1.jpg"] == (status == "success")
    if status == "busy":
        server.raw.clear()
        again, _ = download(tmp_path, lists, ranges, settings_of("robots_txt", retry_failed=True))
        assert statuses(again) == {"image/1.jpg": "success"}


def test_a_host_that_is_gone_has_the_reason_of_its_robots_txt(tmp_path: Path) -> None:
    ranges = Ranges(1, 0)
    lists = plan(tmp_path, curated_rows([f"http://127.0.0.1:{free_port()}/a.jpg"]), ranges)
    settings = replace(settings_of("robots_txt"), detect_outage=False)
    downloads, hosts = download(tmp_path, lists, ranges, settings)
    assert statuses(downloads) == {"a.jpg": "connection"}
    assert hosts.receipt.facts == {"forbidding": 0, "failed": 1}


def test_a_stopped_run_asks_no_host_twice(tmp_path: Path, server: ImageServer) -> None:  # noqa: F811
    ranges = Ranges(4, 0)
    urls = [f"http://127.0.0.{k}:{server.server_port}/image/1.jpg" for k in range(1, 10)]
    lists = plan(tmp_path, curated_rows(urls), ranges)
    settings = replace(settings_of("robots_txt"), detect_outage=False)
    download(tmp_path, lists, ranges, settings, stop_after=2)
    first = [path.read_bytes() for path in sorted((tmp_path / "hosts").rglob("hosts-*.parquet"))]
    assert len(first) == 2
    assert not list((tmp_path / "hosts").rglob("_manifest.json"))
    _, hosts = download(tmp_path, lists, ranges, settings)
    assert [path.read_bytes() for path in sorted((tmp_path / "hosts").rglob("hosts-*.parquet"))][:2] == first
    assert hosts.receipt.rows_out == 9
    assert server.hits["/robots.txt"] == 1
    _, again = download(tmp_path, lists, ranges, settings)
    assert again.id == hosts.id
    assert server.hits["/robots.txt"] == 1


def test_a_machine_that_reaches_no_host_is_not_believed(tmp_path: Path, server: ImageServer) -> None:  # noqa: F811
    """Not when hosts are asked, nor because a list has images that a host forbids, which need no network."""
    port, ranges, settings = free_port(), Ranges(1, 0), settings_of("robots_txt")
    settings = replace(settings, fetch=replace(settings.fetch, allow_private_hosts=("127.0.0.0/8",)))
    gone = [f"http://127.0.0.{k}:{port}/a.jpg" for k in range(1, 41)]
    lists = plan(tmp_path / "gone", curated_rows(gone), ranges)
    with pytest.raises(HeadtailError, match="reached none of 40 hosts: is it cut off"):
        download(tmp_path / "gone", lists, ranges, settings)
    server.files["/robots.txt"] = b"User-agent: *\nDisallow: /image"
    lists = plan(tmp_path / "some", curated_rows([*gone, server.url("image/1.jpg")]), ranges)
    rules = HostPlan(f"{tmp_path}/some/hosts", lists, settings.fetch, ranges)
    lone = plan(tmp_path / "lone", curated_rows([server.url("image/1.jpg")]), ranges)
    _, hosts = download(tmp_path / "lone", lone, ranges, settings)
    assert hosts is not None
    shutil.copytree(tmp_path / "lone/hosts", tmp_path / "some/hosts")
    (task,) = plan_downloads(Downloads(f"{tmp_path}/some/downloads"), lists, ranges, f"{tmp_path}/some/out")
    with pytest.raises(HeadtailError, match="reached none of the 40 images"):
        download_list(rules.with_rules([task])[0], settings)


def test_a_stopped_run_that_goes_on_with_failed_images_asks_their_hosts_too(
    tmp_path: Path,
    server: ImageServer,  # noqa: F811
) -> None:
    server.files["/robots.txt"] = b"User-agent: *\nDisallow: /"
    ranges, settings = Ranges(1, 0), settings_of("robots_txt")
    lists = plan(tmp_path, curated_rows([server.url("image/1.jpg")]), ranges)
    plans = HostPlan(f"{tmp_path}/hosts", lists, settings.fetch, ranges)
    plans.begin(False)
    for task in plans.slice_tasks([DownloadTask(lists.files[0], (), "x")]):
        slice_hosts(task, 1, False)
    ask_hosts(plans.ask_tasks()[0], settings.fetch, 1, 1)
    (receipt,) = (tmp_path / "hosts").rglob("hosts-*.json")
    plans.begin(False)
    assert receipt.exists()
    plans.begin(True)
    assert not receipt.exists()


def test_a_reservation_of_text_and_data_mining_is_obeyed_where_asked_for(tmp_path: Path, server: ImageServer) -> None:  # noqa: F811
    for value in ("1", "0"):
        server.answers[value] = f"HTTP/1.0 200 OK\r\nTDM-Reservation: {value}\r\n\r\n".encode()
    ranges = Ranges(1, 0)
    lists = plan(tmp_path, curated_rows([server.url("answer/1"), server.url("answer/0")]), ranges)
    cases = (("obeyed", settings_of("tdm_reservation"), "tdm_reservation"), ("not", settings_of(), "empty"))
    for name, settings, status in cases:
        (tmp_path / name).mkdir()
        downloads = Downloads(f"{tmp_path}/{name}/downloads")
        recipe = download_recipe(settings, [lists])
        downloads.begin_generation(recipe, ranges)
        receipts = [
            download_list(task, settings) for task in plan_downloads(downloads, lists, ranges, downloads.part_path(0))
        ]
        downloads.end_generation(0, recipe, ranges, receipts, 0)
        assert statuses(downloads) == {"answer/1": status, "answer/0": "empty"}


def test_the_recipe_of_a_run_that_obeys_nothing_further_is_as_before() -> None:
    assert "obey" not in download_recipe(SETTINGS).settings
    assert download_recipe(settings_of(*BOTH)).settings["obey"] == list(BOTH)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a.example.:80/x", "http://a.example"),
        ("https://[::1]/x", "https://[::1]"),
        ("http:\\\\a.example\\x", "http://a.example"),
        ("http://a.example:99999/x", None),
        ("http:///x", None),
        ("data:x", None),
    ],
    ids=range(6),
)
def test_origins(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
