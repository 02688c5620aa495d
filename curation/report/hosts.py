"""The registrable domains that images come from: how many they give before and after balancing, and how many answer.

The tasks that read a table send each domain's counts to one receiver (`spread`), so all sums are exact.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.domains import domains_of
from curation.core.draws import draw
from curation.core.exchange import iter_slices
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CURATED, MATCHES
from curation.core.table_reader import read_batches
from curation.report.counters import Stats
from curation.report.examples import Example, first_rows, to_outputs
from curation.report.spread import Spread, SpreadTask, hashes_of

SHOWN_DOMAINS = 50
SHOWN_SUFFIXES = 15
COUNTS = ("images", "images_kept", "attempted", "arrived")
ADDRESS, UNKNOWN = "(address)", "(unknown)"
"""In place of a top-level domain: the host is a numeric address; its last label is on no list of public suffixes."""


@dataclass(frozen=True)
class DomainsTask:
    """A bucket: its files of `matches` and of `curated`."""

    name: str
    matches: list[str]
    curated: list[str]


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

    The receipt's outputs are examples of images that balancing did not draw, without their texts.
    """
    matched, kept = _images(task.matches, MATCHES), _images(task.curated, CURATED)
    urls = pa.concat_arrays([rows["url"].chunk(0) for rows in (matched, kept)])  # a host of both is resolved once
    is_kept = np.repeat([0, 1], [matched.num_rows, kept.num_rows])
    spread_domains(spread, task.name, urls, {"images": 1 - is_kept, "images_kept": is_kept})
    uids = matched["uid"].chunk(0)
    lost = uids.filter(pc.invert(pc.is_in(uids, kept["uid"].chunk(0))))
    draws = draw(seed, "examples", lost)
    first = first_rows(draws, np.arange(len(lost)))
    examples = [Example("balance_pairs", "not_drawn", float(draws[row]), lost[row].as_py()) for row in first]
    count = matched.num_rows + kept.num_rows
    return Receipt(task.name, count, count, outputs=to_outputs(examples))


def _images(files: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return uid and url of the images of a bucket, each image once, as one chunk."""
    found = [pa.table([pa.array([], pa.string())] * 2, names=["uid", "url"])]
    found += [pa.Table.from_batches([batch]) for path in files for batch in read_batches(path, schema, ["uid", "url"])]
    rows = pa.concat_tables([each.cast(found[0].schema) for each in found]).combine_chunks()
    if len(files) > 1:  # an image of several crawls
        _, first = np.unique(rows["uid"].to_numpy(), return_index=True)
        rows = rows.take(pa.array(first)).combine_chunks()
    return (
        rows
        if rows.num_rows
        else pa.table([pa.chunked_array([pa.array([], pa.string())])] * 2, names=rows.schema.names)
    )


def spread_domains(spread: Spread, name: str, urls: pa.Array, counts: Mapping[str, np.ndarray]) -> None:
    """Send the counts of images, one row each, by the domain of their address; other columns of COUNTS are 0."""
    nothing = np.zeros(len(urls), np.int64)
    rows = pa.table(
        [domains_of(urls), *(pa.array(counts.get(column, nothing)) for column in COUNTS)], ["domain", *COUNTS]
    )
    summed = _sum(rows)
    spread.write(name, summed, hashes_of(summed["domain"].combine_chunks()))


def _sum(rows: pa.Table) -> pa.Table:
    summed = rows.group_by("domain").aggregate([(column, "sum") for column in COUNTS])
    named = [summed["domain"], *(summed[f"{column}_sum"] for column in COUNTS)]
    return pa.table(named, ["domain", *COUNTS]).combine_chunks()


def add_domains(task: SpreadTask) -> Receipt:
    """Add the counts of one receiver. Rows are rows of counts, outputs the domains with most kept images.

    Images without an address have no domain, and do not count.
    """
    empty = pa.table([pa.array([], pa.string()), *[pa.array([], pa.int64())] * len(COUNTS)], ["domain", *COUNTS])
    sent = pa.concat_tables(
        [empty, *(pa.Table.from_batches([batch]) for batch in iter_slices(task.folder, task.receiver))]
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
