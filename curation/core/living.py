"""The living line: where a run is, in place on a terminal, as a plain line every half minute elsewhere.

Whatever fails here ends the line and not the run.
"""

import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from curation.core import progress
from curation.core.amounts import byte_size
from curation.core.beats import peak_memory
from curation.core.credentials import without_secrets
from curation.core.errors import host_name
from curation.core.meter import GAP, TASKS, Meter, Reading, clock, living_parts, plain_line
from curation.core.run_log import RunLog
from curation.core.terminal import PrintableStream, printable, screen

TERMINAL_SECONDS = 1.0
PLAIN_SECONDS = 30.0
DUMB = ("", "dumb", "unknown")


def is_living(stream: TextIO) -> bool:
    """Return whether a stream is a terminal on which a line can change: not that of a CI, nor a dumb one."""
    try:
        is_terminal = stream.isatty()
    except (ValueError, OSError):  # it is closed
        return False
    return is_terminal and os.environ.get("TERM", "") not in DUMB and not os.environ.get("CI")


class TerminalLine:
    """A line at the end of the terminal that changes; tqdm draws it."""

    def __init__(self, stream: TextIO) -> None:
        from tqdm import tqdm  # takes 50 ms, which only a terminal pays
        from tqdm.std import Bar
        from tqdm.utils import disp_trim

        # The guard of the stream would show the carriage return as its code.
        self._stream = stream.unguarded() if isinstance(stream, PrintableStream) else stream
        self._print, self._bar, self._trim = tqdm.status_printer(self._stream), Bar, disp_trim
        self._is_unicode = "utf" in (getattr(self._stream, "encoding", "") or "").lower()
        self._shown = False

    def width(self) -> int:
        """Return the columns that a line may fill: the last one stays free, or some terminals would break the line."""
        with suppress(OSError, ValueError):
            return max(1, os.get_terminal_size(self._stream.fileno()).columns - 1)
        return 79

    def show(self, first: str, bar: int, share: float, last: str) -> None:
        """Draw a line: a text, a bar of this width (0: none), a text."""
        charset = self._bar.UTF if self._is_unicode else " #"
        drawn = f"|{self._bar(share, charset=charset):{bar - 2}}|" if bar else ""
        text = GAP.join(filter(None, (first, drawn, last)))
        with screen.lock:
            if screen.at_line_start:
                self._print(self._trim(printable(text), self.width()))
                self._shown = True

    def clear(self) -> None:
        """Remove the line; the cursor is then where a line begins."""
        if self._shown:
            self._shown = False
            with suppress(OSError, ValueError):
                self._print("")
                self._print("")


class Ticker:
    """A thread that tells where the run is."""

    def __init__(self, stream: TextIO) -> None:
        self._line = TerminalLine(stream) if is_living(stream) else None
        self._ended = threading.Event()
        self._told = self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._tick, daemon=True, name="progress")

    def start(self) -> None:
        """Start to tell."""
        if self._line:
            screen.clear = self._line.clear
        self._thread.start()

    def stop(self) -> None:
        """Remove the living line and end the thread; one that waits for a Java that hangs is left behind."""
        self._ended.set()
        with screen.lock:
            screen.clear()
            screen.clear = lambda: None
        self._thread.join(2.0)

    def _tick(self) -> None:
        while not self._ended.wait(TERMINAL_SECONDS if self._line else PLAIN_SECONDS):
            # Whatever is wrong, a terminal that is gone or a Java that has ended, the run itself meets it, or goes on.
            with suppress(Exception):
                self._tell()
                progress.run.log.store()

    def _tell(self) -> None:
        run = progress.run
        is_due = time.monotonic() - self._told >= PLAIN_SECONDS - 1
        if run.waits:
            text, start = run.waits[-1]
            name = run.stage.name if run.stage else run.log.job
            seconds = time.monotonic() - start
            line = f"{text} ({seconds:.0f} s)"
            if self._line:
                named = f"{name}{GAP}{line}"
                self._show(named if len(named) <= self._line.width() else line, 0, 0.0, "")
            if is_due:
                self._write(name, line, event="waits", text=text, seconds=round(seconds))
            return
        if run.stage is None and not run.steps:
            if self._line:
                screen.clear()
            return
        self._tell_stage(run, is_due)

    def _tell_stage(self, run: progress.Run, is_due: bool) -> None:
        name = run.stage.name if run.stage else run.log.job
        start = run.stage.start if run.stage else run.steps[0].start
        seconds = time.monotonic() - start
        reading, meter = self._read(run)
        if self._line:
            first, bar, last = living_parts(name, seconds, reading, meter, self._line.width())
            self._show(first, bar, reading.share or 0.0, last)
        if is_due:
            counts = {"step": reading.step or None, "unit": reading.unit, "done": reading.done, "total": reading.total}
            left = meter.seconds_left
            self._write(
                name, plain_line(seconds, reading, meter), event="progress", **counts,
                part=run.stage.part if run.stage else None, tasks_done=reading.tasks_done, tasks=reading.tasks,
                drops=dict(reading.reasons), seconds=round(seconds), seconds_left=None if left is None else round(left),
            )  # fmt: skip

    def _read(self, run: progress.Run) -> tuple[Reading, Meter]:
        """Return how far the present step is; without one, how far Spark is with work that no step names."""
        if step := run.step():
            reading, meter = step.reading(run.track()), step.meter
            meter.begin(max(0.0, self._looked - step.start))  # until then another step was at work
            self._looked = time.monotonic()
            meter.add(time.monotonic() - step.start, reading)
            return reading, meter
        tracked = run.track()
        if tracked is None:
            return Reading("on the driver", total=None), Meter()
        return Reading("in Spark", TASKS, tracked[0], tracked[1], *tracked), Meter()

    def _show(self, first: str, bar: int, share: float, last: str) -> None:
        if self._line and not self._ended.is_set():
            self._line.show(first, bar, share, last)

    def _write(self, name: str, line: str, event: str, **values: Any) -> None:
        """Write to the log; print, too, where no line lives."""
        self._told = time.monotonic()
        progress.run.log.event(event, stage=name, **values)
        if self._line or self._ended.is_set():
            progress.run.log.line(f"{name:16} {line}")
        else:
            progress.say(name, line)


