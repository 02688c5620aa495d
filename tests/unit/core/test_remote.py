"""Remote inputs are read whole from a local server that misbehaves, and from a local S3."""

import functools
import gzip
import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq
import pytest

from curation.core import remote
from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.remote import open_patiently, read_range
from curation.extraction.extract import ExtractTask, extract_file
from curation.extraction.inputs import list_sources
from curation.images.stored_images import take_image
from tests.pauses import record_pauses
from tests.s3_server import s3_server
from tests.sample_tars import picture, sample, write_tar
from tests.unit.extraction.settings import ENGLISH, extraction_settings, table_columns
from tests.unit.extraction.test_extract import image, wat_record

DATA = bytes(range(256)) * 9000


@functools.cache
def wat() -> bytes:
    """Three thousand records."""
    return b"".join(
        gzip.compress(wat_record(f"http://h.org/{n}/", [image("a.jpg", alt=f"kite {n}")]), mtime=0) for n in range(3000)
    )


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA and WAT with the fault that the path names."""

    seen: ClassVar[Counter[str]] = Counter()
    tar: ClassVar[bytes] = b""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fault, _, name = self.path.strip("/").partition("/")
        count = self.seen[self.path]
        self.seen[self.path] += 1
        data = wat() if "wat.gz" in name else self.tar if "tar" in name else DATA
        if "paths" in name:
            data = gzip.compress(b"ok/1.wat.gz\nok/2.wat.gz\n", mtime=0)
        if fault.isdigit() and (count < 3 or name.startswith("always")):
            self.send_error(int(fault))
            return
        start = self.headers.get("Range", "")
        first, _, last = start.removeprefix("bytes=").partition("-") if fault != "noranges" else ("", "", "")
        at, end = int(first or 0), int(last or len(data) - 1) + 1
        self.send_response(206 if first else 200)
        body = data[at:end]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault in ("breaks", "noranges") and count < 4:
            self.wfile.write(body[: len(body) // 3])
            self.close_connection = True
        elif fault == "reset" and count < 2:
            self.connection.close()
        else:
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "READING", replace(remote.READING, first_pause_seconds=0.001))
    Handler.seen.clear()


@pytest.mark.parametrize("fault", ["ok", "403", "429", "500", "503", "breaks", "noranges", "reset"])
def test_passing_faults_are_overcome(host: str, fault: str) -> None:
    with open_patiently(f"{host}/{fault}/data") as file:
        assert file.read() == DATA
        file.seek(1000)
        assert file.read(500) == DATA[1000:1500]
    Handler.seen.clear()
    assert read_range(f"{host}/{fault}/data", 1000, 500) == DATA[1000:1500]
    assert read_range(f"{host}/{fault}/data", 0, 10) == DATA[:10]
    assert read_range(f"{host}/{fault}/data", len(DATA) - 10, 500) == DATA[-10:]


@pytest.mark.parametrize(("fault", "error"), [("404", FileNotFoundError), ("400", OSError), ("429", OSError)])
def test_lasting_faults_tell_the_url_and_the_last_answer(host: str, fault: str, error: type[OSError]) -> None:
    url = f"{host}/{fault}/always"
    with pytest.raises(error, match=f"{url}: .*{fault}"), open_patiently(url) as file:
        file.read()
    assert Handler.seen[f"/{fault}/always"] == (remote.READING.tries if fault == "429" else 1)


def test_a_server_asks_for_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = record_pauses(monkeypatch, remote)

    def refuse(*_: Any) -> Any:
        raise remote.PassingError("429 Too Many Requests", 7.0)

    monkeypatch.setattr(remote, "open_http", refuse)
    with pytest.raises(OSError, match="http://x: byte 0: given up after 8 tries: 429"):
        open_patiently("http://x")
    assert pauses == [7.0] * 7


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)]
)
def test_retry_after(value: str, seconds: float) -> None:
    assert remote._retry_after_seconds(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    later = formatdate(time.time() + 100, usegmt=True)
    assert 98 < remote._retry_after_seconds(later) <= 100


def test_proxies_of_the_environment_are_used(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host)
    remote._opener.cache_clear()
    try:
        assert read_range("http://archives.invalid/ok/data", 0, 10) == DATA[:10]
    finally:
        remote._opener.cache_clear()
    assert list(Handler.seen) == ["http://archives.invalid/ok/data"]


@pytest.mark.parametrize("fault", ["ok", "breaks", "503"])
def test_a_remote_wat_gives_what_the_local_one_gives(host: str, fault: str, tmp_path: Path) -> None:
    settings = extraction_settings(language=ENGLISH)
    (tmp_path / "a.wat.gz").write_bytes(wat())
    outputs = []
    for path in (str(tmp_path / "a.wat.gz"), f"{host}/{fault}/a.wat.gz"):
        receipt = extract_file(ExtractTask(path, str(tmp_path / "out.parquet")), settings)
        assert receipt.rows_out == 3000
        assert not receipt.failures
        outputs.append((tmp_path / "out.parquet").read_bytes())
    assert outputs[0] == outputs[1]
    # One request for the file and one for its last member, which is looked at again: is it whole?
    assert Handler.seen[f"/{fault}/a.wat.gz"] <= (2 if fault == "ok" else 7)


def test_a_file_that_is_gone_is_a_failure(host: str, tmp_path: Path) -> None:
    task = ExtractTask(f"{host}/404/always.wat.gz", str(tmp_path / "out.parquet"))
    receipt = extract_file(task, extraction_settings(language=ENGLISH))
    assert "404" in receipt.failures[0]["error"]


def test_a_signature_stays_out_of_the_rows(host: str, tmp_path: Path) -> None:
    task = ExtractTask(f"{host}/ok/a.wat.gz?X-Signature=secret/1", str(tmp_path / "out.parquet"))
    assert extract_file(task, extraction_settings(language=ENGLISH)).rows_out == 3000
    assert set(pq.read_table(tmp_path / "out.parquet")["source_file"].to_pylist()) == {"a.wat.gz"}


def test_lists_of_files(host: str, tmp_path: Path) -> None:
    (tmp_path / "a.wat.gz").write_bytes(b"x")
    (tmp_path / "wat.paths").write_text("crawl/1.wat.gz\n\nhttps://other.org/2.wat.gz\n")
    paths = [str(tmp_path / "wat.paths"), str(tmp_path), f"{host}/ok/x.wat.gz"]
    files = list_sources(paths, SourceKind.wat, prefix="s3://b/", absolute_paths=True)
    assert [file.path for file in files] == [
        str(tmp_path / "a.wat.gz"),
        f"{host}/ok/x.wat.gz",
        "https://other.org/2.wat.gz",
        "s3://b/crawl/1.wat.gz",
    ]
    listed = list_sources(["CC-MAIN-2024-22"], SourceKind.wat, prefix=f"{host}/ok/")
    assert [file.path for file in listed] == [f"{host}/ok/ok/{number}.wat.gz" for number in (1, 2)]
    assert list(Handler.seen) == ["/ok/crawl-data/CC-MAIN-2024-22/wat.paths.gz"]
    with pytest.raises(HeadtailError, match=r"the list of files .*404"):
        list_sources([f"{host}/404/always.paths.gz"], SourceKind.wat, prefix="")


def test_lists_may_hold_absolute_paths_and_prefixes_need_no_slash(tmp_path: Path) -> None:
    (tmp_path / "wat.paths").write_text("/here/1.wat.gz\ncrawl/2.wat.gz\n")
    found = list_sources([str(tmp_path / "wat.paths")], SourceKind.wat, prefix="/data", absolute_paths=True)
    assert [file.path for file in found] == ["/data/crawl/2.wat.gz", "/here/1.wat.gz"]
    (tmp_path / "none.paths").write_text("\n")
    with pytest.raises(HeadtailError, match=r"the list of files .*none.paths is empty"):
        list_sources([str(tmp_path / "none.paths")], SourceKind.wat, prefix="")


def test_a_store_that_cannot_be_listed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(HeadtailError, match=r"^s3://nope/x: the store asks for credentials, and none "):
        list_sources(["s3://nope/x"], SourceKind.wat, prefix="")


def test_images_of_a_remote_shard_are_taken_by_their_ranges(host: str, tmp_path: Path) -> None:
    members = [member for n in range(3) for member in sample(f"{n}", picture(n), f"kite {n}")]
    Handler.tar = write_tar(tmp_path / "a.tar", members)
    columns = table_columns(texts=(("txt", "txt"),))
    settings = extraction_settings(source=SourceKind.webdataset, language=ENGLISH, columns=columns)
    receipt = extract_file(ExtractTask(f"{host}/503/a.tar", str(tmp_path / "out.parquet")), settings)
    assert not receipt.failures
    for number, place in enumerate(pq.read_table(tmp_path / "out.parquet").to_pylist()):
        assert take_image(place, 1 << 20).body.read() == picture(number)
    Handler.tar = b""
    place["image_file"] += "?key=secret"
    found = take_image(place, 1 << 20)
    assert found.status == "unreadable"
    assert "secret" not in found.error


def test_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server("crawl", monkeypatch) as fs:
        fs.pipe("crawl/a/1.wat.gz", wat())
        files = list_sources(["s3://crawl/a"], SourceKind.wat, prefix="")
        assert [(file.path, file.size) for file in files] == [("s3://crawl/a/1.wat.gz", len(wat()))]
        settings = extraction_settings(language=ENGLISH)
        task = ExtractTask(files[0].path, str(tmp_path / "out.parquet"))
        assert extract_file(task, settings).rows_out == 3000
        assert read_range("s3://crawl/a/1.wat.gz", 100, 50) == wat()[100:150]
        with pytest.raises(FileNotFoundError):
            read_range("s3://crawl/none", 0, 5)
        with pytest.raises(FileNotFoundError), open_patiently("s3://crawl/none") as file:
            file.read(1)
