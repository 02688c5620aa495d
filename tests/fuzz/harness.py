"""Runs crafted variants through a reader: no crash, no hang, no growth of memory, every fault counted."""

import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 20
"""CPU time. Generous: a variant has some kilobytes, and takes milliseconds."""
MAX_SECONDS = 600
"""Time of a variant on a machine that is busy otherwise."""
Make = Callable[[random.Random], tuple[str, bytes]]
Read = Callable[[str, bytes], str]


def run_variants(make: Make, read: Read, variants: int, seed: int, max_growth_bytes: int) -> dict[str, int]:
    """Make and read so many variants; returns how many had each outcome.

    `make` gives name and bytes of a variant, `read` reads them and names the outcome; an exception is a failure, and
    the variant is left in the present folder. Raises AssertionError if the process grows by more than
    `max_growth_bytes`.
    """
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    slowest, before = 0.0, _peak_bytes()
    for number in range(variants):
        name, data = make(rng)
        started = time.perf_counter()
        try:
            with time_limit():
                outcomes[read(name, data)] += 1
        except BaseException:
            print(f"variant {number} of seed {seed}: {name}", file=sys.stderr)
            Path(f"variant-{seed}-{number}-{name}").write_bytes(data)
            raise
        slowest = max(slowest, time.perf_counter() - started)
    growth = _peak_bytes() - before
    assert growth < max_growth_bytes, f"the process grew by {growth:,} bytes"
    return {**outcomes, "slowest_milliseconds": round(slowest * 1000), "growth_megabytes": growth >> 20}


@contextmanager
def time_limit() -> Iterator[None]:
    """End the process by a signal if the block takes longer than a variant may."""
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    signal.alarm(MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def command_line(main: Callable[..., dict[str, Any]]) -> None:
    """Call `main` with the numbers of the command line, `variants=100000 seed=1`, and print the outcomes."""
    print(json.dumps(main(**{name: int(value) for name, value in (word.split("=") for word in sys.argv[1:])})))
