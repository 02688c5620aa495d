"""What hosts forbid, as the download of one list asks it: the rules of its hosts, out of the table of hosts."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.backslashes import with_slashes
from curation.core.choices import Obey
from curation.core.exchange import iter_slices
from curation.core.host_names import host_of_parts
from curation.images.connections import FetchError
from curation.images.download_rows import DownloadTask
from curation.images.fetch import Fetched, host_to_ask
from curation.images.robots import forbids, target_of

FILES = {Obey.robots_txt: "robots.txt", Obey.ai_txt: "ai.txt"}
ABSENT = frozenset(("http_error", "empty", "redirects"))
"""Statuses of a file that a host does not have: it forbids nothing (RFC 9309, 2.3.1.3 and 2.3.1.2)."""
UNREACHED = frozenset(("dns", "connection", "timeout"))
"""Reasons of images whose host did not answer."""
_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an address as its host is asked for files; None for an address of no host.

    >>> [origin_of(url) for url in ("HTTP://Ä.example:80/a.jpg", "https://a.example:8443", "ftp://a.example/")]
    ['http://xn--4ca.example', 'https://a.example:8443', None]
    """
    try:
        parts = urlsplit(with_slashes(url))
        if parts.scheme not in _PORTS:
            return None
        host, port = host_to_ask(host_of_parts(parts)).removesuffix("."), parts.port or _PORTS[parts.scheme]
    except (FetchError, ValueError):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port != _PORTS[parts.scheme] else "")


def failure_of(row: dict) -> str | None:
    """Return why the robots.txt of a host could not be had: then nothing of the host may be fetched (2.3.1.4)."""
    status = row.get(Obey.robots_txt.value)
    return status if status is not None and status != "success" and status not in ABSENT else None


class Hosts:
    """What the hosts of one download list forbid, by origin."""

    def __init__(self, rows: Iterable[dict] = ()) -> None:
        self._rows = {row["origin"]: row for row in rows}

    def verdict(self, url: str) -> Fetched | None:
        """Return the outcome of an image that may not be fetched, None if it may."""
        row = self._rows.get(origin_of(url) or "")
        if row is None:
            return None
        if failure := failure_of(row):
            return Fetched(failure, "robots.txt of the host could not be had")
        target = target_of(urlsplit(with_slashes(url)))
        for file, name in FILES.items():
            if forbids(row[f"{file.value}_rules"] or (), target):
                return Fetched(file.value, name)
        return None


def read_hosts(task: DownloadTask, urls: pa.ChunkedArray) -> Hosts:
    """Return what the hosts of addresses forbid, out of the slices of the list's group."""
    if not task.rules:
        return Hosts()
    wanted = pa.array(sorted({origin for url in urls.to_pylist() if (origin := origin_of(url))}), pa.string())

    def rows() -> Iterator[dict]:
        for batch in iter_slices(task.rules, task.group):
            yield from batch.filter(pc.is_in(batch["origin"], wanted)).to_pylist()

    return Hosts(rows())
