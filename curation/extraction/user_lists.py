"""Lists of users: hosts to block, and images to leave out."""

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.uids import UID_CHARS, uid_of
from curation.extraction.hosts import plain_host

_UID = re.compile(rf"[0-9a-f]{{{UID_CHARS}}}")


def is_file(source: str) -> bool:
    """Whether an item of a list of hosts or images names a file that lists more of them.

    >>> is_file("lists/ads.txt"), is_file("example.org"), is_file("https://example.org/a.jpg")
    (True, False, False)
    """
    return not source.startswith(("http://", "https://")) and ("/" in source or source.endswith((".txt", ".gz")))


@lru_cache(4)
def read_hosts(sources: tuple[str, ...]) -> frozenset[str]:
    """Return the hosts that sources name: a host, or a file with a host a line; lines of hosts files count.

    >>> sorted(read_hosts(("Example.org", "*.tracker.net")))
    ['example.org', 'tracker.net']
    """
    fields = (line.split() for line in _lines(sources))
    return frozenset(plain_host(found[-1].removeprefix("*.").removeprefix(".")) for found in fields if found)


@lru_cache(4)
def read_removals(sources: tuple[str, ...]) -> np.ndarray:
    """Return the sorted uids (S24) that sources name: a uid, a URL, or a file with one of these a line.

    >>> read_removals(("https://example.org/a.jpg",)).tolist()
    [b'1d63379d7e8c160931a17eb0']
    """
    uids = (line if _UID.fullmatch(line) else uid_of(line) for line in _lines(sources, comments=False) if line)
    return np.unique(np.fromiter((uid.encode() for uid in uids), f"S{UID_CHARS}"))


def are_removed(uids: pa.Array, removals: np.ndarray) -> np.ndarray:
    """Whether each uid (string array) is one of the sorted removals: bool."""
    if not len(removals) or not len(uids):
        return np.zeros(len(uids), bool)
    wanted = np.array(uids.to_pylist(), f"S{UID_CHARS}")
    places = np.minimum(np.searchsorted(removals, wanted), len(removals) - 1)
    return removals[places] == wanted


def _lines(sources: tuple[str, ...], comments: bool = True) -> list[str]:
    found: list[str] = []
    for source in sources:
        lines = [source]
        if is_file(source):
            try:
                with storage.open_input(source) as file:
                    lines = file.read().decode("utf-8", "replace").splitlines()
            except FileNotFoundError:
                raise HeadtailError(f"{source}: there is no such list") from None
        found += [(line.partition("#")[0] if comments else line).strip() for line in lines]
    return found
