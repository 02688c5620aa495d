"""Progress: what a run does now, as lines on standard error, as a living line, in its log and as events.

A run has stages, one after the other; a stage has steps, each a list of tasks; and it has to wait. `living.py` shows
where a run is while it works, `run_log.py` writes its log. Without them, as in a test, only the lines are printed.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from curation.core.amounts import counted
from curation.core.beats import Pulse
from curation.core.fault_lines import tell_by
from curation.core.meter import BYTES, TASKS, Meter, Reading
from curation.core.receipts import Receipt
from curation.core.run_log import RunLog
from curation.core.terminal import printable

SHOWN_REASONS = 4
NOTED_SECONDS = 1.0
"""A shorter wait is no event."""
START_SECONDS = 2.0
"""A step whose tasks have told nothing for so long still starts its workers."""
Tracker = Callable[[], tuple[int, int] | None]
"""Returns how many tasks of the cluster's present work are done, and of how many; None without work."""


@dataclass
class Amount:
    """The work of a stage in its own unit: `total` of it (None: unknown), `done` by the steps that have ended."""

    total: float | None
    unit: str
    done: float = 0

    def of(self, pulse: Pulse) -> float:
        """Return the part of a pulse that counts in this unit."""
        return pulse.bytes if self.unit == BYTES else pulse.rows


@dataclass
class Step:
    """A list of tasks that runs now. `pulses` reads the heartbeats of its tasks."""

    name: str
    tasks: int
    amount: Amount | None
    pulses: Callable[[], Pulse]
    start: float = field(default_factory=time.monotonic)
    pulse: Pulse = field(default_factory=Pulse)
    meter: Meter = field(default_factory=Meter)

    def reading(self, tracked: tuple[int, int] | None) -> Reading:
        """Return how far the step is; a pulse that cannot be read any more leaves the counts as they were."""
        pulse = self.pulses()
        if pulse.processes and pulse.tasks >= self.pulse.tasks:
            self.pulse = pulse
        seconds = time.monotonic() - self.start
        waits = self.pulses is not Pulse and not self.pulse.processes and seconds > START_SECONDS
        name, note = self.name, "starting workers" if waits else self.pulse.note
        tasks = min(self.tasks, max(self.pulse.tasks, tracked[0] if tracked and tracked[1] == self.tasks else 0))
        if self.amount is None:
            return Reading(name, TASKS, tasks, self.tasks, tasks, self.tasks, self.pulse.reasons, note)
        done, total = self.amount.done + self.amount.of(self.pulse), self.amount.total
        done = done if total is None else min(done, total)
        return Reading(name, self.amount.unit, done, total, tasks, self.tasks, self.pulse.reasons, note)


@dataclass
class Memory:
    """The most memory that each kind of process of a run has held, in bytes; 0: unknown or none."""

    java: int = 0
    worker: int = 0
    workers: int = 0


class Run:
    """What this process does now, and its totals."""

    def __init__(self) -> None:
        self.log = RunLog("", "")
        self.stage: Stage | None = None
        self.steps: list[Step] = []
        self.waits: list[tuple[str, float]] = []
        self.track: Tracker = lambda: None
        self.memory = Memory()
        self.stages = 0
        self.bytes_read = 0
        self.bytes_written = 0

    def step(self) -> Step | None:
        """Return the step that is at work: the last one whose tasks have begun, else the first one."""
        steps = list(self.steps)
        begun = (each for each in reversed(steps[1:]) if each.pulses().processes)
        return next(begun, steps[0] if steps else None)


run = Run()
"""The run of this process."""


def start_run(log: RunLog) -> Run:
    """Begin a run with a log; forget the one before, but not how Spark is asked."""
    global run
    track = run.track
    run = Run()
    run.log, run.track = log, track
    return run


