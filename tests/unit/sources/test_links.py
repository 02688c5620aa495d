"""Batches of image links that are joined."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from curation.sources.links import Links, joined


def batch_of(first: int, count: int) -> Links:
    """Return links with the numbers from `first` on, each on a page of its own with a language of its own."""
    numbers = pa.array([str(number) for number in range(first, first + count)], pa.string())
    pages = np.arange(count, dtype=np.int32)
    languages = pa.DictionaryArray.from_arrays(pa.array(pages), numbers)
    texts = {"alt": numbers}
    return Links(numbers, pages, numbers, numbers, texts, languages=languages, documents=pages.astype(np.int64))


def check(batches: list[Links], total: int) -> None:
    """Assert that the batches hold the links with the numbers below `total`, with pages and languages of their own."""
    wanted = [str(number) for number in range(total)]
    assert [url for links in batches for url in links.urls.to_pylist()] == wanted
    assert [text for links in batches for text in links.texts["alt"].to_pylist()] == wanted
    assert [tag for links in batches for tag in links.languages.to_pylist()] == wanted
    assert [links.page_urls[page].as_py() for links in batches for page in links.page.tolist()] == wanted
    assert all(np.array_equal(links.documents, links.page) for links in batches)


@pytest.mark.parametrize(
    ("max_links", "max_bytes", "sizes"),
    [(5, 10**6, [3, 5, 4, 8, 1]), (99, 10**6, [21]), (1, 10**6, [1, 2, 3, 2, 4, 8, 1]), (99, 1, [1, 2, 3, 2, 4, 8, 1])],
    ids=["links", "all", "one", "bytes"],
)  # fmt: skip
def test_neighbours_are_joined_up_to_a_limit(max_links: int, max_bytes: int, sizes: list[int]) -> None:
    counts = [1, 2, 3, 2, 4, 8, 1]
    firsts = np.cumsum([0, *counts])[:-1].tolist()
    batches = list(
        joined((batch_of(first, count) for first, count in zip(firsts, counts, strict=True)), max_links, max_bytes)
    )
    assert [len(links) for links in batches] == sizes
    check(batches, 21)


def test_batches_before_an_error_come_first() -> None:
    def broken() -> Iterator[Links]:
        yield batch_of(0, 2)
        yield batch_of(2, 3)
        raise OSError("gone")

    source, found = joined(broken(), 100, 10**6), []
    with pytest.raises(OSError, match="gone"):
        found.extend(source)
    check(found, 5)


def test_pages_without_links_count() -> None:
    """A window of a WAT may have one link, and megabytes of addresses of other pages."""

    def batches() -> Iterator[Links]:
        for number in range(20):
            page_urls = pa.array([f"https://example.org/{'x' * 1000}"] * 100)
            yield replace(batch_of(number, 1), page_urls=page_urls, bases=pa.nulls(100, pa.string()))

    found = list(joined(batches(), 1000, 250_000))
    assert [len(links) for links in found] == [2] * 10
    assert max(links.nbytes for links in found) < 250_000
