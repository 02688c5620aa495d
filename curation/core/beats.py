"""Heartbeats: a process that does tasks tells the driver how far it is, while they run.

Receipts arrive when tasks have ended, and a list of 10,000 images is one task. So each process overwrites a small file
with its counts: each second on the driver's machine, where the file lies in a temporary folder, and every half minute
on a cluster, where it is an object beside the output. A thread of its own writes it, and drops any error: a heartbeat
neither fails nor delays a task. Heartbeats are shown and logged, and decide nothing; receipts do.
"""

import json
import os
import resource
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from curation.core import storage
from curation.core.errors import host_name
from curation.core.receipts import Receipt

NEAR_SECONDS = 1.0
FAR_SECONDS = 30.0
READ_SECONDS = 10.0
"""On a cluster the driver reads no more often: each file is a request to a store."""
MAX_READ = 200
"""Of more processes than these on a cluster, the driver reads none but the files of so many."""


class ByteLog(Protocol):
    """The account of a reader: how many bytes of its file it has read, or up to which byte it has read all rows."""

    bytes_read: int
    position: int


@dataclass
class Pulse:
    """Counts of one process, or of several: ended tasks, bytes and rows of ended and running tasks, dropped rows.

    `peak_bytes` is the memory that the processes have held at most, each one by itself. `note` says what one of them
    does instead of its rows.
    """

    tasks: int = 0
    bytes: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    peak_bytes: int = 0
    note: str = ""

    def add(self, other: "Pulse") -> None:
        """Add the counts of other processes."""
        self.tasks += other.tasks
        self.bytes += other.bytes
        self.rows += other.rows
        self.reasons.update(other.reasons)
        self.processes += other.processes
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.note = other.note or self.note


class _Process:
    """The counts of this process for the step at which it works."""

    def __init__(self) -> None:
        self.step = ""
        self.pid = 0
        self.changed = threading.Event()
        self.running = False
        self.start_step("")

    def start_step(self, step: str) -> None:
        self.step, self.ended, self.told = step, Pulse(), False
        self.start_task()

    def start_task(self) -> None:
        self.rows, self.reasons = 0, Counter[str]()
        self.receipt: Receipt | None = None
        self.log: ByteLog | None = None
        self.note = ""

    def end_task(self, receipt: Receipt) -> None:
        read = _bytes_of(self.log)
        self.ended.add(Pulse(1, read, receipt.rows_in, Counter(receipt.drops)))
        self.start_task()

    def pulse(self) -> Pulse:
        """Return the counts now. Called by another thread; a Counter that changes meanwhile raises RuntimeError."""
        ended, receipt, log = self.ended, self.receipt, self.log
        now = Pulse(ended.tasks, ended.bytes, ended.rows, Counter(ended.reasons), 1, peak_memory(), self.note)
        now.add(Pulse(0, _bytes_of(log), self.rows, Counter(self.reasons)))
        if receipt is not None:
            now.add(Pulse(0, 0, receipt.rows_in, Counter(receipt.drops)))
        return now


def _bytes_of(log: ByteLog | None) -> int:
    return (log.position or log.bytes_read) if log else 0


_mine = _Process()


def moved(rows: int, reason: str = "") -> None:
    """Count rows of the running task, which are dropped for `reason` if one is given."""
    _mine.rows += rows
    if reason:
        _mine.reasons[reason] += rows


