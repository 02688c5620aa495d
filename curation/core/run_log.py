"""The log, events and settings of a run: `_logs/<time>-<job>-<process>/` in its folder, with `log.txt`, `events.jsonl`
and `settings.yaml`.

The log holds all lines, also those that are not shown. Events are for machines: a JSON object a line, with `time`,
`event` and `job`. Nothing reads them again. Addresses in both are without passwords and keys (credentials.py).
A local file grows with each line. An object store cannot append: there the files are written anew at intervals.
Nothing is written before the work begins, and a log that cannot be written is given up: it must not end a run.
"""

import json
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from curation.core import storage
from curation.core.credentials import cut_values, without_secrets
from curation.core.terminal import printable

FOLDER = "_logs"
LOG = "log.txt"
EVENTS = "events.jsonl"
SETTINGS = "settings.yaml"
STORE_SECONDS = 60.0
MAX_STORED_BYTES = 16 << 20
"""Of a log on an object store, which is kept in memory, the first bytes."""
MAX_WAITING = 10_000
"""Lines that are kept until the work begins."""


class RunLog:
    """The log and the events of one run of a job; with an empty `output` it writes nothing."""

    def __init__(self, output: str, job: str) -> None:
        self.job = job
        self.folder = ""
        self._lock = threading.RLock()
        self._waiting: list[tuple[str, str]] = []
        self._files: dict[str, Any] = {}
        self._stored: dict[str, list[bytes]] = {}
        self._stored_bytes = 0
        self._written_at, self._changed = 0.0, False
        self._state = "waiting" if output else "off"
        self._output = output

    def open(self) -> None:
        """Begin to write: from now on the run's folder is there, or is made by the stage that starts."""
        with self._lock, suppress(Exception):  # clients of stores raise errors of many types
            if self._state != "waiting":
                return
            self._state = "off"
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{self.job}-{os.getpid()}"
            self.folder = storage.join(self._output, FOLDER, name)
            if storage.is_local(self.folder):
                inner = storage.filesystem(self.folder)[1]
                os.makedirs(inner, exist_ok=True)
                for name in dict.fromkeys((LOG, EVENTS, *(name for name, _ in self._waiting))):
                    self._files[name] = open(os.path.join(inner, name), "ab", buffering=0)  # noqa: SIM115 `close` does
            self._state = "on"
            waiting, self._waiting = self._waiting, []
            for name, text in waiting:
                self._put(name, text)
            self._written_at = time.monotonic()

    def settings(self, text: str) -> None:
        """Keep the settings of the run, as YAML; before the work begins."""
        if text and self._state != "off":
            self._put(SETTINGS, text)

    def line(self, text: str) -> None:
        """Write lines of the log, each with its time."""
        if self._state != "off":
            now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
            lines = printable(without_secrets(text.replace("\r\n", "\n"))).split("\n")
            self._put(LOG, "".join(f"{now}Z {each}\n" for each in lines))

    def event(self, event: str, **values: Any) -> None:
        """Write an event; values that are None are left out."""
        if self._state != "off":
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            told = {key: value for key, value in cut_values(values).items() if value is not None}
            self._put(EVENTS, json.dumps({"time": now, "event": event, "job": self.job, **told}, default=str) + "\n")

    def _put(self, name: str, text: str) -> None:
        with self._lock:
            if self._state == "waiting":
                if len(self._waiting) < MAX_WAITING:
                    self._waiting.append((name, text))
            elif self._files:
                with suppress(OSError, ValueError):  # the disk may be full
                    self._files[name].write(text.encode("utf-8", "replace"))
            elif self._state == "on" and self._stored_bytes < MAX_STORED_BYTES:
                content = text.encode("utf-8", "replace")
                self._stored_bytes += len(content)
                self._stored.setdefault(name, []).append(content)
                self._changed = True

    def store(self, at_once: bool = False) -> None:
        """Write the files of an object store anew, if a minute has passed or `at_once`."""
        with self._lock:
            if not self._changed or (not at_once and time.monotonic() - self._written_at < STORE_SECONDS):
                return
            self._changed, self._written_at = False, time.monotonic()
            contents = {name: b"".join(pieces) for name, pieces in self._stored.items()}
        with suppress(Exception):  # clients of stores raise errors of many types
            for name, content in contents.items():
                fs, inner = storage.filesystem(storage.join(self.folder, name))
                fs.pipe_file(inner, content)

    def close(self) -> None:
        """Write what is not written yet, and write nothing more."""
        self.store(at_once=True)
        with self._lock:
            self._state = "off"
            for file in self._files.values():
                with suppress(OSError):
                    file.close()
            self._files = {}
