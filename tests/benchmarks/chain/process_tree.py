"""What a command costs together with all processes that it starts, also those that outlive it."""

import ctypes
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.benchmarks.memory import PeakMemory, descendants

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
ENDING_SECONDS = 120


@dataclass
class Cost:
    """CPU seconds of the tree, also by stage; seconds of the clock; peaks of memory and of files in a folder."""

    core_seconds: float = 0.0
    seconds: float = 0.0
    peak_gib: float = 0.0
    peak_bytes: int = 0
    stages: dict[str, float] = field(default_factory=dict)

    def then(self, other: "Cost") -> "Cost":
        """Return the cost of both, one after the other."""
        return Cost(
            self.core_seconds + other.core_seconds,
            self.seconds + other.seconds,
            max(self.peak_gib, other.peak_gib),
            max(self.peak_bytes, other.peak_bytes),
            self.stages | other.stages,
        )


class PeakBytes:
    """Samples the size of all files in a folder, temporary ones included."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes = folder, 0
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
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


def run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> Cost:
    """Run a command to its end, its files in `folder`; its lines `stage NAME` tell which stage begins.

    Processes that it leaves behind are waited for, and counted. Raises RuntimeError if it fails.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become our children, instead of init's
    before = set(descendants(os.getpid()))
    used, started = _used_by_children(), time.monotonic()
    marks: list[tuple[str, float]] = []
    with log.open("w") as errors, PeakBytes(folder) as disk:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        assert process.stdout
        with PeakMemory(process.pid) as memory:
            for line in process.stdout:
                if line.startswith("stage "):
                    marks.append((line.split()[1], _used_by_living(before)))  # noqa: PERF401 - while the command runs
            process.wait()
            seconds = time.monotonic() - started
        _wait_for_others(before)
    if process.returncode:
        raise RuntimeError(f"{command} has ended with {process.returncode}: {log.read_text()[-3000:]}")
    total = _used_by_children() - used
    # The first stage begins with the process; a command that names none is one stage without a name.
    names, begins = [name for name, _ in marks] or [""], [0.0, *(at for _, at in marks[1:])]
    stages = {name: end - begin for name, begin, end in zip(names, begins, [*begins[1:], total], strict=True)}
    return Cost(total, seconds, memory.gib, disk.bytes, stages)


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _used_by_living(before: set[int]) -> float:
    """Return the CPU seconds of new processes, and of the children that they have waited for."""
    ticks = 0
    for pid in set(descendants(os.getpid())) - before:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(each) for each in fields[11:15])
    return ticks / TICKS


def _wait_for_others(before: set[int]) -> None:
    """Wait for the orphans of a command. Raises RuntimeError if they do not end."""
    for _ in range(10 * ENDING_SECONDS):
        others = set(descendants(os.getpid())) - before
        if not others:
            return
        for pid in others:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # a child of a child, which waits for it itself
                continue
        time.sleep(0.1)
    raise RuntimeError(f"these processes do not end: {others}")
