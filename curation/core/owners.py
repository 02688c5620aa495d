"""Owners: the process that writes to a folder, and whether it still runs."""

import os
import subprocess
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from curation.core.errors import host_name

PROC = Path("/proc")
ENDED = frozenset("ZX")
"""States of a process that has ended, while its parent has not asked for its exit code yet."""


@dataclass(frozen=True)
class Owner:
    """A process that writes to folders, for one job.

    `machine` names the space of process numbers: host, boot and process namespace. `process_start` tells the process
    from a later one with the same number. `started` is in seconds since 1970, by the clock of the host.
    """

    id: str
    job: str
    host: str
    machine: str
    pid: int
    process_start: str
    started: float

    @classmethod
    def this_process(cls, job: str) -> Self:
        """Return this process as an owner with a new id."""
        pid = os.getpid()
        return cls(uuid.uuid4().hex, job, host_name(), _machine(), pid, process_state(pid)[1], time.time())

    @property
    def is_near(self) -> bool:
        """Whether this process sees the owner's process by its number."""
        return self.machine == _machine()

    def is_running(self) -> bool:
        """Return whether the process of a near owner runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it runs, as another user
        state, start = process_state(self.pid)
        return state not in ENDED and start in ("", self.process_start)

    def describe(self) -> str:
        """Return job, process, host and age in words."""
        return f"{self.job}, process {self.pid} on {self.host}, started {age_text(time.time() - self.started)} ago"


def _machine() -> str:
    """Return the name of the space of process numbers: containers of one host have different ones."""
    boot, namespace = f"{uuid.getnode():x}" if not PROC.is_dir() else "", ""
    with suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(PROC / "self/ns/pid")
    return f"{host_name()} {boot} {namespace}".strip()


def process_state(pid: int) -> tuple[str, str]:
    """Return the state of a process (one letter) and its start, as text; both are empty where they cannot be read."""
    with suppress(OSError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    with suppress(OSError):  # systems without /proc
        command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
        words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        return (words[0][0], " ".join(words[1:])) if words else ("", "")
    return "", ""


def age_text(seconds: float) -> str:
    """Return an age in its largest unit.

    >>> age_text(5), age_text(150), age_text(7300), age_text(200_000)
    ('5 s', '2 min', '2 h', '2 days')
    """
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
