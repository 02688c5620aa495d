"""How far work on Spark is: heartbeats of tasks, Spark's own count of finished tasks, and the memory of its Java."""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

from pyspark import SparkContext

from curation.core import progress, storage
from curation.core.beats import Beats
from curation.core.receipts import Receipt
from curation.core.storage import TEMPORARY
from curation.spark.faults import is_local

PREFIX = "headtail-progress-"
Task = TypeVar("Task")


@contextmanager
def watched_step(
    name: str, tasks: int, folder: str, amount: progress.Amount | None = None
) -> Iterator[tuple[Beats | None, Callable[[Iterable[Receipt]], None]]]:
    """Tell of a step while the block runs. Yields its heartbeats, and what takes the receipts of its tasks.

    On a cluster the heartbeats lie in `folder`, which all machines share; a step without a folder has none there, and
    is told by its finished tasks.
    """
    with (
        _beats(folder) as beats,
        progress.step(name, tasks, beats.reader() if beats else progress.Pulse, amount) as ended,
    ):
        yield beats, ended


@contextmanager
def _beats(folder: str) -> Iterator[Beats | None]:
    """Yield heartbeats whose folder exists while the block runs; None where there is no place for them."""
    near, place = is_local(), ""
    with suppress(Exception):  # clients of stores raise errors of many types; without heartbeats the work goes on
        if near:
            sweep_dead(tempfile.gettempdir())
            place = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        elif folder:
            # The name is that of a temporary file: who sweeps the folder of a killed run deletes it.
            place = storage.join(folder, f".progress-{uuid.uuid4().hex[:8]}{TEMPORARY}")
            if storage.is_local(place):
                fs, inner = storage.filesystem(place)
                fs.makedirs(inner, exist_ok=True)
    try:
        yield Beats(place, near) if place else None
    finally:
        with suppress(Exception):
            if near and place:
                shutil.rmtree(place, ignore_errors=True)
            elif place:
                fs, inner = storage.filesystem(place)
                if fs.exists(inner):
                    fs.rm(inner, recursive=True)


@cache
def sweep_dead(folder: str) -> None:
    """Delete what drivers of this user that were killed have left in the temporary folder; once in a process."""
    for name in os.listdir(folder):
        if found := re.fullmatch(rf"{PREFIX}(\d+)-\w+", name):
            try:
                os.kill(int(found[1]), 0)
            except ProcessLookupError:
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
            except OSError:  # it runs, as another user
                continue


def with_beats(function: Callable[[Task], Receipt], beats: Beats | None) -> Callable[[Task], Receipt]:
    """Return the function of a task with its heartbeats; `func` is the one that it calls, as of a partial."""
    if beats is None:
        return function

    def told(task: Task) -> Receipt:
        with beats.task():
            return beats.end(function(task))

    told.func = getattr(function, "func", function)  # type: ignore[attr-defined]  # functions take attributes
    return told


def step_name(function: Any) -> str:
    """Return the name of a step from the function that does its tasks.

    >>> from functools import partial
    >>> step_name(partial(step_name, function=0))
    'step name'
    """
    while hasattr(function, "func"):
        function = function.func
    return getattr(function, "__name__", "").strip("_").replace("_", " ")


def count_tasks() -> tuple[int, int] | None:
    """Return how many tasks of Spark's active stages are done, and how many there are; None without active stages."""
    context = SparkContext._active_spark_context
    if context is None:
        return None
    tracker = context.statusTracker()
    stages = [info for number in tracker.getActiveStageIds() if (info := tracker.getStageInfo(number))]
    return (sum(info.numCompletedTasks for info in stages), sum(info.numTasks for info in stages)) if stages else None
