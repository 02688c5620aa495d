"""Paths of inputs that name nothing: the line says what is there, and how a crawl is spelt."""

import socket
from pathlib import Path

import pytest

from curation.core import remote
from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo
from curation.extraction.inputs import check_reachable, list_sources
from tests.pauses import record_pauses

PREFIX = "https://data.invalid/"


def refused(path: object) -> str:
    with pytest.raises(HeadtailError) as error:
        list_sources([str(path)], SourceKind.wat, PREFIX)
    return str(error.value)


def test_a_path_that_is_not_there_is_not_told_about_endings(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("")
    assert refused(tmp_path / "gone") == f"{tmp_path}/gone names no file: there is nothing at this path"
    assert refused(f"{tmp_path}/*.gz") == f"{tmp_path}/*.gz names no file: nothing matches it"
    assert refused(tmp_path) == f"{tmp_path} is a folder and names no file ending in .wat, .wat.gz or .wat.zst"


def test_packed_archives_of_a_folder(tmp_path: Path) -> None:
    for name in ("a.warc", "a.warc.gz", "a.warc.zst", "a.wat", "a.wat.gz", "a.wat.zst", "a.zst", "a.warc.bz2"):
        (tmp_path / name).write_text("")
    for kind in (SourceKind.wat, SourceKind.warc):
        names = [f"{tmp_path}/a.{kind.value}{packing}" for packing in ("", ".gz", ".zst")]
        assert [file.path for file in list_sources([str(tmp_path)], kind, PREFIX)] == names


@pytest.mark.parametrize("name", ["CC-MAIN-2024", "cc-main-2024-22", "CC-MAIN-2024-5", "CC-MAIN-2024-22/", "2024-22"])
def test_a_crawl_that_is_spelt_otherwise(name: str) -> None:
    assert "a crawl is spelt CC-MAIN-2024-22, with its year and its week" in refused(name)


def test_a_crawl_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str, *_: object, **__: object) -> None:
        raise FileNotFoundError(f"{url}: 404 Not Found")

    monkeypatch.setattr(remote, "open_http", missing)
    line = refused("CC-MAIN-2024-99")
    assert line.startswith("there is no crawl CC-MAIN-2024-99: its list of files https://data.invalid/crawl-data/")
    assert line.endswith("(404 Not Found); https://index.commoncrawl.org names the crawls")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No name resolves. Returns the pauses that were made."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    pauses = record_pauses(monkeypatch, remote)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(remote, "_opener", remote._opener.__wrapped__)
    return pauses


def test_the_list_of_a_crawl_is_not_waited_for_without_network(
    offline: list[float], capsys: pytest.CaptureFixture
) -> None:
    line = refused("CC-MAIN-2024-22")
    assert (
        "the name data.invalid does not resolve (Temporary failure in name resolution): is this machine offline?"
        in line
    )
    assert sum(offline) < 10
    assert (
        "reads the list of files https://data.invalid/crawl-data/CC-MAIN-2024-22/wat.paths.gz"
        in capsys.readouterr().err
    )


def test_a_source_on_the_web_is_not_waited_for_without_network(offline: list[float]) -> None:
    check_reachable([FileInfo("/local/x.wat.gz", 1, "")])
    assert offline == []
    with pytest.raises(HeadtailError, match=r"^https://a.invalid/x.wat.gz: the name a.invalid .*machine offline"):
        check_reachable([FileInfo("/local/x.wat.gz", 1, ""), FileInfo("https://a.invalid/x.wat.gz", -1, "")])
    assert sum(offline) < 10


def test_behind_a_proxy_no_name_is_looked_up(offline: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    check_reachable([FileInfo("https://a.invalid/x.wat.gz", -1, "")])
    assert offline == []
