"""One run at a time writes to a folder: a second one is refused while the first lives, and goes on when it is dead."""

import contextvars
import errno
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curation.core import leases, owners, storage
from curation.core.errors import HeadtailError
from curation.core.lease_files import Lease, LeaseFile, read_lease
from curation.core.leases import RENEWAL_SECONDS, Leases, hold_leases, writing
from curation.core.owners import Owner, process_state
from tests.conftest import ROOT

ELSEWHERE = replace(Owner.this_process("curate"), host="node-7", machine="node-7 boot", pid=os.getpid())


class FakeTime:
    """`sleep` passes no time, but calls what was planned for the seconds that have passed."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.planned: list[tuple[float, Callable[[], object]]] = []

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        while self.planned and self.planned[0][0] <= self.passed:
            self.planned.pop(0)[1]()


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(leases, "sleep", fake.sleep)
    return fake


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder on a disk, and one on a store that renames nothing."""
    return f"{tmp_path}/run/pairs" if request.param == "disk" else f"memory://{uuid.uuid4().hex}/pairs"


def put(folder: str, owner: Owner, renewals: int = 0) -> None:
    """Write a lease as its owner would, past the hooks of this process."""
    file = LeaseFile(folder)
    if (before := file.read()) is None:
        file.create(Lease(owner, renewals))
    else:
        file.replace(Lease(owner, renewals), before)


def dead_process() -> Owner:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Owner.this_process("extract_pairs"), pid=process.pid, process_start="1")


def another_run(folder: str) -> None:
    """Another run of this process, as a second thread would start it."""

    def run() -> None:
        with hold_leases("match_pairs", [folder]):
            pass

    contextvars.Context().run(run)


def content(folder: str) -> Any:
    return json.loads(LeaseFile(folder).read() or b"null")


def test_a_second_run_is_refused_with_the_process_and_age_of_the_first(folder: str, slept: FakeTime) -> None:
    with hold_leases("extract_pairs", [folder]):
        first = content(folder)
        old = read_lease(json.dumps(first).encode()).owner
        put(folder, replace(old, started=time.time() - 7500))
        told = rf"\(extract_pairs, process {os.getpid()} on {old.host}, started 2 h ago\) writes to .*pairs: wait"
        with pytest.raises(HeadtailError, match=told):
            another_run(folder)
        assert content(folder)["owner"]["id"] == first["owner"]["id"]
    assert content(folder) is None
    another_run(folder)
    assert slept.passed <= 2, "a second to settle on a store, and nobody was watched"


def test_jobs_that_a_run_starts_have_its_leases(folder: str) -> None:
    @writing("extract_pairs", lambda config: [config.pairs, f"{config.pairs}-further"])
    def job(config: SimpleNamespace) -> None:
        assert content(config.pairs)["owner"]["job"] == "curate"
        assert content(f"{config.pairs}-further")["owner"]["job"] == "extract_pairs"

    with hold_leases("curate", [folder, f"{folder}/"]):
        job(SimpleNamespace(pairs=folder))
        assert content(folder) is not None
    assert content(folder) is None


def test_runs_share_a_folder_that_they_only_read(folder: str) -> None:
    def second() -> None:
        with hold_leases("match_pairs", [f"{folder}-mine"], [folder]):
            assert content(folder) is None
            assert content(f"{folder}-mine")["owner"]["job"] == "match_pairs"

    with hold_leases("curate", [f"{folder}-theirs"], [folder]):
        contextvars.Context().run(second)


def test_a_shared_folder_is_taken_with_the_first_file_that_is_written_or_deleted(folder: str) -> None:
    with hold_leases("curate", [], [folder]), hold_leases("extract_pairs", [], [folder]):
        storage.write_bytes(f"{folder}2/a", b"1")
        assert content(folder) is None
        storage.write_bytes(f"{folder}/part-00000/a", b"1")
        assert content(folder)["owner"]["job"] == "curate"

        def second() -> None:
            with hold_leases("match_pairs", [], [folder]):
                with pytest.raises(HeadtailError, match=r"another run \(curate"):
                    storage.remove(f"{folder}/part-00000")
                with pytest.raises(HeadtailError, match=r"another run \(curate"):
                    storage.remove_files([f"{folder}/part-00000/a"])

        contextvars.Context().run(second)
        assert storage.exists(f"{folder}/part-00000/a")
    assert content(folder) is None


