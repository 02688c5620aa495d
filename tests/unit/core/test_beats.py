"""Heartbeats of tasks: what the driver reads while they run, and that nothing they meet fails a task."""

import os
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from numba.core import event

from curation.core import beats
from curation.core.beats import Beats, Pulse, moved, noted, watch
from curation.core.receipts import Receipt


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has started no thread yet: that of an earlier test may sleep for 30 seconds."""
    monkeypatch.setattr(beats, "_mine", beats._Process())


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beats:
    monkeypatch.setattr(beats, "NEAR_SECONDS", 0.01)
    return Beats(str(tmp_path), near=True)


def read_when(near: Beats, wanted: int) -> Pulse:
    """Return the first pulse with so many rows; the thread needs a moment."""
    for _ in range(1000):
        if (pulse := near.read()).rows >= wanted:
            return pulse
        time.sleep(0.01)
    raise AssertionError(f"no heartbeat told {wanted} rows: {near.read()}")


def test_rows_are_told_while_the_task_runs(near: Beats) -> None:
    with near.task():
        moved(3)
        moved(1, "dns")
        pulse = read_when(near, 4)
        assert (pulse.tasks, pulse.rows, pulse.reasons) == (0, 4, Counter(dns=1))
        assert pulse.peak_bytes > 1 << 20
        near.end(Receipt("a", 5, 3, Counter(dns=2)))
    with near.task():
        watch(Receipt("b", 10, 9, Counter(timeout=1)), SimpleNamespace(bytes_read=700, position=0))
        with noted("compiling the list of en"):
            pulse = read_when(near, 15)
            while not near.read().note:
                time.sleep(0.01)
    assert (pulse.tasks, pulse.rows, pulse.bytes) == (1, 15, 700)
    assert pulse.reasons == Counter(dns=2, timeout=1)


def test_a_further_step_begins_at_zero(near: Beats, tmp_path: Path) -> None:
    with near.task():
        moved(7)
        read_when(near, 7)
    other = Beats(str(tmp_path), near=True)
    with other.task():
        moved(1)
        assert read_when(other, 1).rows == 1
    assert near.read().processes == 0  # the file of this process is that of the other step now


def test_several_processes_are_added_and_damaged_files_left_out(near: Beats, tmp_path: Path) -> None:
    for name, rows in (("a-1", 5), ("b-2", 6)):
        (tmp_path / f"{name}.json").write_text(
            f'{{"step": "{near.step}", "rows": {rows}, "reasons": {{"x": 1}}, "processes": 1}}'
        )
    for name, content in (("c-3", "{"), ("d-4", "[]"), ("e-5", '{"step": 1}')):
        (tmp_path / f"{name}.json").write_text(content)
    assert (near.read().rows, near.read().processes, near.read().reasons) == (11, 2, Counter(x=2))


@pytest.mark.parametrize("folder", ["/proc/no/such", "htp://nowhere/x", "s3://no-bucket-of-ours/x"])
def test_a_folder_that_cannot_be_written_fails_nothing(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "FAR_SECONDS", 0.01)
    if folder.startswith("s3"):
        monkeypatch.setattr(beats.storage, "filesystem", lambda _: 1 / 0)
    lost = Beats(folder, near=False)
    with lost.task():
        moved(1)
        lost.write()
        assert lost.end(Receipt("a", 1, 1)).rows_out == 1
    assert lost.read() == Pulse()


def test_the_error_of_a_task_is_its_own(near: Beats) -> None:
    with pytest.raises(ValueError, match="mine"), near.task():
        raise ValueError("mine")


def test_a_forked_process_has_a_thread_and_a_file_of_its_own(near: Beats, tmp_path: Path) -> None:
    with near.task():
        moved(2)
        read_when(near, 2)
    if (child := os.fork()) == 0:
        with near.task():
            moved(40)
            read_when(near, 40)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_on_a_cluster_heartbeats_are_objects_beside_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = MemoryFileSystem()
    monkeypatch.setattr(beats, "FAR_SECONDS", 0.01)
    far = Beats("memory://part-00000/.progress-1.tmp", near=False)
    with far.task():
        moved(5)
        assert read_when(far, 5).rows == 5
    (path,) = stored.find("/part-00000")
    assert path.endswith(f"-{os.getpid()}.json")
    stored.rm("/part-00000", recursive=True)


def test_no_heartbeat_of_a_store_outlives_the_folder_that_the_driver_has_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = MemoryFileSystem()
    monkeypatch.setattr(beats, "FAR_SECONDS", 0.05)

    def delete() -> None:
        """Delete the folder as the driver does, again if a heartbeat was just being written."""
        for _ in range(2):
            if stored.exists("/part-00000"):
                stored.rm("/part-00000", recursive=True)
            time.sleep(0.2)
        assert not stored.find("/part-00000")

    for begun in (False, True):
        far = Beats("memory://part-00000/.progress-2.tmp", near=False)
        with far.task():
            if begun:
                moved(1)
                read_when(far, 1)
                delete()
        delete()


def test_on_a_cluster_the_driver_reads_no_more_often_than_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    monkeypatch.setattr(Beats, "read", lambda self: reads.append(self.folder) or Pulse())
    for near in (False, True):
        read = Beats(f"memory://{near}", near).reader()
        for _ in range(5):
            read()
    assert (reads.count("memory://False"), reads.count("memory://True")) == (1, 5)
    monkeypatch.setattr(beats, "READ_SECONDS", 0.0)
    read = Beats("memory://again", near=False).reader()
    read()
    read()
    assert reads.count("memory://again") == 2


def test_kernels_that_are_compiled_are_told(near: Beats) -> None:
    told: list[str] = []

    def compiled() -> int:
        told.append(near_note())
        return 1

    def near_note() -> str:
        return beats._mine.pulse().note

    with near.task():
        with event.trigger_event("numba:compile"):
            compiled()
        compiled()
    assert told == ["compiling kernels", ""]
