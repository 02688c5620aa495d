"""S3 with faults: throttling, broken connections, lost answers, credentials that expire, large folders."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from curation.core import fault_lines, remote, s3_store, storage
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.input_files import list_files
from curation.core.receipts import Receipt, written_receipt
from curation.core.recipes import Recipe
from curation.core.store_faults import StoreError
from curation.core.tables import Table
from tests.faulty_store import Faults, FaultyStore, store_found_in
from tests.store_answers import MANY

PART = 5 << 20
DATA = bytes(range(256)) * 24_000  # two parts


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStore]:
    with FaultyStore(tmp_path_factory.mktemp("store")) as server, store_found_in(server) as fs:
        fs.mkdir("bucket")
        yield server


@pytest.fixture
def store(server: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyStore]:
    monkeypatch.setattr(s3_store, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(s3_store, "_lines", fault_lines.FaultLines("store"))
    monkeypatch.setattr(fault_lines, "QUIET_SECONDS", 1e6)
    monkeypatch.setattr(s3_store.S3Store, "_gave_up", False)
    monkeypatch.setattr(storage.filesystem("s3://bucket")[0], "default_block_size", PART)
    server.begin(Faults())
    yield server
    server.begin(Faults())


def written_and_read() -> None:
    """Write, list, read and delete a large file and a small one, and check each."""
    for name, data in (("large", DATA), ("small", DATA[:1000])):
        with storage.AtomicFile(f"s3://bucket/run/{name}") as file:
            for start in range(0, len(data), 1 << 20):
                file.write(data[start : start + (1 << 20)])
        assert storage.exists(f"s3://bucket/run/{name}")
        with storage.open_input(f"s3://bucket/run/{name}") as file:
            assert file.read() == data
        with remote.open_patiently(f"s3://bucket/run/{name}") as file:
            assert file.read() == data
        assert remote.read_range(f"s3://bucket/run/{name}", 100, 50) == data[100:150]
    assert storage.list_sizes("s3://bucket/run") == {"large": len(DATA), "small": 1000}
    storage.remove_files(["s3://bucket/run/large"])
    storage.remove("s3://bucket/run")
    assert storage.list_folder("s3://bucket/run") == []


def test_manifests_and_receipts_are_read_by_one_request_each(store: FaultyStore) -> None:
    receipt = Receipt("task", rows_in=3, rows_out=3)
    storage.write_bytes("s3://bucket/table/receipt.json", receipt.to_json().encode())
    Table("s3://bucket/table").commit(0, Recipe("stage", 1, {}, []), [receipt], 0.0)
    reads: dict[str, tuple[Callable[[], object], object, dict[str, int]]] = {
        "receipt": (lambda: written_receipt("s3://bucket/table/receipt.json"), receipt, {"GET": 1}),
        "none": (lambda: written_receipt("s3://bucket/table/none.json"), None, {"GET": 1}),
        "no manifest": (lambda: storage.read_json_if_there("s3://bucket/none/_manifest.json"), None, {"GET": 1}),
        "parts": (
            lambda: [part.receipt.rows_in for part in Table("s3://bucket/table").parts()],
            [3],
            {"LIST": 1, "GET": 1},
        ),
    }
    for name, (read, expected, requests) in reads.items():
        store.begin(Faults())
        assert read() == expected, name
        assert dict(store.requests) == requests, name


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        pytest.param(Faults(slow_down=0.2, internal_error=0.2), "503 SlowDown (", id="refused"),
        pytest.param(Faults(broken_upload=0.4, broken_download=0.4), "get_object, try 1 of 10)", id="broken"),
        pytest.param(
            Faults(lost_answer=0.4, refused_delete=0.5),
            "1 object not deleted: InternalError (delete_objects, try 1 of 10)",
            id="half_done",
        ),
        pytest.param(Faults(expire_after=10, renewed_after=2, expired_status=403), "takes newer credent", id="expired"),
    ],
)
def test_faults_are_overcome_and_told(
    store: FaultyStore, faults: Faults, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store.begin(faults)
    written_and_read()
    assert store.failed.total() >= 3
    told = capsys.readouterr().err
    assert said in told
    assert all(line.startswith("store ") for line in told.splitlines())
    assert len(told.splitlines()) <= store.failed.total()


def test_an_upload_whose_answer_was_lost_is_found(store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    file = storage.AtomicFile("s3://bucket/run/large")
    with file as out:
        out.write(DATA)
        monkeypatch.setattr(store, "_draw", loses_one(store))
    assert store.failed["lost_answer"] == 1
    assert storage.filesystem("s3://bucket/run/large")[0].size("bucket/run/large") == len(DATA)


def loses_one(store: FaultyStore) -> Any:
    """The answer to the request that completes an upload is lost, once."""

    def draw(environ: dict[str, Any], _: str) -> str | None:
        completes = environ["REQUEST_METHOD"] == "POST" and "uploadId" in environ["QUERY_STRING"]
        return "lost_answer" if completes and not store.failed else None

    return draw


@pytest.mark.parametrize(
    ("faults", "line", "most"),
    [
        pytest.param(
            Faults(down_after=1),
            r"^s3://bucket/run/.*given up after 3 tries in .* 503( SlowDown)? \(.*start again",
            4,
            id="down",
        ),
        pytest.param(
            Faults(expire_after=1, renewed_after=99),
            r"^s3://bucket/run/.*the credentials have expired \(400 ExpiredToken\).*renew them and start again",
            9,  # after a refused HEAD, the client asks for the bucket's region, and we ask for the reason
            id="expired",
        ),
        pytest.param(
            Faults(denied=1.0), r"^s3://bucket/run/.*(Access Denied|Forbidden) \(403( AccessDenied)?\)", 2, id="denied"
        ),
    ],
)
def test_faults_that_last_end_in_one_line(
    store: FaultyStore, faults: Faults, line: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_store, "TRIES", 3)
    storage.write_bytes("s3://bucket/run/file", b"1")
    actions: list[Callable[[], object]] = [
        lambda: storage.write_bytes("s3://bucket/run/other", b"1"),
        lambda: remote.read_range("s3://bucket/run/file", 0, 1),
        lambda: storage.exists("s3://bucket/run/file"),
        lambda: list_files(["s3://bucket/run/file"]),
        lambda: storage.remove("s3://bucket/run/file"),
    ]
    store.begin(faults)
    with suppress(OSError):
        storage.exists("s3://bucket/run/file")  # the request after which the fault begins
    for action in actions:
        before = store.requests.total()
        with pytest.raises((HeadtailError, remote.RemoteError), match=line) as raised, faults_as_lines():
            action()
        assert "\n" not in str(raised.value)
        assert store.requests.total() - before <= most
    with pytest.raises(HeadtailError, match=line), faults_as_lines():
        actions[0]()


def test_an_upload_that_stalls_is_given_up(store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "TRIES", 2)
    monkeypatch.setattr(s3_store, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(s3_store, "SLOWEST_BYTES_PER_SECOND", 1 << 40)
    store.begin(Faults(upload_seconds=1.0))
    with pytest.raises(StoreError, match=r"given up after 2 tries in .* TimeoutError \(put_object\)"):
        storage.write_bytes("s3://bucket/run/file", b"1")


def test_a_store_that_was_never_reached_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(fault_lines, "QUIET_SECONDS", 1e6)
    monkeypatch.setattr(s3_store.S3Store, "_reached", False)
    monkeypatch.setattr(s3_store.S3Store, "_gave_up", False)
    nowhere = s3_store.S3Store(endpoint_url="http://127.0.0.1:9", key="x", secret="x", skip_instance_cache=True)
    with pytest.raises(StoreError, match=r"given up after 4 tries in .* EndpointConnectionError"):
        nowhere.exists("bucket/run/file")


def test_a_large_folder_is_listed_once(store: FaultyStore) -> None:
    store.keys = sorted(f"crawl/{number % 7}/{number:05}.wat.gz" for number in range(2100))
    store.begin(Faults())
    files = list_files([f"s3://{MANY}/crawl"], (".gz",))
    assert [file.path for file in files] == [f"s3://{MANY}/{key}" for key in store.keys]
    assert store.requests == {"LIST": 4}  # three pages, and one to see that it is a folder


@pytest.mark.parametrize("code", ["SlowDown", "ExpiredToken", "AccessDenied"])
def test_a_glob_with_a_folder_that_is_not_listed_ends_in_a_line(
    store: FaultyStore, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keys = sorted(f"crawl/{number % 3}/{number}.gz" for number in range(9))
    assert len(list_files([f"s3://{MANY}/crawl/*/*.gz"])) == 9
    monkeypatch.setattr(store, "_draw", lambda environ, _: code if "crawl%2F1" in environ["QUERY_STRING"] else None)
    with pytest.raises(HeadtailError, match=code) as raised:
        list_files([f"s3://{MANY}/crawl/*/*.gz"])
    assert f"s3://{MANY}/crawl/1/" in str(raised.value)


def test_a_whole_file_is_one_request(store: FaultyStore) -> None:
    storage.write_bytes("s3://bucket/run/file", b"token")
    store.begin(Faults())
    assert storage.filesystem("s3://bucket")[0].cat_file("bucket/run/file") == b"token"
    assert store.requests == {"GET": 1}


def test_many_requests_meet_credentials_that_expire(store: FaultyStore) -> None:
    storage.write_bytes("s3://bucket/run/file", b"1")
    store.begin(Faults(expire_after=6))
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(storage.exists, ["s3://bucket/run/file"] * 16))


def test_credentials_that_sts_refuses_to_renew_are_a_line(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "AssumeRole")

    monkeypatch.setattr(s3_store, "_keys", refused)
    monkeypatch.setattr(s3_store, "TRIES", 2)
    store.begin(Faults(expire_after=1, renewed_after=99))
    with suppress(OSError, ClientError):
        storage.exists("s3://bucket/run/file")  # the request after which the fault begins
    with pytest.raises(HeadtailError, match=r"credentials have expired.*renew them"), faults_as_lines():
        storage.write_bytes("s3://bucket/run/file", b"1")
    assert "cannot renew the credentials: An error occurred (AccessDenied)" in capsys.readouterr().err


def test_an_outage_is_no_missing_bucket(store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [storage.exists(path) for path in ("s3://bucket", "s3://nowhere")] == [True, False]
    monkeypatch.setattr(s3_store, "TRIES", 1)
    store.begin(Faults(slow_down=1.0))
    with pytest.raises(StoreError):
        storage.exists("s3://bucket")


def test_a_store_that_is_down_is_not_waited_for_again_and_again(store: FaultyStore) -> None:
    def requests(faults: Faults) -> int:
        store.begin(faults)
        with suppress(StoreError):
            storage.write_bytes("s3://bucket/run/file", b"1")
        return store.requests["PUT"]

    down = Faults(slow_down=1.0)
    assert [requests(down), requests(down), requests(Faults()), requests(down)] == [10, 4, 1, 10]
