"""What a command costs together with all processes that it starts, also those that outlive it."""

import ctypes
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.memory import PeakDisk, PeakMemory, Sampler, cpu_ticks, descendants

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


class UnwaitedProcesses(Sampler):
    """Samples the CPU time of processes whose parent ignores their end, as Spark's daemon does that of its workers.

    The kernel adds the time of such a process to nobody's. `ticks` holds the last that was seen of each, by pid; a
    process that works for less than the interval is missed.
    """

    seconds = 0.2

    def __init__(self, before: set[int]) -> None:
        self.before, self.ticks = before, dict[int, int]()

    def look(self) -> None:
        """Look at all new processes once."""
        for pid in set(descendants(os.getpid())) - self.before:
            parent, ticks = cpu_ticks(pid)
            if parent and _ignores_children(parent):
                self.ticks[pid] = ticks


def _ignores_children(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    ignored = next((int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")), 0)
    return bool(ignored >> (signal.SIGCHLD - 1) & 1)


def run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> Cost:
    """Run a command to its end, its files in `folder`; its lines `stage NAME` tell which stage begins.

    Processes that it leaves behind are waited for, and counted. Raises RuntimeError if it fails.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become our children, instead of init's
    before = set(descendants(os.getpid()))
    used, started = _used_by_children(), time.monotonic()
    marks: list[tuple[str, float]] = []
    with log.open("w") as errors, PeakDisk(folder) as disk, UnwaitedProcesses(before) as unwaited:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        assert process.stdout
        with PeakMemory(process.pid) as memory:
            for line in process.stdout:
                if line.startswith("stage "):
                    marks.append((line.split()[1], _used_by_living(before, unwaited)))  # noqa: PERF401 - while the command runs
            process.wait()
            seconds = time.monotonic() - started
        reaped = _wait_for_others(before)
    if process.returncode:
        raise RuntimeError(f"{command} has ended with {process.returncode}: {log.read_text()[-3000:]}")
    lost = sum(ticks for pid, ticks in unwaited.ticks.items() if pid not in reaped) / TICKS
    total = _used_by_children() - used + lost
    # The first stage begins with the process; a command that names none is one stage without a name.
    names, begins = [name for name, _ in marks] or [""], [0.0, *(at for _, at in marks[1:])]
    stages = {name: end - begin for name, begin, end in zip(names, begins, [*begins[1:], total], strict=True)}
    return Cost(total, seconds, memory.gib, disk.bytes, stages)


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _used_by_living(before: set[int], unwaited: UnwaitedProcesses) -> float:
    """Return the CPU seconds of new processes, of the children that they have waited for, and of those unwaited."""
    seen = dict(unwaited.ticks)
    pids = seen.keys() | (set(descendants(os.getpid())) - before)
    # A process may end between the two looks.
    return sum(max(cpu_ticks(pid)[1], seen.get(pid, 0)) for pid in pids) / TICKS


def _wait_for_others(before: set[int]) -> set[int]:
    """Wait for the orphans of a command; return those that became our children. Raises RuntimeError if they stay."""
    reaped: set[int] = set()
    for _ in range(10 * ENDING_SECONDS):
        others = set(descendants(os.getpid())) - before
        if not others:
            return reaped
        for pid in others:
            try:
                reaped.add(os.waitpid(pid, os.WNOHANG)[0])
            except ChildProcessError:  # a child of a child, which waits for it itself
                continue
        time.sleep(0.1)
    raise RuntimeError(f"these processes do not end: {others}")
