"""What a download costs is told before it begins, by what servers say of the files that are missing."""

from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import FetchSourcesConfig
from curation.core.errors import HeadtailError
from jobs import fetch_sources
from metadata.fetch.catalogue import Source
from metadata.fetch.cost import ASKED_FILES, FetchCost, cost_line, fetch_costs
from tests.source_server import SourceServer

VIEWS = "/other/pageviews/2026/2026-01/pageviews-202601"


def sources(kind: str, folder: str, count: int) -> list[Source]:
    return [Source(kind, f"http://a/{folder}/{number}", f"{folder}/{number}", "free") for number in range(count)]


def test_few_files_are_asked_and_the_others_are_like_them() -> None:
    asked: list[str] = []

    def size(url: str) -> int:
        asked.append(url)
        return 100 + int(url.rpartition("/")[2])

    files = [*sources("dump", "dumps/enwiki", 3), *sources("page views", "pageviews", 240), *sources("wordnet", "w", 9)]
    assert fetch_costs(files, size) == [
        FetchCost("dump", 3, 303, True), FetchCost("page views", 240, 240 * 205.0, False)
    ]  # fmt: skip
    assert len(asked) == 3 + ASKED_FILES


def test_sizes_of_wikis_are_not_taken_for_each_other() -> None:
    files = [*sources("dump", "dumps/enwiki", 1), *sources("dump", "dumps/aawiki", 20)]
    assert fetch_costs(files, lambda url: 10**9 if "enwiki" in url else 10)[0].bytes == 10**9 + 200


def test_a_server_that_does_not_tell_is_asked_once_a_folder() -> None:
    asked: list[str] = []
    costs = fetch_costs(sources("dump", "dumps/enwiki", 20), asked.append)  # append returns None: no size
    assert (costs, len(asked)) == ([FetchCost("dump", 20, None, False)], 1)
    assert cost_line(costs, 10**9) == "dump: 20 files, size unknown"


def test_the_line_has_bytes_hours_and_room() -> None:
    costs = [FetchCost("dump", 27, 25e9, True), FetchCost("page views", 240, 12e9, False)]
    assert cost_line(costs, 100 * 10**9) == (
        "dump: 27 files, 25 GB; page views: 240 files, about 12 GB: 2.6 hours to fetch at 4 MB/s, then 8.2 hours "
        "of one core to count them; 100 GB are free"
    )


def fetch(server: SourceServer, folder: Path, *overrides: str) -> None:
    mirrors = [f"{name}_mirror={server.url}" for name in ("dumps", "pageviews", "wordnet")]
    settings = [f"sources={folder}", *mirrors, "pause_seconds=0", "retries=0", "dump=none", "days=[2026-01-31]"]
    fetch_sources.run(compose_config("fetch_sources", FetchSourcesConfig, [*settings, *overrides]))


def test_the_job_tells_before_it_fetches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{VIEWS}31-{hour:02}0000.gz": bytes(500_000 + hour) for hour in (3, 4)}
    given = ("languages=[en]", "hours=[3,4]")
    with SourceServer(files) as server:
        fetch(server, tmp_path, *given, "dry_run=true")
        assert "page views: 2 files, 1 MB: 0 minutes to fetch" in capsys.readouterr().err
        assert (server.requests, sorted(server.headed)) == ([], sorted(files))
        with monkeypatch.context() as small:
            small.setattr(fetch_sources, "free_bytes", lambda _: 900_000)
            with pytest.raises(HeadtailError, match="make room, choose another folder, or ask for fewer"):
                fetch(server, tmp_path, *given)
        assert server.requests == []
        server.heads = False
        fetch(server, tmp_path, *given)
        assert "page views: 2 files, size unknown" in capsys.readouterr().err
        server.headed.clear()
        fetch(server, tmp_path, *given)
        assert server.headed == []