@contextmanager
def watched(
    job: str, output: str, arguments: Sequence[str] = (), memory: Callable[[], int] = int, settings: str = ""
) -> Iterator[None]:
    """Tell where a run is while the block works, and write its log into the folder `output` (empty: no log).

    At the end of a run that had work, a line tells its seconds, bytes and memory; `memory` returns that of Java.
    `settings` are those of the run, as YAML for its folder.
    """
    run, start = progress.start_run(RunLog(output, job)), time.monotonic()
    versions = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {host_name()}, process {os.getpid()}"
    run.log.settings(settings)
    run.log.line(f"headtail {job} {' '.join(arguments)}\n{versions}")
    told = [without_secrets(each) for each in arguments]
    run.log.event("run_started", arguments=told, process=os.getpid(), host=host_name())
    ticker = Ticker(sys.stderr)
    ticker.start()
    try:
        with _warnings_in(run.log):
            yield
    except BaseException as error:
        ticker.stop()
        seconds = round(time.monotonic() - start, 3)
        run.log.line("".join(traceback.format_exception(error)).rstrip())
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        run.log.event("run_failed", error=without_secrets(f"{type(error).__name__}: {line}")[:1000], seconds=seconds)
        run.log.close()
        raise
    with suppress(Exception):  # Java may have ended
        run.memory.java = memory()
    ticker.stop()
    seconds = time.monotonic() - start
    if run.stages:
        progress.say(job, totals(run, seconds))
    run.log.event(
        "run_ended", seconds=round(seconds, 3), stages=run.stages, bytes_read=run.bytes_read,
        bytes_written=run.bytes_written, driver_bytes=peak_memory(), java_bytes=run.memory.java,
        worker_bytes=run.memory.worker, workers=run.memory.workers,
    )  # fmt: skip
    run.log.close()


def totals(run: progress.Run, seconds: float) -> str:
    """Return the line at the end of a run."""
    moved = [
        f"{byte_size(count)} {what}"
        for count, what in ((run.bytes_read, "read"), (run.bytes_written, "written"))
        if count
    ]
    java = f", Java {byte_size(run.memory.java)}" if run.memory.java else ""
    workers = f", a worker {byte_size(run.memory.worker)}" if run.memory.worker else ""
    log = f"; log: {run.log.folder}" if run.log.folder else ""
    took = ", ".join((f"took {clock(seconds)}", *moved))
    return f"{took}; peak memory: driver {byte_size(peak_memory())}{java}{workers}{log}"


class _LogHandler(logging.Handler):
    """Writes the records of Python's loggers to the log of the run, and shows those that were shown without it."""

    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._log.line(self.format(record))
        shown = logging.lastResort
        if shown and record.levelno >= shown.level and len(logging.root.handlers) == 1:
            shown.handle(record)


@contextmanager
def _warnings_in(log: RunLog) -> Iterator[None]:
    """Write the warnings and the log records of Python to the log, too, while the block runs."""
    show = warnings.showwarning

    def noted(message: Any, category: Any, filename: str, lineno: int, *more: Any, **named: Any) -> None:
        log.line(f"{category.__name__} at {filename}:{lineno}: {message}")
        show(message, category, filename, lineno, *more, **named)

    handler = _LogHandler(log)
    warnings.showwarning = noted
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
        warnings.showwarning = show