def test_folders_outside_the_output_are_shared(tmp_path: Path) -> None:
    @writing("balance_pairs", lambda config: [config.curated, config.thresholds])
    def job(config: SimpleNamespace) -> None:
        assert content(config.curated) is not None
        assert content(config.thresholds) is None

    job(
        SimpleNamespace(output=f"{tmp_path}/a", curated=f"{tmp_path}/a/curated", thresholds=f"{tmp_path}/ab/thresholds")
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, HeadtailError, SystemExit])
def test_what_ends_a_run_frees_its_folders(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), hold_leases("curate", [f"{tmp_path}/run/pairs", f"{tmp_path}/run/matches"]):
        raise error
    assert list(tmp_path.iterdir()) == [], "the folders that were made for the leases are gone"


def test_a_refused_run_leaves_no_lease(tmp_path: Path) -> None:
    with hold_leases("match_pairs", [f"{tmp_path}/matches"]):
        curate = hold_leases("curate", [f"{tmp_path}/pairs", f"{tmp_path}/matches"])
        with pytest.raises(HeadtailError, match="match_pairs, process"):
            contextvars.Context().run(curate.__enter__)
        assert not (tmp_path / "pairs").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_of_this_machine_holds_nothing(folder: str, slept: FakeTime) -> None:
    put(folder, dead_process())
    another_run(folder)
    assert slept.passed == leases.SETTLE_SECONDS
    assert content(folder) is None


def test_a_later_process_with_the_same_number_is_not_the_owner(folder: str, slept: FakeTime) -> None:
    put(folder, replace(Owner.this_process("curate"), process_start="12"))
    another_run(folder)
    assert slept.passed == leases.SETTLE_SECONDS


def test_a_process_that_has_ended_unnoticed_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    owner = replace(Owner.this_process("curate"), pid=process.pid, process_start=process_state(process.pid)[1])
    deadline = time.monotonic() + 60
    while owner.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process_state(process.pid)[0] == "Z"
    assert not owner.is_running()
    process.wait()


def test_without_proc_the_process_is_asked_for_by_ps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(owners, "PROC", tmp_path / "none")
    owner = Owner.this_process("curate")
    assert owner.is_near
    assert owner.is_running()
    assert not replace(owner, pid=dead_process().pid).is_running()


def test_a_dead_owner_elsewhere_is_waited_for_at_most_a_minute(
    folder: str, slept: FakeTime, capsys: pytest.CaptureFixture
) -> None:
    put(folder, ELSEWHERE, renewals=40)
    another_run(folder)
    assert 4 * RENEWAL_SECONDS <= slept.passed <= 60
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"waits at most a minute to see whether another run (curate, process {ELSEWHERE.pid} on node-7" in told


def test_many_folders_of_a_dead_owner_elsewhere_are_watched_at_once(tmp_path: Path, slept: FakeTime) -> None:
    folders = [f"{tmp_path}/{name}" for name in ("pairs", "matches", "curated")]
    for each in folders:
        put(each, ELSEWHERE)
    with hold_leases("curate", folders):
        assert [content(each)["owner"]["job"] for each in folders] == ["curate"] * 3
    assert slept.passed <= 60


def test_a_living_owner_elsewhere_is_seen_by_its_renewal(folder: str, slept: FakeTime) -> None:
    put(folder, ELSEWHERE, renewals=40)
    slept.planned = [(RENEWAL_SECONDS, lambda: put(folder, ELSEWHERE, renewals=41))]
    with pytest.raises(HeadtailError, match=r"another run \(curate, process .* on node-7"):
        another_run(folder)
    assert content(folder)["renewals"] == 41
    assert slept.passed <= RENEWAL_SECONDS + leases.POLL_SECONDS


def test_an_owner_elsewhere_that_ends_is_not_waited_for(folder: str, slept: FakeTime) -> None:
    put(folder, ELSEWHERE)
    slept.planned = [(4.0, lambda: storage.remove(f"{folder}/.lease"))]
    another_run(folder)
    assert slept.passed <= 8


@pytest.mark.parametrize(
    "machine", ["another boot", "another process namespace"], ids=["rebooted", "container of the same name"]
)
def test_a_process_number_says_nothing_about_another_machine(tmp_path: Path, slept: FakeTime, machine: str) -> None:
    owner = Owner.this_process("curate")
    put(f"{tmp_path}/pairs", replace(dead_process(), machine=f"{owner.host} {machine}"))
    another_run(f"{tmp_path}/pairs")
    assert slept.passed >= 4 * RENEWAL_SECONDS


def test_a_damaged_lease_is_watched_like_that_of_another_machine(folder: str, slept: FakeTime) -> None:
    storage.write_bytes(f"{folder}/.lease", b'{"owner": ')
    another_run(folder)
    assert 4 * RENEWAL_SECONDS <= slept.passed <= 60


def test_of_two_runs_that_write_a_lease_at_once_the_last_one_has_it(folder: str, slept: FakeTime) -> None:
    put(folder, dead_process())
    slept.planned = [(0.0, lambda: put(folder, ELSEWHERE))]  # after ours was written, before it is read again
    with pytest.raises(HeadtailError, match="on node-7"):
        another_run(folder)
    assert content(folder)["owner"]["host"] == "node-7"


