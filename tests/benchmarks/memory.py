"""What is looked at again and again while something runs: memory of a process and all that it started, files."""

import os
import threading
from pathlib import Path
from typing import Self


class Sampler:
    """Looks at something every `seconds` in a thread of its own, while the block runs."""

    seconds = 0.3

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self.seconds):
            self.look()

    def look(self) -> None:
        """Look once."""
        raise NotImplementedError


class PeakMemory(Sampler):
    """Samples proportional set sizes, so that shared pages count once.

    `gib` is the peak of all together; `driver`, `jvm`, `workers` and `worker` (the largest) are the peaks of the
    process itself, of its Java processes, and of its other descendants.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid or os.getpid()
        self.gib = self.driver = self.jvm = self.workers = self.worker = self.driver_and_jvm = 0.0

    def look(self) -> None:
        """Look at all processes once."""
        sizes = {pid: _proportional_bytes(pid) / 2**30 for pid in descendants(self.pid)}
        driver = sizes.pop(self.pid, 0.0)
        jvm = sum([sizes.pop(pid) for pid in list(sizes) if _is_java(pid)])
        self.driver, self.jvm = max(self.driver, driver), max(self.jvm, jvm)
        self.driver_and_jvm = max(self.driver_and_jvm, driver + jvm)
        self.workers = max(self.workers, sum(sizes.values()))
        self.worker = max(self.worker, *sizes.values(), 0.0)
        self.gib = max(self.gib, driver + jvm + sum(sizes.values()))


class PeakDisk(Sampler):
    """Samples the size of all files in a folder, temporary ones included; `bytes` is its peak."""

    seconds = 0.5

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes = folder, 0

    def look(self) -> None:
        """Look at all files once."""
        self.bytes = max(self.bytes, bytes_in(self.folder))


def bytes_in(folder: Path) -> int:
    """Return the size of all files in a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # it is gone already
                continue
    return total


def core_seconds() -> float:
    """Return the time that this process, its descendants, and those of them that have ended were at work."""
    return sum(cpu_ticks(pid)[1] for pid in descendants(os.getpid())) / os.sysconf("SC_CLK_TCK")


def cpu_ticks(pid: int) -> tuple[int, int]:
    """Return the parent of a process, and its CPU ticks with those of the children that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[1]), sum(int(each) for each in fields[11:15])


def cpu_seconds() -> float:
    """CPU time of this process and all that it started, of ended ones too once they are waited for."""
    ticks = 0
    for pid in descendants(os.getpid()):
        try:
            fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # user, system, and those of its children
    return ticks / os.sysconf("SC_CLK_TCK")


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
