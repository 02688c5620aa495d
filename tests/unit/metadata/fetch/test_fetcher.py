"""Files arrive whole and verified, politely, from a server that is busy, closes connections or sends wrong bytes."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.compose import compose_config
from conf.schema.jobs import FetchSourcesConfig
from curation.core.errors import HeadtailError
from jobs.fetch_sources import run
from metadata.fetch.catalogue import draw_days
from metadata.fetch.fetcher import Fetcher, FetchSettings, MissingError
from metadata.sources.wordnet import LICENCE_FILE, SYNSETS, shipped_wordnet
from tests.conftest import SHARED, needs_shared
from tests.source_server import SourceServer

DATA = bytes(range(256)) * 4000
SHA1 = ("sha1", hashlib.sha1(DATA).hexdigest())


def fetch_settings(**changes: Any) -> FetchSettings:
    return replace(FetchSettings("test/1", pause_seconds=0.5, retries=3, retry_seconds=2, timeout_seconds=1), **changes)


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer({"/file": DATA, "/small": b"hello"}) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(waits: list[float]) -> Fetcher:
    return Fetcher(fetch_settings(), waits.append)


@pytest.mark.parametrize(
    "faults",
    [
        [], ["503"], ["429", "503"], ["break"], ["break", "break", "break"], ["no_length"], ["break", "ignore_range"],
        ["break", "wrong_range"], ["weak", "break"], ["slow"], ["garbage"], ["break", "503", "break"],
    ],
    ids="-".join,
)  # fmt: skip
def test_a_file_arrives_whole(server: SourceServer, fetcher: Fetcher, tmp_path: Path, faults: list[str]) -> None:
    server.faults["/file"] = list(faults)
    path = tmp_path / "a" / "file"
    assert fetcher.fetch(f"{server.url}/file", path, SHA1) == hashlib.sha256(DATA).hexdigest()
    assert path.read_bytes() == DATA
    assert [file.name for file in path.parent.iterdir()] == ["file"]
    asked = len(server.requests)
    fetcher.fetch(f"{server.url}/file", path, SHA1)
    assert len(server.requests) == asked


def test_a_download_resumes(server: SourceServer, fetcher: Fetcher, tmp_path: Path) -> None:
    server.faults["/file"] = ["break", "503"]
    fetcher.fetch(f"{server.url}/file", tmp_path / "file", SHA1)
    half = f"bytes={len(DATA) // 2}-"
    assert server.requests == [("/file", ""), ("/file", half), ("/file", half)]
    assert (fetcher.written_bytes, fetcher.file_bytes) == (len(DATA), len(DATA))  # what the progress line tells


def test_a_file_that_changed_meanwhile_is_not_patched_together(
    server: SourceServer, fetcher: Fetcher, tmp_path: Path
) -> None:
    server.faults["/file"] = ["break"] * 4
    with pytest.raises(HeadtailError, match=r"given up after 4 tries: broke off after "):
        fetcher.fetch(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file.part").exists()
    assert not (tmp_path / "file").exists()
    server.files["/file"] = DATA[::-1] + b"newer"
    fetcher.fetch(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA[::-1] + b"newer"


def test_wrong_bytes_are_refused(server: SourceServer, fetcher: Fetcher, tmp_path: Path) -> None:
    server.faults["/file"] = ["garbage", "garbage"]
    with pytest.raises(HeadtailError, match="try another mirror"):
        fetcher.fetch(f"{server.url}/file", tmp_path / "file", SHA1)
    assert list(tmp_path.iterdir()) == []


def test_manners(server: SourceServer, fetcher: Fetcher, waits: list[float]) -> None:
    server.faults["/small"] = ["429", "503", "503"]
    assert fetcher.read(f"{server.url}/small") == b"hello"
    # Retry-After, then doubled waits; before each further request the pause.
    assert waits == [7.0, 0.5, 4.0, 0.5, 8.0, 0.5]
    assert set(server.agents) == {"test/1"}


def test_a_missing_file_is_requested_once(server: SourceServer, fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="404"):
        fetcher.fetch(f"{server.url}/none", tmp_path / "none")
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "/etc/passwd"])
def test_only_http(fetcher: Fetcher, tmp_path: Path, url: str) -> None:
    with pytest.raises(HeadtailError, match="only http and https"):
        fetcher.fetch(url, tmp_path / "x")


def test_no_redirect_into_files(server: SourceServer, fetcher: Fetcher, tmp_path: Path) -> None:
    server.faults["/file"] = ["redirect_file"]
    with pytest.raises(HeadtailError, match="not allowed"):
        fetcher.fetch(f"{server.url}/file", tmp_path / "x")


def test_limits(server: SourceServer, tmp_path: Path) -> None:
    fetcher = Fetcher(fetch_settings(max_bytes=1000), lambda _: None)
    with pytest.raises(HeadtailError, match="more than 1,000"):
        fetcher.fetch(f"{server.url}/file", tmp_path / "x")
    with pytest.raises(HeadtailError, match="larger than 100 bytes"):
        fetcher.read(f"{server.url}/file", 100)


def test_drawn_days() -> None:
    first, last = date(2024, 1, 1), date(2025, 12, 31)
    days = draw_days(3, 20, first, last)
    assert len(set(days)) == 20
    assert all(first <= day <= last for day in days)
    assert draw_days(3, 5, first, last) == days[:5]
    assert draw_days(4, 20, first, last) != days
    with pytest.raises(HeadtailError, match="random_days=732 is more than the 731 days"):
        draw_days(3, 732, first, last)


def fetch(server: SourceServer, folder: Path, *overrides: str) -> None:
    mirrors = [f"{name}_mirror={server.url}" for name in ("dumps", "pageviews", "wordnet")]
    pauses = ["pause_seconds=0", "retry_seconds=0"]
    overrides = (f"sources={folder}", *mirrors, *pauses, *overrides)
    run(compose_config("fetch_sources", FetchSourcesConfig, list(overrides)))


@needs_shared
def test_the_job(tmp_path: Path) -> None:
    english = (SHARED / "wikidump" / "enwiki-206-pages.xml.bz2").read_bytes()
    french = (SHARED / "wordnet" / "fra" / "wn-data-fra.tab.gz").read_bytes()
    views = (SHARED / "pageviews" / "pageviews-hourly-sample.txt").read_bytes()
    names = [f"enwiki-20260101-pages-articles{part}.bz2" for part in
             ("-multistream1.xml-p1p9", "-multistream2.xml-p10p99", "-multistream.xml", ".xml")]  # fmt: skip
    sums = "".join(f"{hashlib.sha1(english).hexdigest()}  {name}\n" for name in [*names, "enwiki-20260101-x.sql.gz"])
    files = {f"/enwiki/20260101/{name}": english for name in names}
    files |= {
        "/enwiki/latest/enwiki-latest-sha1sums.txt": sums.encode(),
        "/wns/fra/wn-data-fra.tab": french,
        "/wns/fra/LICENSE": b"CeCILL-C",
        "/other/pageviews/2026/2026-01/pageviews-20260131-040000.gz": views,
    }
    with SourceServer(files) as server:
        server.faults = {f"/enwiki/20260101/{names[0]}": ["503", "break"], "/wns/fra/LICENSE": ["503"]}
        with pytest.raises(HeadtailError, match=r"1 file is missing: .*frwiki-latest-sha1sums.txt: 404"):
            fetch(server, tmp_path, "languages=[en,fr]", "days=[2026-01-31]", "hours=[4]")
        asked = len(server.requests)
        fetch(server, tmp_path, "languages=[en]", "days=[2026-01-31]", "hours=[4]")
        assert server.requests[asked:] == [("/enwiki/latest/enwiki-latest-sha1sums.txt", "")]
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    manifest = json.loads(found.pop("_manifest.json"))
    assert found == {
        f"dumps/enwiki/{names[0]}": english, f"dumps/enwiki/{names[1]}": english,
        "pageviews/pageviews-20260131-040000.gz": views, "wordnet/fra/wn-data-fra.tab": french,
        "wordnet/fra/LICENSE": b"CeCILL-C",
        **{f"wordnet/eng/{name}": shipped_wordnet().with_name(name).read_bytes() for name in (SYNSETS, LICENCE_FILE)},
    }  # fmt: skip
    rows = {row["path"]: row for row in manifest["files"]}
    assert {path: row["verified"] for path, row in rows.items()} == {
        path: path.startswith(("dumps", "wordnet/eng")) for path in found
    }
    assert all(row["sha256"] == hashlib.sha256(found[path]).hexdigest() for path, row in rows.items())


def test_nothing_to_fetch_is_an_error(tmp_path: Path) -> None:
    given = [f"sources={tmp_path}/sources", "languages=en", "dump=none", "wordnet=false"]
    with pytest.raises(HeadtailError, match="nothing to fetch: set dump"):
        run(compose_config("fetch_sources", FetchSourcesConfig, given))
