"""Look-ups of host names in threads: `getaddrinfo` has no timeout, so look-ups that hang are left to themselves."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
MAX_HANGING = 16
"""Look-ups that may hang for each thread that waits. A resolver gives up after 10 to 30 seconds, a waiter sooner."""


class Lookups(Generic[Answer]):
    """Look-ups that run beside their waiters. Those who ask for one key at the same time share its look-up.

    A waiter who gives up leaves the look-up to end by itself, and others do not wait for its place: `places` look-ups
    are waited for, MAX_HANGING times as many may hang. `keep` gets each answer, also those nobody waits for any more.
    """

    def __init__(self, places: int, keep: Callable[[Hashable, Answer], None] = lambda *_: None) -> None:
        self._keep = keep
        self._places = threading.BoundedSemaphore(places * MAX_HANGING)
        self._lock = threading.Lock()
        self._open: dict[Hashable, tuple[Future[Answer], float]] = {}

    def find(self, key: Hashable, look_up: Callable[[], Answer], deadline: float) -> Answer:
        """Return the answer for a key; raises TimeoutError at the deadline (of `time.monotonic`)."""
        with self._lock:
            found = self._open.get(key)
        if found is None:
            if not self._places.acquire(timeout=max(0.0, deadline - time.monotonic())):
                raise TimeoutError("too many look-ups hang")
            found = self._begin(key, look_up)
        return found[0].result(max(0.0, deadline - time.monotonic()))

    def open_seconds(self, key: Hashable) -> float:
        """Return for how long the look-up of a key has been open, 0 if none is."""
        with self._lock:
            found = self._open.get(key)
        return time.monotonic() - found[1] if found else 0.0

    def _begin(self, key: Hashable, look_up: Callable[[], Answer]) -> tuple[Future[Answer], float]:
        """Start a look-up in the place that was taken for it, unless another waiter has just done so."""
        with self._lock:
            if found := self._open.get(key):
                self._places.release()
                return found
            future: Future[Answer] = Future()
            # A daemon: the end of the process does not wait for name servers.
            thread = threading.Thread(target=self._run, args=(key, look_up, future), name="resolve", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the machine has no thread left
                self._places.release()
                raise TimeoutError(str(error)) from None
            self._open[key] = future, time.monotonic()
            return self._open[key]

    def _run(self, key: Hashable, look_up: Callable[[], Answer], future: Future[Answer]) -> None:
        try:
            answer = look_up()
            self._keep(key, answer)
            future.set_result(answer)
        except BaseException as error:
            future.set_exception(error)
        finally:
            with self._lock:
                del self._open[key]
            self._places.release()
