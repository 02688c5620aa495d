"""Months of crawls and the share of links that still lead to an image: as a loop over the pairs counts them."""

from collections import Counter
from hashlib import sha224
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.schemas import PAIRS
from curation.report import crawls
from curation.report.crawls import (
    UNKNOWN,
    CrawlsTask,
    count_crawls,
    count_years,
    crawl_values,
    join_links,
    month_of,
    open_links,
    plan_links,
    read_links,
)

FILES = (
    [("CC-MAIN-2013-20", "CC-MAIN-20130516092621-00000-ip-10.warc.wat.gz", 40)],
    [("CC-MAIN-2024-22", "CC-MAIN-20240531232459-20240601022459-00001.warc.wat.gz", 30)],
    [("CC-MAIN-2024-26", "other.wat.gz", 50)],
    [("mine", "captions.parquet", 20)],
    [
        ("CC-MAIN-2013-20", "b.gz", 7),
        ("CC-MAIN-2024-26", "b.gz", 9),
        (None, None, 2),
        ("x", "CC-NEWS-20250102030405-00001.warc.gz", 3),
    ],
)
"""By file its (crawl, source_file, pairs): the last one may be of another program."""
MONTHS = {"2013-05": 47, "2024-05": 30, "2024-06": 59, "2025-01": 3, UNKNOWN: 22}


def uid(number: int) -> str:
    return sha224(str(number).encode()).hexdigest()[:24]


def write_pairs(folder: Path) -> tuple[list[str], dict[int, int]]:
    """Write the files; images are shared between them. Returns their paths, and the last year of each image."""
    paths, last = [], dict[int, int]()
    for number, parts in enumerate(FILES):
        rows = []
        for crawl, archive, count in parts:
            for k in range(count):
                rows.append(
                    {"uid": uid(k), "url": "http://x/", "text": "t", "text_key": "alt", "lang": "en", "lang_score": 0.5,
                     "page_url": None, "crawl": crawl, "source_file": archive}
                )  # fmt: skip
                month = month_of(crawl or "", archive or "")
                if month != UNKNOWN:
                    last[k] = max(last.get(k, 0), int(month[:4]))
        path = folder / f"{number}.parquet"
        schema = pa.schema([each.with_nullable(True) for each in PAIRS])
        pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=16)
        paths.append(str(path))
    return paths, last


@pytest.mark.parametrize("group", [1, 5])
def test_months_and_years_are_those_of_a_loop(tmp_path: Path, group: int) -> None:
    paths, last = write_pairs(tmp_path)
    tasks = [CrawlsTask(paths[start : start + group]) for start in range(0, len(paths), group)]
    receipts = [count_crawls(task, 3).check() for task in tasks]
    wanted = plan_links(receipts, str(tmp_path))
    assert sum(read_links(task, 3).check().rows_out for task in wanted) >= len(last)
    links = open_links(join_links(wanted, str(tmp_path / "links.parquet")))
    counter: Counter[str] = Counter()
    asked = list(range(0, 60, 2))
    arrived = np.array([k % 3 == 0 for k in asked])
    for half in (slice(0, 11), slice(11, None)):
        count_years(counter, links, pa.array([uid(k) for k in asked[half]]), arrived[half])
    found = crawl_values(receipts, counter)
    assert found
    assert found["unknown"] == MONTHS[UNKNOWN]
    assert {row["month"]: row["pairs"] for row in found["months"]} == {m: n for m, n in MONTHS.items() if m != UNKNOWN}
    assert [row["month"] for row in found["months"]] == sorted(set(MONTHS) - {UNKNOWN})
    followed = [k for k in asked if k in last]
    attempts = Counter(str(last[k]) for k in followed)
    arrivals = Counter(str(last[k]) for k in followed if k % 3 == 0)
    expected = {year: (attempts[year], arrivals[year]) for year in attempts}
    assert {row["year"]: (row["attempted"], row["arrived"]) for row in found["years"]} == expected
    assert len(expected) > 1


def test_a_sample_of_pairs_is_followed_and_it_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, _ = write_pairs(tmp_path)
    monkeypatch.setattr(crawls, "FILES_OF_YEAR", 1)
    monkeypatch.setattr(crawls, "MAX_LINKS", 12)
    first, second = (plan_links([count_crawls(CrawlsTask(order), 3)], str(tmp_path)) for order in (paths, paths[::-1]))
    assert first == second
    assert len({task.file for task in first}) == len(first) <= 3
    assert [read_links(task, 3).rows_out for task in first] == [12 // len(first)] * len(first)
    before = pq.read_table(first[0].output)
    read_links(first[0], 3)
    assert pq.read_table(first[0].output) == before


def test_pairs_that_are_gone_or_damaged_have_no_dates(tmp_path: Path) -> None:
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 nothing")
    receipt = count_crawls(CrawlsTask([str(tmp_path / "gone.parquet"), str(tmp_path / "damaged.parquet")]), 0).check()
    assert len(receipt.failures) == 2
    assert crawl_values([receipt], {}) is None
    assert crawl_values([], {}) is None
    assert join_links([], str(tmp_path / "none")) == ""
    task = crawls.LinksTask(str(tmp_path / "damaged.parquet"), 9, str(tmp_path / "links.parquet"))
    receipt = read_links(task, 0).check()
    assert (receipt.rows_out, len(receipt.failures)) == (0, 1)
    assert len(open_links(join_links([task], str(tmp_path / "all.parquet")))[0]) == 0
    count_years(Counter(), (np.zeros(0, np.uint64), np.zeros(0, np.int16)), pa.array([uid(1)]), np.array([True]))


@pytest.mark.parametrize(
    ("crawl", "archive"),
    [
        ("<b>", "CC-MAIN-20241301000000-x"), ("CC-MAIN-0000-22", ""), ("CC-MAIN-2024-222", "x"),
        ("CC-MAIN-٢٠٢٤-22", "CC-NEWS-٢٠٢٤0520123456-1"),
    ],
    ids=["month 13", "year 0", "three digits", "other digits"],
)  # fmt: skip
def test_names_that_are_no_dates_are_unknown(crawl: str, archive: str) -> None:
    assert month_of(crawl, archive) == UNKNOWN
