"""A batch of image links: every source yields this type, and the rules of extraction read it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_PAGE_URL_BYTES = 8192
"""A longer URL or `<base>` of a page is not used. Each link repeats it: 1 MB of page would become gigabytes of rows."""
MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Links:
    """A batch of image links, in the order of the source.

    n is the number of links, p the number of pages. `urls` (string, n) are unchanged, as in the page. `page` (int32, n)
    is the index of each link's page in `page_urls` and `bases` (string, p). `bases` holds each page's `<base>`,
    unchanged, or null. `texts` maps a text key to unchanged texts (string, n each), null for a link without such text.
    `carry` holds further columns of the source (n each). `image_uids` (string, n) are the uids of links without a URL,
    for sources that hold the images themselves.

    Readers that are asked for languages give `languages` (string, may be a dictionary array, n), the language tags that
    the links' pages declare or that a table has in a column, null for none; and `documents` (int64, n): links of one
    page share a number, and all links of a page are in one batch. `documents` is None where links have no page.
    """

    urls: pa.Array
    page: np.ndarray
    page_urls: pa.Array
    bases: pa.Array
    texts: dict[str, pa.Array]
    carry: dict[str, pa.Array] = field(default_factory=dict)
    image_uids: pa.Array | None = None
    languages: pa.Array | None = None
    documents: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.urls)

    @property
    def nbytes(self) -> int:
        """The bytes of links and pages in memory."""
        columns = (self.urls, self.page_urls, self.bases, *self.texts.values(), *self.carry.values())
        return sum(values.nbytes for values in (*columns, self.image_uids, self.languages) if values is not None)

    def slices(self, max_links: int, max_bytes: int = MAX_BYTES) -> Iterator[Self]:
        """Yield the links in batches, without a copy; one huge record has 100,000s of links.

        A batch has at most `max_links` links, and as rows with absolute URLs at most `max_bytes` bytes, if it has more
        than one link. Pages whose URL or `<base>` is longer than MAX_PAGE_URL_BYTES count as pages without it.
        """
        page_urls, bases = _without_long(self.page_urls, ""), _without_long(self.bases, None)
        ends = np.cumsum(self._row_bytes(page_urls, bases))
        at = 0
        while at < len(self):
            limit = max_bytes + (int(ends[at - 1]) if at else 0)
            size = min(max(int(np.searchsorted(ends, limit, "right")) - at, 1), max_links)
            texts, carry = (
                {key: values.slice(at, size) for key, values in columns.items()} for columns in (self.texts, self.carry)
            )
            urls, page = self.urls.slice(at, size), self.page[at : at + size]
            uids, languages = (
                None if values is None else values.slice(at, size) for values in (self.image_uids, self.languages)
            )
            documents = None if self.documents is None else self.documents[at : at + size]
            yield replace(
                self,
                urls=urls,
                page=page,
                page_urls=page_urls,
                bases=bases,
                texts=texts,
                carry=carry,
                image_uids=uids,
                languages=languages,
                documents=documents,
            )
            at += size

    def _row_bytes(self, page_urls: pa.Array, bases: pa.Array) -> np.ndarray:
        """Return about how many bytes each link takes as rows: its URL can begin with the base of its page."""
        pages = _sizes(page_urls)
        sizes = _sizes(self.urls) + (pages + np.maximum(pages, _sizes(bases)))[self.page]
        for values in (*self.texts.values(), *self.carry.values()):
            if pa.types.is_string(values.type):
                sizes += _sizes(values)
        return sizes

    @classmethod
    def concat(cls, parts: list[Self]) -> Self | None:
        """Return several batches with the same text keys as one batch; None for an empty list."""
        if len(parts) < 2:
            return parts[0] if parts else None
        first_pages = np.cumsum([0] + [len(part.page_urls) for part in parts])[:-1].astype(np.int32)
        languages = [part.languages for part in parts if part.languages is not None]
        documents = [
            part.documents + first for part, first in zip(parts, first_pages, strict=True) if part.documents is not None
        ]
        return cls(
            pa.concat_arrays([part.urls for part in parts]),
            np.concatenate([part.page + first for part, first in zip(parts, first_pages, strict=False)]).astype(
                np.int32
            ),
            pa.concat_arrays([part.page_urls for part in parts]),
            pa.concat_arrays([part.bases for part in parts]),
            {key: pa.concat_arrays([part.texts[key] for part in parts]) for key in parts[0].texts},
            {key: pa.concat_arrays([part.carry[key] for part in parts]) for key in parts[0].carry},
            languages=pa.concat_arrays(languages) if languages else None,
            documents=np.concatenate(documents) if documents else None,
        )


def joined(batches: Iterable[Links], max_links: int, max_bytes: int) -> Iterator[Links]:
    """Yield batches joined to larger ones of at most so many links, and bytes of what they hold.

    The URLs of pages count, too: a hostile batch has many pages, and a link on one of them. A batch that is larger by
    itself stays as it is. If the source raises an error, the batches before it come first.
    """
    waiting: list[Links] = []
    links = size = 0
    try:
        for batch in batches:
            more = batch.nbytes
            if waiting and (links + len(batch) > max_links or size + more > max_bytes):
                yield from filter(None, [Links.concat(waiting)])
                waiting, links, size = [], 0, 0
            waiting.append(batch)
            links, size = links + len(batch), size + more
    except Exception:
        yield from filter(None, [Links.concat(waiting)])
        raise
    yield from filter(None, [Links.concat(waiting)])


def _sizes(values: pa.Array) -> np.ndarray:
    """Return the bytes of each string (int64), 0 for null."""
    return pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def _without_long(values: pa.Array, other: str | None) -> pa.Array:
    is_long = pc.fill_null(pc.greater(pc.binary_length(values), MAX_PAGE_URL_BYTES), False)
    return pc.if_else(is_long, pa.scalar(other, pa.string()), values) if is_long.true_count else values
