"""Image links as a source finds them: the form in which every source hands its finds to the rules."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Links:
    """A batch of image links, in the order of the source.

    `urls` as they stand in the page (string, length n); `page` the index of each link's page (int32, length n) in
    `page_urls` and `bases` (string, length p); `texts` maps a text key to the texts as they stand (string with
    nulls where the link has none, length n each).
    """

    urls: pa.Array
    page: np.ndarray
    page_urls: pa.Array
    bases: pa.Array
    texts: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.urls)
