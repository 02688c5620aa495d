"""How a job ends that has failed: one line for the user, and a log with the stack trace for a report of the fault."""

import os
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from curation.core.errors import PROJECT, shows_stacks
from curation.core.terminal import printable

MAX_CHARACTERS = 300
STACK = "Traceback (most recent call last):"
PACKAGES = ("headtail", "pyspark", "pyarrow", "numpy")


def unexpected_line(job: str, error: BaseException) -> str:
    """Write the stack trace to a log and return the line for an error that is no user's mistake."""
    if shows_stacks():
        where = "the stack trace is above"
    elif path := write_log(job, error):
        where = f"the stack trace is in {path}, and --debug shows it"
    else:
        where = "--debug shows the stack trace"
    return f"an unexpected error, {summary(error)}: {where}; please report it with that at {PROJECT}/issues"


def summary(error: BaseException) -> str:
    """Return the type and the message of an error in one line; of an error of a worker those that the worker had.

    >>> summary(KeyError("x")), summary(ValueError("a\\nb"))
    ("KeyError: 'x'", 'ValueError: a')
    >>> summary(RuntimeError(f"failed\\n{STACK}\\n  File 'x.py'\\nOSError: gone\\n\\n\\tat org.apache"))
    'OSError: gone'
    """
    _, found, stack = str(error).rpartition(f"{STACK}\n")
    if found:
        ends = [line for line in stack.splitlines() if line and not line[0].isspace()]
        if ends:
            return ends[0][:MAX_CHARACTERS]
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}"[:MAX_CHARACTERS] if first else type(error).__name__


def write_log(job: str, error: BaseException) -> str | None:
    """Write the versions, the stack trace and the last lines of the JVM to a file that only the user can read.

    Return its path, or None if no folder takes it.
    """
    lines = [f"headtail {job}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}", f"{sys.executable} {sys.version}"]
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            lines.append(f"{name} {version(name)}")
    lines += ["", *"".join(traceback.format_exception(error)).splitlines()]
    if jvm := sys.modules.get("curation.spark.jvm"):
        lines += ["", "The last lines of the JVM:", *jvm.jvm_lines()]
    name = f"{job}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "headtail", "logs")
    for folder in (cache, Path(tempfile.gettempdir(), f"headtail-{os.getuid()}")):
        with suppress(OSError):
            if folder.is_absolute():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                with open(folder / name, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                    file.write(printable("\n".join(lines)) + "\n")
                return str(folder / name)
    return None


def hide_stacks_of_threads() -> None:
    """Keep quiet about errors that no code can catch: in threads, and in objects that are being deleted.

    Such errors follow the one that ends a job, for example when the JVM is gone.
    """
    if not shows_stacks():
        threading.excepthook = lambda _: None
        sys.unraisablehook = lambda _: None
