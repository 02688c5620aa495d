"""A batch of image links: every source yields this type, and the rules of extraction read it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Links:
    """A batch of image links, in the order of the source.

    n is the number of links, p the number of pages. `urls` (string, n) are unchanged, as in the page. `page` (int32, n)
    is the index of each link's page in `page_urls` and `bases` (string, p). `bases` holds each page's `<base>`,
    unchanged, or null. `texts` maps a text key to unchanged texts (string, n each), null for a link without such text.
    `carry` holds further columns of the source (n each). `image_uids` (string, n) are the uids of links without a URL,
    for sources that hold the images themselves.
    """

    urls: pa.Array
    page: np.ndarray
    page_urls: pa.Array
    bases: pa.Array
    texts: dict[str, pa.Array]
    carry: dict[str, pa.Array] = field(default_factory=dict)
    image_uids: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.urls)

    def slices(self, max_links: int) -> Iterator[Self]:
        """Yield the links in batches of at most `max_links`, without a copy; one huge record has 100,000s of links."""
        for at in range(0, len(self), max_links):
            texts, carry = (
                {key: values.slice(at, max_links) for key, values in columns.items()}
                for columns in (self.texts, self.carry)
            )
            urls, page = self.urls.slice(at, max_links), self.page[at : at + max_links]
            uids = None if self.image_uids is None else self.image_uids.slice(at, max_links)
            yield replace(self, urls=urls, page=page, texts=texts, carry=carry, image_uids=uids)

    @classmethod
    def concat(cls, parts: list[Self]) -> Self | None:
        """Return several batches with the same text keys as one batch; None for an empty list."""
        if len(parts) < 2:
            return parts[0] if parts else None
        first_pages = np.cumsum([0] + [len(part.page_urls) for part in parts])[:-1].astype(np.int32)
        return cls(
            pa.concat_arrays([part.urls for part in parts]),
            np.concatenate([part.page + first for part, first in zip(parts, first_pages, strict=False)]).astype(
                np.int32
            ),
            pa.concat_arrays([part.page_urls for part in parts]),
            pa.concat_arrays([part.bases for part in parts]),
            {key: pa.concat_arrays([part.texts[key] for part in parts]) for key in parts[0].texts},
            {key: pa.concat_arrays([part.carry[key] for part in parts]) for key in parts[0].carry},
        )