class Stage:
    """A running stage: prints a line at its start and at its end, and measures the time between."""

    def __init__(self, name: str, plan: str, part: int | None = None) -> None:
        self.name, self.part = name, part
        self.start = time.monotonic()
        run.stage, run.stages = self, run.stages + 1
        run.log.open()
        run.log.event("stage_started", stage=name, part=part, plan=plan)
        say(name, f"starts: {plan}")

    @property
    def seconds(self) -> float:
        """Seconds since the stage started."""
        return time.monotonic() - self.start

    def end(self, receipt: Receipt) -> None:
        """Print rows in, rows out, the most frequent drop reasons, and seconds."""
        counts = {"rows_in": receipt.rows_in, "rows_out": receipt.rows_out, "drops": dict(receipt.drops)}
        self.close(account(receipt), failures=len(receipt.failures), **counts)

    def close(self, outcome: str, **counts: Any) -> None:
        """Print the outcome of a stage and its seconds; `counts` go to the event of its end."""
        if run.stage is self:
            run.stage = None
        seconds = round(self.seconds, 3)
        run.log.event("stage_ended", stage=self.name, part=self.part, **counts, seconds=seconds)
        say(self.name, f"done: {outcome}, {self.seconds:.1f} s")


@contextmanager
def step(
    name: str, tasks: int, pulses: Callable[[], Pulse] = Pulse, amount: Amount | None = None
) -> Iterator[Callable[[Iterable[Receipt]], None]]:
    """Tell of a list of tasks while the block runs; the block calls what it gets with the receipts of its tasks."""
    this = Step(name, tasks, amount, pulses)
    run.steps.append(this)

    def ended(receipts: Iterable[Receipt]) -> None:
        rows = 0
        for receipt in receipts:
            rows += receipt.rows_in
            run.bytes_read += receipt.facts.get("bytes_read", 0) + receipt.facts.get("source_bytes", 0)
            run.bytes_written += written_bytes(receipt)
        if amount and amount.unit != BYTES:
            amount.done += rows
        seconds = round(time.monotonic() - this.start, 3)
        run.log.event("step_ended", stage=_stage_name(), step=name, tasks=tasks, rows_in=rows, seconds=seconds)

    try:
        yield ended
    finally:
        last = pulses()
        run.memory.worker = max(run.memory.worker, last.peak_bytes, this.pulse.peak_bytes)
        run.memory.workers = max(run.memory.workers, last.processes, this.pulse.processes)
        with suppress(ValueError):  # another run may have begun
            run.steps.remove(this)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Tell what the run waits for while the block runs, such as `starting Spark`."""
    started = (text, time.monotonic())
    run.waits.append(started)
    try:
        yield
    finally:
        with suppress(ValueError):  # the run may have been begun within the block
            run.waits.remove(started)
        if (seconds := time.monotonic() - started[1]) >= NOTED_SECONDS:
            run.log.event("waited", stage=_stage_name(), text=text, seconds=round(seconds, 3))


def written_bytes(receipt: Receipt) -> int:
    """Return the bytes that the outputs of a receipt have: of tables, of the tars of shards, of downloaded images.

    >>> written_bytes(Receipt("x", outputs=[{"bytes": 2, "tar_bytes": 30}]))
    32
    """
    files = sum(output.get("bytes", 0) + output.get("tar_bytes", 0) for output in receipt.outputs)
    return files + receipt.facts.get("image_bytes", 0)


def _stage_name() -> str | None:
    return run.stage.name if run.stage else None


def account(receipt: Receipt) -> str:
    """Return a receipt as one line.

    >>> from collections import Counter
    >>> account(Receipt("x", 1200, 900, Counter(blank_text=300)))
    '1,200 rows in, 900 out, 300 dropped (blank_text 300)'
    """
    line = f"{counted(receipt.rows_in, 'rows')} in, {receipt.rows_out:,} out"
    if not receipt.drops:
        return line
    reasons = [f"{reason} {count:,}" for reason, count in receipt.drops.most_common(SHOWN_REASONS)]
    more = ["..."] if len(receipt.drops) > SHOWN_REASONS else []
    return f"{line}, {sum(receipt.drops.values()):,} dropped ({', '.join(reasons + more)})"


def say(name: str, message: str) -> None:
    """Print one line of a stage, and write it to the log."""
    line = f"{name:16} {message}"
    run.log.line(line)
    print(printable(line), file=sys.stderr, flush=True)  # noqa: T201


tell_by(say)  # storage, which this module needs, cannot import it

_later: list[tuple[str, str]] = []


def say_later(name: str, message: str) -> None:
    """Keep a line until the checks of a run are done and its work begins (`say_kept`)."""
    _later.append((name, message))


def say_kept() -> None:
    """Print the lines that were kept, once."""
    while _later:
        say(*_later.pop(0))


def forget_later() -> None:
    """Forget the lines that were kept: the run is refused."""
    _later.clear()
