"""The domains with most kept images, counted over all images or over a keyed sample of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.domains import domains_of
from curation.core.draws import draw
from curation.core.receipts import Receipt
from curation.core.schemas import CURATED, MATCHES
from curation.core.table_reader import read_batches, read_rows

SHOWN_DOMAINS = 20
SAMPLED_IMAGES = 1_000_000
"""A run with more matched images counts a sample of about this size: there may be as many domains as images."""
_COUNTS = pa.schema([("domain", pa.string()), ("images", pa.int64()), ("images_kept", pa.int64())])


@dataclass(frozen=True)
class DomainsTask:
    """A bucket: its files of `matches` and of `curated`, and the file of counts to write."""

    matches: list[str]
    curated: list[str]
    output: str


@dataclass(frozen=True)
class DomainSample:
    """The images that are counted: those whose draw is below `share`."""

    seed: int
    share: float

    @classmethod
    def of(cls, images: int, seed: int) -> "DomainSample":
        """Return the sample for a number of matched images: all of them if they are few."""
        return cls(seed, min(1.0, SAMPLED_IMAGES / max(images, 1)))


def count_domains(task: DomainsTask, sample: DomainSample) -> Receipt:
    """Count the sampled images of a bucket by domain, before and after balancing, and write the counts."""
    matched = _sampled([(path, MATCHES) for path in task.matches], sample)
    kept = _sampled([(path, CURATED) for path in task.curated], sample)
    flags = pa.array(np.repeat([0, 1], [matched.num_rows, kept.num_rows]))
    both = pa.concat_tables([matched, kept]).combine_chunks()
    urls = both["url"].chunk(0) if both.num_rows else pa.array([], pa.string())
    rows = pa.table([domains_of(urls), pa.array(1 - flags.to_numpy()), flags], names=_COUNTS.names)
    storage.write_rows(task.output, _sum(rows))
    return Receipt(task.output, rows_in=both.num_rows, rows_out=both.num_rows)


def _sampled(files: Sequence[tuple[str, pa.Schema]], sample: DomainSample) -> pa.Table:
    """Return uid and url of the sampled images, each image once."""
    found = [pa.table([pa.array([], pa.string())] * 2, names=["uid", "url"])]
    for path, schema in files:
        for batch in read_batches(path, schema, ["uid", "url"]):
            if sample.share < 1:
                batch = batch.filter(pa.array(draw(sample.seed, "domains", batch["uid"]) < sample.share))
            found.append(pa.Table.from_batches([batch.select(["uid", "url"])]))
    rows = pa.concat_tables([each.cast(found[0].schema) for each in found])
    if len(files) > 1:  # an image of several crawls
        _, first = np.unique(rows["uid"].to_numpy(), return_index=True)
        rows = rows.take(pa.array(first))
    return rows


def _sum(rows: pa.Table) -> pa.Table:
    summed = rows.group_by("domain").aggregate([("images", "sum"), ("images_kept", "sum")])
    return pa.table([summed["domain"], summed["images_sum"], summed["images_kept_sum"]], _COUNTS)


def domain_values(counts: Sequence[str], share: float) -> dict[str, Any]:
    """Return the share of images that were counted, and the domains with most kept images, from the files of counts.

    The numbers of images are scaled up from the sample. Images without an address have no domain.
    """
    total = _sum(pa.concat_tables([_COUNTS.empty_table(), *(read_rows(path, _COUNTS) for path in counts)]))
    shown = total.filter(pc.and_(pc.not_equal(total["domain"], ""), pc.greater(total["images_kept"], 0)))
    shown = shown.sort_by([("images_kept", "descending"), ("domain", "ascending")]).slice(0, SHOWN_DOMAINS)
    return {
        "counted_share": share,
        "rows": [
            {
                "domain": row["domain"],
                "images": round(row["images"] / share),
                "images_kept": round(row["images_kept"] / share),
                "keep_share": row["images_kept"] / max(row["images"], 1),
            }
            for row in shown.to_pylist()
        ],
    }