def watch(receipt: Receipt | None = None, log: ByteLog | None = None) -> None:
    """Tell the rows of the running task's receipt, or the bytes that its reader has read, from now on."""
    _mine.receipt, _mine.log = receipt or _mine.receipt, log or _mine.log


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Tell what the running task does before its rows while the block runs, such as `compiling the list of en`."""
    _mine.note = note
    try:
        yield
    finally:
        _mine.note = ""


@dataclass(frozen=True)
class Beats:
    """The heartbeats of one step: where its processes write them, and how often. It travels with the tasks.

    `folder` exists before the first task runs; `near` says that it is local to all processes.
    """

    folder: str
    near: bool
    step: str = field(default_factory=lambda: uuid.uuid4().hex)

    @contextmanager
    def task(self) -> Iterator["Beats"]:
        """Count a task of this process in the block; `end` takes its receipt."""
        if _mine.step != self.step:
            _mine.start_step(self.step)
        _mine.start_task()
        _mine.running = True
        _note_kernels()
        with suppress(RuntimeError):  # no thread can be started: then nothing is told
            _start_thread(self)
        _mine.changed.set()
        try:
            yield self
        finally:
            _mine.running = False
            _mine.changed.set()

    def end(self, receipt: Receipt) -> Receipt:
        """Count the running task as ended, and return its receipt."""
        _mine.end_task(receipt)
        return receipt

    def write(self) -> None:
        """Write the counts of this process; any error is dropped."""
        # Clients of stores raise errors of many types, and a heartbeat must not show one.
        with suppress(Exception):
            values = {"step": _mine.step, **vars(_mine.pulse())}
            content = json.dumps(values).encode()
            path = storage.join(self.folder, f"{host_name()}-{os.getpid()}.json")
            if not self.near:  # to ask fsspec takes longer than to write
                fs, inner = storage.filesystem(path)
                if not storage.is_local(path):
                    # The driver may have deleted the folder at the end of the step, and a store would make it anew.
                    if (_mine.running and not _mine.told) or storage.exists(self.folder):
                        fs.pipe_file(inner, content)
                        _mine.told = True
                    return
                path = inner
            with open(f"{path}.new", "wb") as file:
                file.write(content)
            os.replace(f"{path}.new", path)

    def read(self) -> Pulse:
        """Return the sum of the counts of all processes of this step; files that cannot be read are left out."""
        total = Pulse()
        with suppress(Exception):  # as in `write`
            names = [name for name in storage.list_folder(self.folder) if name.endswith(".json")]
            for name in names[:MAX_READ]:
                values = _read(storage.join(self.folder, name))
                if values.pop("step", None) == self.step:
                    total.add(Pulse(**{**values, "reasons": Counter(values["reasons"])}))
        return total

    def reader(self) -> Callable[[], Pulse]:
        """Return `read` for a driver that asks each second; on a cluster its answer is kept for READ_SECONDS."""
        kept = [(-READ_SECONDS, Pulse())]

        def read() -> Pulse:
            if time.monotonic() - kept[-1][0] >= READ_SECONDS:
                kept[:] = [(time.monotonic(), self.read())]
            return kept[-1][1]

        return self.read if self.near else read


def _read(path: str) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return storage.read_json(path)
    return {}


_current: Beats | None = None


def _start_thread(beats: Beats) -> None:
    """Start the thread of this process that writes heartbeats, unless it runs; it writes those of the last step."""
    global _current
    _current = beats
    if _mine.pid != os.getpid():
        _mine.pid, _mine.changed = os.getpid(), threading.Event()
        threading.Thread(target=_keep_writing, daemon=True, name="heartbeats").start()


_listens = False


def _note_kernels() -> None:
    """Tell when this process compiles kernels, from the first task on before which numba was imported.

    At the first start of a version that takes a minute.
    """
    global _listens
    event: Any = sys.modules.get("numba.core.event")
    if _listens or event is None:
        return
    _listens = True
    with suppress(Exception):  # an inner part of numba, which may change

        class Compiling(event.Listener):
            depth = 0

            def on_start(self, _: object) -> None:
                self.depth += 1
                _mine.note = "compiling kernels"

            def on_end(self, _: object) -> None:
                self.depth -= 1
                _mine.note = _mine.note if self.depth else ""

        event.register("numba:compile", Compiling())


def _keep_writing() -> None:
    while True:
        _mine.changed.wait()
        _mine.changed.clear()
        while True:
            # The end of a task is written after the pause, too: short tasks cost no write each.
            running = _mine.running
            time.sleep(NEAR_SECONDS if _current is None or _current.near else FAR_SECONDS)
            if _current is not None:
                _current.write()
            if not running:
                break


def peak_memory() -> int:
    """Return the bytes of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
