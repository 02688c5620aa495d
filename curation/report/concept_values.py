"""The concepts of a balance, as the report and `explain` tell them: each namespace, and its most frequent concepts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import CONCEPT_COUNTS
from curation.core.table_reader import read_batches
from curation.core.tables import Table

SHOWN = 20
"""Concepts of a namespace that are shown: those with most images."""
Values = dict[str, Any]


def counts_of(path: str, balance: Part | None) -> Part | None:
    """Return the table `concept_counts` of a balance, given a part that it has made; None if it has no concepts."""
    if balance is None or "concepts" not in balance.manifest["settings"]:
        return None
    parts = Table(path, CONCEPT_COUNTS).parts()
    return next((part for part in parts if part.manifest["settings"].get("balance") == balance.id), None)


def concept_values(path: str, balance: Part | None) -> Values | None:
    """Return how namespaces were combined, and the numbers and most frequent concepts of each; None without concepts.

    `balance` is the part of `curated`, or of `thresholds`.
    """
    if (part := counts_of(path, balance)) is None:
        return None
    assert balance is not None
    most = most_frequent(part)
    numbers = part.manifest["concepts"]
    namespaces = [{"namespace": name, **numbers[name], "most": most.get(name, [])} for name in sorted(numbers)]
    return {"combine": balance.manifest["settings"]["combine"], "namespaces": namespaces}


def most_frequent(part: Part) -> dict[str, list[dict[str, Any]]]:
    """Return the SHOWN concepts of each namespace with most images, by count, then id."""
    found: dict[str, pa.Table] = {}
    for file in part.files:
        for batch in read_batches(file, CONCEPT_COUNTS):
            rows = pa.Table.from_batches([batch])
            for name in rows["namespace"].unique().to_pylist():
                mine = rows.filter(pa.array(np.asarray(rows["namespace"]) == name))
                known = [found[name]] if name in found else []
                order = [("count", "descending"), ("concept_id", "ascending")]
                found[name] = pa.concat_tables([*known, mine]).sort_by(order).slice(0, SHOWN)
    return {name: rows.drop_columns("namespace").to_pylist() for name, rows in found.items()}


def concept_texts(path: str, balance: Part | None) -> Iterator[str]:
    """Yield a text on each namespace of a balance; raises HeadtailError for a damaged manifest of the counts."""
    if (part := counts_of(path, balance)) is None:
        return
    try:
        for name, found in sorted(part.manifest["concepts"].items()):
            yield (
                f"{name}: t {found['t']:,.6g}, {found['images_with']:,} images with one of {found['concepts']:,} "
                f"concepts, {found['images_without']:,} without; counted {found['count']:,} times before and "
                f"{found['kept']:,} after the draw"
            )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HeadtailError(f"the manifest of {part.path} tells no numbers of concepts ({error})") from error


def concept_lines(path: str, balance: Part | None) -> Iterator[str]:
    """Yield a line for each namespace of the balance that a text's image is drawn by as well."""
    texts = list(concept_texts(path, balance))
    if not texts:
        return
    assert balance is not None
    combine = balance.manifest["settings"]["combine"]
    yield from (f"concepts          {text}" for text in texts)
    yield f"combine           {combine}: keep_probability is that of the entries; the concepts of the image decide, too"
