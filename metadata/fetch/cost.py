"""What a download costs, told before it begins: bytes by what the servers say, hours by measured speeds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from curation.core.amounts import byte_size, counted
from metadata.fetch.catalogue import Source

ASKED_FILES = 8
"""So many files of a folder are asked for their size, evenly spread; the others are taken to be like them."""
CORE_HOURS_PER_GB = {"dump": 0.3, "page views": 0.06}
"""What build_metadata takes to count a gigabyte as it is fetched, measured (docs/metadata.md)."""
FETCHED_BYTES_PER_SECOND = 4e6
"""Wikimedia's servers let one client have a few megabytes a second: an assumption."""


@dataclass(frozen=True)
class FetchCost:
    """The files of one kind: `bytes` is None where no server tells, and an estimate unless `is_exact`."""

    kind: str
    files: int
    bytes: float | None
    is_exact: bool

    def describe(self) -> str:
        """Return the cost of the kind in words.

        >>> FetchCost("dump", 27, 25.1e9, False).describe(), FetchCost("page views", 1, None, False).describe()
        ('dump: 27 files, about 25.1 GB', 'page views: 1 file, size unknown')
        """
        size = "size unknown" if self.bytes is None else f"{'' if self.is_exact else 'about '}{byte_size(self.bytes)}"
        return f"{self.kind}: {counted(self.files, 'files')}, {size}"


def fetch_costs(sources: Iterable[Source], size_of: Callable[[str], int | None]) -> list[FetchCost]:
    """Return the cost of each kind of file that has one; wordnets are a few megabytes, and are not asked for.

    `size_of` returns the bytes of the file of a URL, None if its server does not tell.
    """
    folders: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        if source.kind in CORE_HOURS_PER_GB:
            folders.setdefault((source.kind, source.path.rpartition("/")[0]), []).append(source)
    found: dict[str, FetchCost] = {}
    for (kind, _), members in folders.items():
        asked = members[:: -(-len(members) // ASKED_FILES)]
        sizes = _ask(asked, size_of)
        told = sum(sizes) / len(sizes) * len(members) if sizes else None
        before = found.get(kind, FetchCost(kind, 0, 0.0, True))
        total = None if told is None or before.bytes is None else before.bytes + told
        is_exact = before.is_exact and len(sizes) == len(members)
        found[kind] = FetchCost(kind, before.files + len(members), total, is_exact)
    return list(found.values())


def _ask(sources: Sequence[Source], size_of: Callable[[str], int | None]) -> list[int]:
    """Return the sizes that the server tells; a server that does not tell the first is not asked again."""
    sizes: list[int] = []
    for source in sources:
        size = size_of(source.url)
        if size is not None:
            sizes.append(size)
        elif not sizes:
            break
    return sizes


def cost_line(costs: Sequence[FetchCost], free_bytes: int) -> str:
    """Return the line about the download: files, bytes, hours, and those of build_metadata after it."""
    sizes = {cost.kind: cost.bytes for cost in costs if cost.bytes is not None}
    files = "; ".join(cost.describe() for cost in costs)
    if not sizes:
        return files
    fetching = _hours(sum(sizes.values()) / FETCHED_BYTES_PER_SECOND / 3600)
    counting = _hours(sum(size / 1e9 * CORE_HOURS_PER_GB[kind] for kind, size in sizes.items()))
    return (
        f"{files}: {fetching} to fetch at {FETCHED_BYTES_PER_SECOND / 1e6:.0f} MB/s, then {counting} of one core to "
        f"count them; {byte_size(free_bytes)} are free"
    )


def _hours(value: float) -> str:
    return f"{value:,.1f} hours" if value >= 1 else f"{value * 60:,.0f} minutes"