def test_an_owner_that_was_taken_for_dead_writes_and_deletes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine slept, and the thread that renews the lease has not run since."""
    (tmp_path / "mine").write_text("1")
    monkeypatch.setattr(leases, "STALE_SECONDS", -1.0)
    with hold_leases("curate", [str(tmp_path)]):
        put(str(tmp_path), ELSEWHERE)
        with pytest.raises(HeadtailError, match=r"another run \(curate.* has taken over .*: this run stops"):
            storage.write_bytes(f"{tmp_path}/late", b"1")
        with pytest.raises(HeadtailError, match="has taken over"):
            storage.remove(f"{tmp_path}/mine")
    assert content(str(tmp_path))["owner"]["host"] == "node-7"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lease", "mine"]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_renewal_finds_that_the_lease_is_lost(folder: str, deleted: bool) -> None:
    held = Leases("curate", [])
    held.take([LeaseFile(folder)])
    held.check(f"{folder}/a")
    if deleted:
        LeaseFile(folder).remove(held.owner)
    else:
        put(folder, ELSEWHERE)
    held.renew()
    with pytest.raises(HeadtailError, match=r"\.lease is gone" if deleted else "has taken over"):
        held.check(f"{folder}/a")
    held.release()
    assert (content(folder) is None) == deleted


def test_a_lease_is_renewed_while_the_run_is_at_work(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    with hold_leases("curate", [folder]):
        deadline = time.monotonic() + 60
        while content(folder)["renewals"] < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert content(folder)["renewals"] >= 3
    assert content(folder) is None


def test_a_store_that_fails_for_a_while_ends_no_run(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    failures = iter([OSError("slow down"), OSError("slow down")])
    real = LeaseFile.replace

    def failing(self: LeaseFile, lease: Lease, before: bytes | None) -> None:
        for error in failures:
            raise error
        real(self, lease, before)

    with hold_leases("curate", [folder]):
        monkeypatch.setattr(LeaseFile, "replace", failing)
        deadline = time.monotonic() + 60
        while content(folder)["renewals"] < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert content(folder)["renewals"] >= 4
        storage.write_bytes(f"{folder}/file", b"1")


def test_where_nothing_can_be_written_no_lease_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_: Lease) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Lease, "to_bytes", fill)
    with hold_leases("curate", [f"{tmp_path}/run/pairs"]):
        assert list(tmp_path.iterdir()) == [], "what the attempt made is gone"


def test_a_file_system_without_hard_links_has_leases_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    folder = f"{tmp_path}/pairs"
    with hold_leases("curate", [folder]):
        assert os.listdir(folder) == [".lease"]
        with pytest.raises(HeadtailError, match="writes to"):
            another_run(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_owner_was_writing_is_swept(tmp_path: Path) -> None:
    dead = dead_process()
    put(str(tmp_path), dead)
    (tmp_path / f".lease.{dead.id}.tmp").write_text("{")
    another_run(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_renewal_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with hold_leases("curate", [str(tmp_path)]):
        (tmp_path / f".lease.{content(str(tmp_path))['owner']['id']}.tmp").write_text("")
    assert list(tmp_path.iterdir()) == []


HOLD = "import sys\nfrom curation.core.leases import hold_leases\nwith hold_leases('curate', [sys.argv[1]]):\n"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that holds the lease of a folder."""
    script = f"{HOLD}    print('held', flush=True)\n    sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_two_processes(holder: subprocess.Popen, tmp_path: Path, slept: FakeTime) -> None:
    with pytest.raises(HeadtailError, match=rf"\(curate, process {holder.pid} on "):
        another_run(str(tmp_path))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lease").exists()
    another_run(str(tmp_path))
    assert slept.passed == leases.SETTLE_SECONDS, "the dead process was not waited for"
    assert list(tmp_path.iterdir()) == []


AT_ONCE = """
import os, sys
from curation.core.errors import HeadtailError
from curation.core.leases import hold_leases

os.fork() and os.fork()
try:
    with hold_leases("curate", [sys.argv[1]]):
        os.write(1, b"held\\n")
        sys.stdin.read()
except HeadtailError:
    os.write(1, b"refused\\n")
"""


def test_of_processes_that_start_at_once_one_has_the_lease(tmp_path: Path) -> None:
    command, pipe = [sys.executable, "-c", AT_ONCE, str(tmp_path)], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as first:
        assert sorted(first.stdout.readline() for _ in range(3)) == ["held\n", "refused\n", "refused\n"]
        assert first.communicate("")[0] == ""
