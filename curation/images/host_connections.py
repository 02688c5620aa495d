"""The connections of one fetcher, by host: at most so many at a time, and idle ones serve the next request."""

import contextlib
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

from curation.images.connections import Connection

KEEP_SECONDS = 15.0
"""How long an idle connection is kept. Routers forget idle connections after a minute or more."""
MAX_KEPT = 128
OTHER_FILES = 128
"""Open files that are neither connections nor bodies."""


class HostConnections:
    """The connections to hosts, each host named by `name:port`, for `threads` threads.

    A thread that talks to a host holds one of the host's `per_host` turns. An idle connection stays open only while a
    turn is free for it, so a host never has more than `per_host` connections of this object. With the threads' own
    connections and bodies, idle connections stay below the limit of open files.
    """

    def __init__(self, per_host: int, threads: int) -> None:
        self._per_host = per_host
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = files == resource.RLIM_INFINITY
        self._room = MAX_KEPT if unlimited else min(MAX_KEPT, max(0, files - 3 * threads - OTHER_FILES))
        self._lock = threading.Lock()
        self._turns: dict[str, _Turns] = {}
        self._idle: dict[Connection, tuple[str, float]] = {}  # the one that has been idle for longest is first
        self._by_host: defaultdict[str, list[Connection]] = defaultdict(list)

    @contextlib.contextmanager
    def turn(self, host: str) -> Iterator[float]:
        """Wait for a turn at the host, and hold it during the block; the value is the seconds of waiting."""
        start = time.monotonic()
        with self._lock:
            turns = self._turns.setdefault(host, _Turns(self._per_host))
            turns.users += 1
        try:
            with turns.free:
                yield time.monotonic() - start
        finally:
            with self._lock:
                turns.users -= 1
                if not turns.users:
                    del self._turns[host]

    def take(self, host: str, wanted: Connection, fresh: bool) -> Connection | None:
        """Return an open idle connection that leads where `wanted` would; None if there is none, or with `fresh`.

        The caller then connects `wanted`, and the host has no idle connection any more.
        """
        while found := self._pop(host):
            kept, since = found
            young = time.monotonic() - since <= KEEP_SECONDS
            if young and not fresh and kept.leads_to(wanted) and kept.is_quiet():
                return kept
            kept.close()
        return None

    def keep(self, host: str, connection: Connection) -> None:
        """Take back an open connection whose answer was read wholly; the caller still holds its turn."""
        now = time.monotonic()
        with self._lock:
            self._idle[connection] = host, now
            self._by_host[host].append(connection)
            old: list[Connection] = []
            for other, (_, since) in self._idle.items():
                if len(self._idle) - len(old) <= self._room and now - since <= KEEP_SECONDS:
                    break
                old.append(other)
            for other in old:
                self._forget(other)
        for other in old:
            other.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
            self._by_host.clear()
        for connection in idle:
            connection.close()

    def _pop(self, host: str) -> tuple[Connection, float] | None:
        """Remove the connection of a host that became idle last, and return it with the time when it did."""
        with self._lock:
            if not (found := self._by_host.get(host)):
                return None
            kept = found[-1]
            return kept, self._forget(kept)

    def _forget(self, connection: Connection) -> float:
        host, since = self._idle.pop(connection)
        self._by_host[host].remove(connection)
        if not self._by_host[host]:
            del self._by_host[host]
        return since


class _Turns:
    """The turns at a host that are free, and how many threads hold one or wait."""

    def __init__(self, count: int) -> None:
        self.free, self.users = threading.Semaphore(count), 0
