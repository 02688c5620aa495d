"""The registrable domains that images come from: how many they give before and after balancing, and how many answer.

The tasks that read a table send each domain's counts to one receiver (`spread`), so all sums are exact.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.domains import domains_of
from curation.core.draws import draw
from curation.core.exchange import iter_slices
from curation.core.parquet_sink import ROW_GROUP_ROWS
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CURATED, MATCHES
from curation.core.table_reader import read_batches
from curation.report.counters import Stats
from curation.report.examples import LOOKED_UP, Example, first_rows, smallest, to_outputs
from curation.report.spread import Spread, SpreadTask, hashes_of

SHOWN_DOMAINS = 50
SHOWN_SUFFIXES = 15
COUNTS = ("images", "images_kept", "attempted", "arrived")
ADDRESS, UNKNOWN = "(address)", "(unknown)"
"""In place of a top-level domain: the host is a numeric address; its last label is on no list of public suffixes."""


_SUMMED_ROWS = 500_000
"""Rows of counts that a task collects before it adds them."""
_NO_HASHES = np.zeros(0, np.uint64)
_NO_ROWS = pa.schema([("domain", pa.string()), *((column, pa.int64()) for column in COUNTS)]).empty_table()


@dataclass(frozen=True)
class DomainsTask:
    """A bucket: its files of `matches` and of `curated`; after an old draw these may have other buckets."""

    name: str
    matches: list[str]
    curated: list[str]
    same_buckets: bool = True


@dataclass
class HostStats(Stats):
    """Sums over domains.

    `sums` has the keys of COUNTS, `domains` and `domains_kept` (domains with images), `squares` and `squares_kept` (of
    their images). The others are COUNTS by top-level domain.
    """

    sums: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    images_kept: Counter[str] = field(default_factory=Counter)
    attempted: Counter[str] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)


def count_domains(task: DomainsTask, spread: Spread, seed: int = 0) -> Receipt:
    """Count the images of a bucket by domain, before and after balancing, and send the counts. Rows are images.

    The receipt's outputs are examples of images that balancing did not draw, without their texts. Memory holds eight
    bytes for each image, and the domains of the bucket.
    """
    kept = np.sort(np.concatenate([_NO_HASHES, *(hashes for hashes, _ in _images(task.curated, CURATED, ["uid"]))]))
    sums, lost, images = DomainSums(), list[Example](), 0
    for hashes, batch in _images(task.matches, MATCHES, ["uid", "url"]):
        images += len(hashes)
        is_kept = _among(hashes, kept) & task.same_buckets
        sums.add(batch["url"], {"images": np.ones(len(hashes), np.int64), "images_kept": is_kept.astype(np.int64)})
        if not task.same_buckets:
            continue
        draws = draw(seed, "examples", batch["uid"])
        first = first_rows(draws, np.flatnonzero(~is_kept))
        examples = (Example("balance_pairs", "not_drawn", float(draws[at]), batch["uid"][at].as_py()) for at in first)
        lost = smallest([*lost, *examples], LOOKED_UP)
    if not task.same_buckets:
        for hashes, batch in _images(task.curated, CURATED, ["uid", "url"]):
            sums.add(batch["url"], {"images_kept": np.ones(len(hashes), np.int64)})
    sums.send(spread, task.name)
    return Receipt(task.name, images, images, outputs=to_outputs(lost))


def _among(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return whether each hash is one of some sorted values, bool."""
    if not len(values):
        return np.zeros(len(hashes), bool)
    return values[np.minimum(np.searchsorted(values, hashes), len(values) - 1)] == hashes


def _images(files: Sequence[str], schema: pa.Schema, columns: list[str]) -> Iterator[tuple[np.ndarray, pa.RecordBatch]]:
    """Yield the images of a bucket in batches, each image once, with the hashes of their uids."""
    seen = _NO_HASHES
    for number, path in enumerate(files):
        before = np.sort(seen)
        for batch in read_batches(path, schema, columns, ROW_GROUP_ROWS):
            hashes = hashes_of(batch["uid"])
            if number:  # an image of several crawls
                new = ~_among(hashes, before)
                hashes, batch = hashes[new], batch.filter(pa.array(new))
            if len(files) > 1:
                seen = np.concatenate([seen, hashes])
            yield hashes, batch


