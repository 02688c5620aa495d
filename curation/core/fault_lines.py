"""Lines about faults that come often: the first of each kind at once, the others counted."""

import sys
import threading
from collections.abc import Callable

from curation.core.terminal import printable

QUIET_SECONDS = 10.0


def _print(name: str, message: str) -> None:
    print(printable(f"{name:16} {message}"), file=sys.stderr, flush=True)  # noqa: T201


_say: Callable[[str, str], None] = _print


def tell_by(say: Callable[[str, str], None]) -> None:
    """Let `say(name, message)` tell the lines: a process that has a log writes them into it, too."""
    global _say
    _say = say


class FaultLines:
    """Tells faults of a process: a kind that is new at once; how often it came again in a later line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._again: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, kind: str, line: str, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Tell a fault; `later(seconds, function)` calls a function after these seconds."""
        with self._lock:
            known = kind in self._again
            self._again[kind] = self._again.get(kind, -1) + 1
        if not known:
            _say(self._name, line)
            later(QUIET_SECONDS, lambda: self._tell_again(kind, later))

    def _tell_again(self, kind: str, later: Callable[[float, Callable[[], None]], object]) -> None:
        with self._lock:
            count = self._again.pop(kind)
            if count:
                self._again[kind] = 0
        if count:
            _say(self._name, f"{count:,} more in {QUIET_SECONDS:.0f} s: {kind}")
            later(QUIET_SECONDS, lambda: self._tell_again(kind, later))
