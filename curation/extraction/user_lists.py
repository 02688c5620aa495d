"""Lists of users: hosts to block, and images to leave out."""

from functools import lru_cache

from curation.core.errors import HeadtailError
from curation.core.removal_lists import Removals, read_removals
from curation.core.text_lists import read_lines
from curation.extraction.hosts import UTS46, plain_host


def is_file(source: str) -> bool:
    """Whether an item of a list of hosts names a file that lists more of them.

    >>> is_file("lists/ads.txt"), is_file("example.org")
    (True, False)
    """
    return not source.startswith(("http://", "https://")) and ("/" in source or source.endswith((".txt", ".gz")))


@lru_cache(4)
def read_hosts(sources: tuple[str, ...], version: int = UTS46) -> frozenset[str]:
    """Return the hosts that sources name: a host, or a file with a host a line; lines of hosts files count.

    The hosts are in the form for comparisons of a version of the extraction rules.

    >>> sorted(read_hosts(("Example.org", "*.tracker.net")))
    ['example.org', 'tracker.net']
    """
    fields = (line.split() for line in _lines(sources))
    names = (found[-1].removeprefix("*.").removeprefix(".") for found in fields if found)
    return frozenset(plain_host(name, version) for name in names)


@lru_cache(4)
def removals_of(sources: tuple[str, ...]) -> Removals:
    """Return the removal lists of a run, read once a process."""
    return read_removals(sources)


def _lines(sources: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for source in sources:
        lines = [source]
        if is_file(source):
            try:
                lines = list(read_lines(source, "replace"))
            except FileNotFoundError:
                raise HeadtailError(f"{source}: there is no such list") from None
        found += [line.partition("#")[0].strip() for line in lines]
    return found