class DomainSums:
    """Counts of images by the domain of their address, added batch by batch."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, urls: pa.Array, counts: Mapping[str, np.ndarray]) -> None:
        """Add the counts of images, one row each; other columns of COUNTS are 0."""
        nothing = np.zeros(len(urls), np.int64)
        columns = [domains_of(urls), *(pa.array(counts.get(column, nothing)) for column in COUNTS)]
        self._parts.append(_sum(pa.table(columns, ["domain", *COUNTS])))
        self._rows += self._parts[-1].num_rows
        if self._rows > _SUMMED_ROWS:
            self._parts = [_sum(pa.concat_tables(self._parts))]
            self._rows = 0

    def send(self, spread: Spread, name: str) -> None:
        """Send the sums to the tasks that add them."""
        summed = _sum(pa.concat_tables([_NO_ROWS, *self._parts]))
        spread.write(name, summed, hashes_of(summed["domain"].combine_chunks()))


def _sum(rows: pa.Table) -> pa.Table:
    summed = rows.group_by("domain").aggregate([(column, "sum") for column in COUNTS])
    named = [summed["domain"], *(summed[f"{column}_sum"] for column in COUNTS)]
    return pa.table(named, ["domain", *COUNTS]).combine_chunks()


def add_domains(task: SpreadTask) -> Receipt:
    """Add the counts of one receiver. Rows are rows of counts, outputs the domains with most kept images.

    Images without an address have no domain, and do not count.
    """
    sent = pa.concat_tables(
        [_NO_ROWS, *(pa.Table.from_batches([batch]) for batch in iter_slices(task.folder, task.receiver))]
    )
    rows = _sum(sent)
    rows = rows.filter(pc.not_equal(rows["domain"], ""))
    stats = HostStats()
    for column, suffix in (("images", ""), ("images_kept", "_kept")):
        values = rows[column].to_numpy()
        stats.sums.update({f"domains{suffix}": int((values > 0).sum()), f"squares{suffix}": _squares(values)})
    suffixes = _top_levels(rows["domain"])
    for column in COUNTS:
        stats.sums[column] += pc.sum(rows[column], min_count=0).as_py()
        by_suffix = (
            pa.table([suffixes, rows[column]], ["suffix", "count"]).group_by("suffix").aggregate([("count", "sum")])
        )
        counter = getattr(stats, column)
        counter.update({row["suffix"]: row["count_sum"] for row in by_suffix.to_pylist() if row["count_sum"]})
    receipt = Receipt(f"receiver {task.receiver}", sent.num_rows, sent.num_rows, facts=stats.to_facts())
    receipt.outputs = _most_kept(rows).to_pylist()
    return receipt


def _most_kept(rows: pa.Table) -> pa.Table:
    order = [("images_kept", "descending"), ("images", "descending"), ("domain", "ascending")]
    return rows.filter(pc.greater(rows["images_kept"], 0)).sort_by(order).slice(0, SHOWN_DOMAINS)


def _squares(values: np.ndarray) -> int:
    """Return the exact sum of the squares: those of large numbers are added as integers of Python."""
    large = values > 1_000_000
    return int((values[~large] ** 2).sum()) + sum(value * value for value in values[large].tolist())


def _top_levels(domains: pa.ChunkedArray) -> pa.Array:
    last = pc.struct_field(pc.extract_regex(domains.combine_chunks(), r"(?P<last>[^.]*)$"), "last").dictionary_encode()
    named = pa.array([_top_level(label) for label in last.dictionary.to_pylist()], pa.string())
    return named.take(last.indices)


@lru_cache(1 << 14)
def _top_level(label: str) -> str:
    """Return the label if it is a top-level domain; others are not counted one by one, since anybody invents them."""
    if label.isdigit() or label.endswith("]"):
        return ADDRESS
    return f".{label}" if _listed().publicsuffix(label) else UNKNOWN


@lru_cache(1)
def _listed() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


def host_values(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """Return the sums, the concentration, the domains with most kept images and the top-level domains.

    `hhi` is the Herfindahl-Hirschman index: the sum of the squared shares of the domains, 1 for a single one.
    """
    total = merge_receipts("domains", receipts)
    stats = HostStats.from_facts(total.facts)
    sums = stats.sums
    schema = pa.schema([("domain", pa.string()), *((column, pa.int64()) for column in COUNTS)])
    rows = _most_kept(pa.Table.from_pylist(total.outputs, schema)).to_pylist()
    suffixes = sorted(stats.images, key=lambda name: (-stats.images_kept[name], -stats.images[name], name))
    return {
        "counted_share": 1.0,
        "domains": sums["domains"],
        "domains_kept": sums["domains_kept"],
        **{column: sums[column] for column in COUNTS},
        "hhi": sums["squares"] / sums["images"] ** 2 if sums["images"] else None,
        "hhi_kept": sums["squares_kept"] / sums["images_kept"] ** 2 if sums["images_kept"] else None,
        "rows": [{**row, "keep_share": row["images_kept"] / max(row["images"], 1)} for row in rows],
        "top_levels": [
            {"name": name, **{column: getattr(stats, column)[name] for column in COUNTS}}
            for name in suffixes[:SHOWN_SUFFIXES]
        ],
    }
