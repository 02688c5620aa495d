"""Attempts at a task whose input may end the process: a task that has died twice is given up."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from curation.core import storage
from curation.core.receipts import Receipt

MAX_DEATHS = 2
GIVEN_UP = "given_up"
"""The reason of the failure of an input that was given up."""


@contextmanager
def attempt(folder: str, task: str) -> Iterator[bool]:
    """Yield whether a task may run: false if two attempts at it have begun and never ended.

    An attempt leaves a hidden file in `folder` while it runs, so a process that is killed leaves it behind. An attempt
    that ends with an error removes its file: it has not ended the process. The next run of the job starts from zero,
    because it empties the folder: a user who stops a run twice must not lose the files that it was reading.
    """
    markers = [storage.join(folder, f".{task}.attempt-{n}{storage.TEMPORARY}") for n in range(MAX_DEATHS)]
    marker = next((path for path in markers if not storage.exists(path)), None)
    if marker is None:
        yield False
        return
    storage.write_bytes(marker, b"")
    try:
        yield True
    finally:
        storage.remove(marker)


@contextmanager
def noted_error(note: str) -> Iterator[None]:
    """Raise the error of an earlier attempt again, without its work; else note an error that is raised in the block.

    A local run tries a task again because its process may have died. An error would come again, hours later. `note` is
    the path of a temporary file of this run. The end of a stream is not noted: the process at its other end has ended.
    """
    with suppress(FileNotFoundError):
        raise RuntimeError(storage.read_bytes(note).decode())
    try:
        yield
    except EOFError:
        raise
    except Exception as error:
        with suppress(OSError):  # the disk may be full: that is then the error
            storage.write_bytes(note, "".join(traceback.format_exception(error)).encode("utf-8", "replace"))
        raise


def receipt_of_given_up(path: str) -> Receipt:
    """Return the receipt of a task without output whose input file was given up."""
    return Receipt(path, failures=[failure_of_given_up(path)])


def failure_of_given_up(path: str) -> dict:
    """Return the failure of an input file that was given up, for a receipt."""
    error = f"given up: {MAX_DEATHS} attempts at it ended their process (out of memory, out of time, or a crash)"
    return {"file": path, "offset": 0, "error": error, "records_read": 0, "reason": GIVEN_UP}
