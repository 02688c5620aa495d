"""The memory of a process and of all that it started, while something runs."""

import os
import threading
from pathlib import Path
from typing import Self


class PeakMemory:
    """Samples proportional set sizes, so that shared pages count once.

    `gib` is the peak of all together; `driver`, `jvm`, `workers` and `worker` (the largest) are the peaks of the
    process itself, of its Java processes, and of its other descendants.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid or os.getpid()
        self.gib = self.driver = self.jvm = self.workers = self.worker = self.driver_and_jvm = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.3):
            sizes = {pid: _proportional_bytes(pid) / 2**30 for pid in descendants(self.pid)}
            driver = sizes.pop(self.pid, 0.0)
            jvm = sum([sizes.pop(pid) for pid in list(sizes) if _is_java(pid)])
            self.driver, self.jvm = max(self.driver, driver), max(self.jvm, jvm)
            self.driver_and_jvm = max(self.driver_and_jvm, driver + jvm)
            self.workers = max(self.workers, sum(sizes.values()))
            self.worker = max(self.worker, *sizes.values(), 0.0)
            self.gib = max(self.gib, driver + jvm + sum(sizes.values()))


def descendants(pid: int) -> list[int]:
    """The process and all that it started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def _is_java(pid: int) -> bool:
    try:
        return os.path.basename(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]) == b"java"
    except OSError:
        return False


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
