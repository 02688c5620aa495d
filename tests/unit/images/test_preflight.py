"""Checks before a download: host names, and the success of the first lists."""

import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.schemas import LISTS
from curation.images import preflight
from curation.images.preflight import CheckNamesTask, check_names, check_success, judged_receipt, name_advice
from tests.shard_data import curated_rows


def names_of(folder: Path, urls: list[str], detect_outage: bool = False) -> Receipt:
    rows = [row | {"order": 0} for row in curated_rows(urls)]
    pq.write_table(pa.Table.from_pylist(rows, LISTS), folder / "list.parquet")
    return check_names(CheckNamesTask(str(folder / "list.parquet")), threads=8, detect_outage=detect_outage)


def test_each_name_is_asked_for_once_and_addresses_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def getaddrinfo(name: str, *_: object, **__: object) -> list:
        asked.append(name)
        if name.startswith("gone"):
            raise socket.gaierror(-2, "Name or service not known")
        return [name]

    monkeypatch.setattr(preflight, "getaddrinfo", getaddrinfo)
    urls = [
        "http://a.example/1",
        "http://A.example:81/2",
        "https://gone.example/",
        "http://127.0.0.1/",
        "http://[1/",
        "x",
    ]
    found = names_of(tmp_path, urls)
    assert sorted(asked) == ["a.example", "gone.example"]
    assert (found.facts["names"], found.facts["failed"]) == (2, 1)
    assert "of 2 names 1 did not resolve" in name_advice(found)


def test_slow_names_give_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [f"http://host-{k}.example/" for k in range(6)]
    monkeypatch.setattr(preflight, "getaddrinfo", lambda *_, **__: ["there"])
    assert name_advice(names_of(tmp_path, urls)) is None
    monkeypatch.setattr(preflight, "getaddrinfo", lambda *_, **__: time.sleep(0.4) or ["there"])
    assert "0 did not resolve, the median took 4" in name_advice(names_of(tmp_path, urls))


def test_without_names_there_is_no_advice(tmp_path: Path) -> None:
    assert name_advice(names_of(tmp_path, ["http://127.0.0.1/"])) is None


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("dns", "caching resolver"),
        ("timeout", "raise download.timeout_seconds"),
        ("private_address", "urls.allow_private_hosts"),
        ("busy", "retry_failed=true"),
        ("http_error", "see download_status"),
    ],
)
def test_too_few_successes_come_with_advice_for_the_commonest_reason(reason: str, advice: str) -> None:
    few = Receipt("first", 100, 10, Counter({reason: 60, "empty": 30}))
    with pytest.raises(HeadtailError, match=rf"10 of the first 100 .*60 failed by {reason}: .*{advice}"):
        check_success(few, 0.2)
    check_success(few, 0.1)
    check_success(Receipt("first", 19, 0, Counter({reason: 19})), 0.2)


@pytest.mark.parametrize(
    ("new", "retry_failed", "judged"),
    [(19, False, 119), (19, True, 19), (20, False, 20)],
    ids=["few new images", "few that failed before", "enough new images"],
)
def test_earlier_runs_count_where_few_images_are_new(new: int, retry_failed: bool, judged: int) -> None:
    counts = {"rows_in": 100, "rows_out": 3, "drops": {"dns": 97}, "facts": {}, "failures": [], "seconds": 0.0}
    receipt = judged_receipt([Receipt("new", new, new)], [Part("part-00000", counts)], retry_failed)
    assert receipt.rows_in == judged


@pytest.fixture
def no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(preflight, "getaddrinfo", fail)


@pytest.mark.usefixtures("no_name")
def test_where_no_name_resolves_the_network_is_gone_and_no_bottleneck(tmp_path: Path) -> None:
    urls = [f"http://host-{k}.example/" for k in range(30)]
    with pytest.raises(HeadtailError, match=r"^none of the 30 host names .*cut off from .*min_success_share=0"):
        names_of(tmp_path, urls, detect_outage=True)
    told = name_advice(names_of(tmp_path, urls))
    assert told == "none of the 30 host names asked for resolves: is this machine offline?"
    assert names_of(tmp_path, urls[:5], detect_outage=True).facts["failed"] == 5  # so few may all be gone


def test_names_that_hang_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(preflight, "getaddrinfo", lambda *_, **__: answered.wait(60))
    monkeypatch.setattr(preflight, "NAME_SECONDS", 0.1)
    try:
        with pytest.raises(HeadtailError, match="cut off from the network"):
            names_of(tmp_path, [f"http://host-{k}.example/" for k in range(30)], detect_outage=True)
    finally:
        answered.set()
