"""Image links of rows with several texts under one key: a link for each of them."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.string_buffers import string_array
from curation.sources.caption_strings import Texts
from curation.sources.csv_rows import MAX_LINE_BYTES
from curation.sources.links import MAX_BYTES, Links
from curation.sources.nested_values import row_bytes

NO_PAGE = string_array(np.zeros(2, np.int32), np.zeros(0, np.uint8))  # pa.array would import pandas
NO_BASE = pa.nulls(1, pa.string())


def links_of(
    urls: pa.Array,
    texts: dict[str, Texts],
    carry: dict[str, pa.Array],
    drops: Counter[str],
    image_uids: pa.Array | None = None,
    languages: pa.Array | None = None,
) -> Iterator[Links]:
    """Yield the links of rows (n each), in their order, in batches of at most about MAX_BYTES.

    A row whose lists have up to k texts gives k links, with the first, second, ... text of each list; a text that is in
    no list belongs to the first. URL, carried values and language are repeated: a row that would become longer than
    MAX_LINE_BYTES by that is dropped, `bad_row`.
    """
    urls = pc.fill_null(urls, "")
    if all(found.offsets is None for found in texts.values()):
        flat = {key: found.values for key, found in texts.items()}
        yield Links(urls, np.zeros(len(urls), np.int32), NO_PAGE, NO_BASE, flat, carry, image_uids, languages)
        return
    counts = {key: np.diff(found.offsets) for key, found in texts.items() if found.offsets is not None}
    links = np.maximum.reduce([np.ones(len(urls), np.int64), *counts.values()])
    sizes = links * sum((row_bytes(values) for values in carry.values()), row_bytes(urls))
    kept = np.flatnonzero((links == 1) | (sizes <= MAX_LINE_BYTES))
    if lost := len(urls) - len(kept):
        drops["bad_row"] += lost
    ends = np.cumsum(sizes[kept])
    at = 0
    while at < max(len(kept), 1):
        limit = MAX_BYTES + (int(ends[at - 1]) if at else 0)
        rows = kept[at : max(int(np.searchsorted(ends, limit, "right")), at + 1)]
        at += max(len(rows), 1)
        row = np.repeat(rows, links[rows])
        place = np.arange(len(row)) - np.repeat(np.cumsum(links[rows]) - links[rows], links[rows])
        repeated = pa.array(row)
        yield Links(
            urls.take(repeated),
            np.zeros(len(row), np.int32),
            NO_PAGE,
            NO_BASE,
            {key: _texts_at(found, row, place) for key, found in texts.items()},
            {key: values.take(repeated) for key, values in carry.items()},
            *(None if values is None else values.take(repeated) for values in (image_uids, languages)),
        )


def _texts_at(texts: Texts, row: np.ndarray, place: np.ndarray) -> pa.Array:
    """Return the texts at places in the lists of rows, null behind the last."""
    if texts.offsets is None:
        return texts.values.take(pa.array(row, mask=place > 0))
    index = texts.offsets[row] + place
    return texts.values.take(pa.array(index, mask=index >= texts.offsets[row + 1]))
