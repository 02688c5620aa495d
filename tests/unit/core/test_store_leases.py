"""Leases on S3 whose answers are late or lost: no request of one run harms the lease of another."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from curation.core import fault_lines, lease_files, leases, s3_store, storage
from curation.core.errors import HeadtailError
from curation.core.lease_files import Lease, LeaseFile
from curation.core.leases import Leases
from tests.faulty_store import Faults, FaultyStore, store_found_in
from tests.store_answers import as_xml

FOLDER = "s3://bucket/run"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStore]:
    with FaultyStore(tmp_path_factory.mktemp("store")) as server, store_found_in(server) as fs:
        fs.mkdir("bucket")
        yield server


@pytest.fixture
def store(server: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    monkeypatch.setattr(leases, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(lease_files, "FIRST_PAUSE_SECONDS", 0.001, raising=False)
    monkeypatch.setattr(s3_store, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(s3_store, "_lines", fault_lines.FaultLines("store"))
    monkeypatch.setattr(fault_lines, "QUIET_SECONDS", 1e6)
    server.begin(Faults())
    storage.remove(f"{FOLDER}/.lease")
    return server


def take(job: str) -> Leases:
    lease = Leases(job, [])
    lease.take([LeaseFile(FOLDER)])
    return lease


def holder() -> str:
    return storage.read_json(f"{FOLDER}/.lease")["owner"]["job"]


def meanwhile(store: FaultyStore, method: str, act: Any, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
    """Let `act` happen while the first request of a method waits; if it is `done` before, its answer is lost."""
    first, real = threading.Event(), store._pass_on

    def pass_on(environ: dict[str, Any], body: bytes) -> Any:
        if environ["REQUEST_METHOD"] == method and not first.is_set():
            first.set()
            if done:
                real(environ, body)
            act()
            if done:
                store._reset(environ)
        return real(environ, body)

    monkeypatch.setattr(store, "_pass_on", pass_on)


def test_of_two_runs_that_create_a_lease_the_first_has_it(store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Leases] = []
    meanwhile(store, "PUT", lambda: held.append(take("first")), monkeypatch, done=False)
    with pytest.raises(HeadtailError, match=r"another run \(first"):
        take("second")
    held[0].renew()
    held[0].check(f"{FOLDER}/a")
    assert holder() == "first"


@pytest.mark.parametrize("faults", [Faults(lost_answer=0.6, seed=3), Faults(slow_down=0.5)], ids=["lost", "refused"])
def test_a_lease_is_created_renewed_and_deleted_under_faults(store: FaultyStore, faults: Faults) -> None:
    store.begin(faults)
    lease = take("first")
    for _ in range(4):
        lease.renew()
    lease.check(f"{FOLDER}/a")
    assert holder() == "first"
    lease.release()
    assert not storage.exists(f"{FOLDER}/.lease")
    assert store.failed.total() > 3


def test_a_late_renewal_does_not_replace_the_lease_of_another(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take("first")
    second = Lease(Leases("second", []).owner)
    meanwhile(store, "PUT", lambda: storage.write_bytes(f"{FOLDER}/.lease", second.to_bytes()), monkeypatch, done=False)
    lease.renew()
    with pytest.raises(HeadtailError, match=r"another run \(second.* has taken over"):
        lease.check(f"{FOLDER}/a")
    assert holder() == "second"


def test_a_deletion_that_is_sent_again_spares_the_lease_of_another(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of HTTP sends a DELETE again by itself when the connection ends, so it must have a condition."""
    real = store._pass_on

    def conditional(environ: dict[str, Any], body: bytes) -> Any:
        if environ["REQUEST_METHOD"] == "DELETE" and (tag := environ.get("HTTP_IF_MATCH")):
            now = hashlib.md5(LeaseFile(FOLDER).read() or b"", usedforsecurity=False).hexdigest()
            if now != tag.strip('"'):
                return as_xml("412 PreconditionFailed", "<Error><Code>PreconditionFailed</Code></Error>")
        return real(environ, body)

    monkeypatch.setattr(store, "_pass_on", conditional)
    lease = take("first")
    meanwhile(store, "DELETE", lambda: take("second"), monkeypatch, done=True)
    lease.release()
    assert holder() == "second"


@pytest.mark.parametrize("knows", ["ignores", "refuses"])
def test_a_store_without_conditions_has_leases_too(
    store: FaultyStore, monkeypatch: pytest.MonkeyPatch, knows: str
) -> None:
    real = store._pass_on

    def pass_on(environ: dict[str, Any], body: bytes) -> Any:
        conditions = [name for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH") if name in environ]
        if conditions and knows == "refuses":
            return as_xml("501 NotImplemented", "<Error><Code>NotImplemented</Code></Error>")
        return real({name: value for name, value in environ.items() if name not in conditions}, body)

    monkeypatch.setattr(store, "_pass_on", pass_on)
    lease = take("first")
    lease.renew()
    lease.check(f"{FOLDER}/a")
    with pytest.raises(HeadtailError, match=r"another run \(first"):
        take("second")
    lease.release()
    assert not storage.exists(f"{FOLDER}/.lease")
