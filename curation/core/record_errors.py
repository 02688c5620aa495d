"""Faults of single records: an error of a reader at one page or row, which must not end its file or the run."""

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from curation.core.errors import STORAGE_ERRORS, HeadtailError

READER_ERROR = "reader_error"
"""The reason of such a fault, and the beginning of its message."""
MESSAGE_CHARACTERS = 200
NO_LIMIT = 1e6


def is_of_record(error: Exception) -> bool:
    """Return whether an error may be the fault of a record: not one that a user, or the owner of a disk, must fix.

    >>> is_of_record(KeyError("x")), is_of_record(OSError("cut off")), is_of_record(OSError(28, "No space left"))
    (True, True, False)
    """
    of_storage = isinstance(error, OSError) and error.errno in STORAGE_ERRORS
    return not of_storage and not isinstance(error, HeadtailError)


def line_of_error(error: Exception) -> str:
    """Return one line with the type of an error, its place in our code, and its message.

    >>> line_of_error(ValueError("no\\nnumber"))
    'reader_error: ValueError: no\\\\nnumber'
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    message = ascii(str(error)[:MESSAGE_CHARACTERS])[1:-1]
    return f"{READER_ERROR}: {type(error).__name__}{place}: {message}"


class RecordClock:
    """Limits the CPU time of a record.

    Between two pieces of a record, the reader asks `is_over`. Within a piece no Python code runs while a library works
    on it, so the operating system ends the process (SIGPROF) after twice the limit. Waiting for a disk or the network
    takes no CPU time. Only the process that reads hostile input runs the clock (`running`).
    """

    def __init__(self, seconds: float = NO_LIMIT) -> None:
        self.seconds = seconds
        self._runs = False
        self._started = time.monotonic()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clock in the block."""
        self._runs = True
        self.start()
        try:
            yield
        finally:
            self._runs = False
            signal.setitimer(signal.ITIMER_PROF, 0)

    def start(self) -> None:
        """Start the time of the next record."""
        self._started = time.monotonic()
        if self._runs:
            signal.setitimer(signal.ITIMER_PROF, 2 * self.seconds)

    def is_over(self) -> bool:
        """Return whether the record has taken more than its time."""
        if not self._runs or time.monotonic() - self._started <= self.seconds:  # cheaper than to ask for CPU time
            return False
        return signal.getitimer(signal.ITIMER_PROF)[0] < self.seconds
