"""The sides of a comparison: processes that are ready, and take turns."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

spawn = multiprocessing.get_context("spawn")


class Side:
    """One side of a comparison: a process on some cores that is ready and works when told to."""

    def __init__(self, prepare: Callable[..., Callable[[str], Any]], cores: int, *arguments: Any) -> None:
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, prepare, cores, arguments))
        self._process.start()
        theirs.close()  # so that recv fails if the process has ended
        self._pipe.recv()

    def run(self, what: str = "") -> Any:
        """Do it once; return what it gives, its seconds as a rule."""
        self._pipe.send(what)
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def _serve(pipe: Connection, prepare: Callable[..., Callable[[str], Any]], cores: int, arguments: tuple) -> None:
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    work = prepare(cores, *arguments)
    pipe.send("ready")
    while (what := pipe.recv()) is not None:
        pipe.send(work(what))


def peak_mib() -> int:
    """Return the most memory that this process has held."""
    # ru_maxrss would be that of the process this one was forked from, if larger.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
