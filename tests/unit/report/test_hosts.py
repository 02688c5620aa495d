"""The report's domains: counted exactly, whatever the buckets and the receivers."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.schemas import CURATED, MATCHES
from curation.report.examples import LOOKED_UP
from curation.report.hosts import ADDRESS, UNKNOWN, DomainsTask, DomainSums, add_domains, count_domains, host_values
from curation.report.spread import Spread

IMAGES = range(1, 1501)


def url(k: int) -> str:
    """Number k is on domain k % 10, and has no address where k is a multiple of 50."""
    return f"http://img{k % 3}.site{k % 10}.co.uk/{k}.jpg" if k % 50 else ""


def is_kept(k: int) -> bool:
    """Domain 0 keeps all 120 of its images that have an address, the others keep 10 of 150."""
    return k % 10 == 0 or k <= 100


def write(path: Path, numbers: list[int], schema: pa.Schema) -> str:
    rows = [
        {"uid": f"{k:024x}", "url": url(k), "text": "t", "lang": "en", "keep_probability": 1.0, "texts": []}
        for k in numbers
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return str(path)


@pytest.mark.parametrize(("buckets", "receivers"), [(1, 1), (7, 1), (3, 5)])
def test_domains_with_most_kept_images(tmp_path: Path, buckets: int, receivers: int) -> None:
    spread, receipts = Spread(str(tmp_path / "spread"), receivers), []
    for bucket in range(buckets):
        mine = [k for k in IMAGES if k % buckets == bucket]
        twice = [write(tmp_path / f"{number}-{bucket}", mine, MATCHES) for number in range(2)]  # one image, two crawls
        kept = write(tmp_path / f"kept-{bucket}", [k for k in mine if is_kept(k)], CURATED)
        receipts.append(count_domains(DomainsTask(f"bucket {bucket}", twice, [kept]), spread).check())
    found = host_values([add_domains(task).check() for task in spread.tasks()])
    with_url = [k for k in IMAGES if url(k)]
    before, after = Counter(k % 10 for k in with_url), Counter(k % 10 for k in with_url if is_kept(k))
    assert (found["images"], found["images_kept"], found["domains"]) == (before.total(), after.total(), 10)
    assert found["hhi"] == pytest.approx(sum((n / before.total()) ** 2 for n in before.values()))
    assert found["hhi_kept"] == pytest.approx(sum((n / after.total()) ** 2 for n in after.values()))
    nothing = {"attempted": 0, "arrived": 0}
    assert found["rows"][0] == {
        "domain": "site0.co.uk",
        "images": 120,
        "images_kept": 120,
        "keep_share": 1.0,
        **nothing,
    }
    assert [row["domain"] for row in found["rows"]] == [f"site{k}.co.uk" for k in range(10)]
    assert all((row["images"], row["images_kept"]) == (150, 10) for row in found["rows"][1:])
    assert found["top_levels"] == [{"name": ".uk", "images": 1470, "images_kept": 210, **nothing}]
    lost = {output["uid"] for receipt in receipts for output in receipt.outputs}
    assert lost <= {f"{k:024x}" for k in IMAGES if not is_kept(k)}
    assert len(lost) == LOOKED_UP * buckets


def test_success_by_domain_and_endings_that_anybody_invents(tmp_path: Path) -> None:
    spread = Spread(str(tmp_path / "spread"), 2)
    urls = [
        "http://a.example.org/1",
        "http://b.example.org/2",
        "http://192.0.2.7/x",
        "http://x.nowhere1",
        "http://y.nowhere2",
    ]
    ones = np.ones(len(urls), np.int64)
    for name, counted, counts in (
        ("matched", urls, {"images": ones, "images_kept": ones}),
        ("asked", urls[:3], {"attempted": ones[:3], "arrived": np.array([1, 0, 0])}),
    ):
        sums = DomainSums()
        sums.add(pa.array(counted), counts)
        sums.send(spread, name)
    found = host_values([add_domains(task) for task in spread.tasks()])
    assert {row["domain"]: (row["attempted"], row["arrived"]) for row in found["rows"]} == {
        "example.org": (2, 1), "192.0.2.7": (1, 0), "x.nowhere1": (0, 0), "y.nowhere2": (0, 0),
    }  # fmt: skip
    assert {row["name"]: row["images"] for row in found["top_levels"]} == {".org": 2, ADDRESS: 1, UNKNOWN: 2}


def test_a_run_without_addresses_has_no_domains(tmp_path: Path) -> None:
    spread = Spread(str(tmp_path / "spread"), 1)
    found = host_values([add_domains(task) for task in spread.tasks()])
    assert (found["rows"], found["domains"], found["hhi"], found["hhi_kept"]) == ([], 0, None, None)


def test_a_draw_with_other_buckets_is_counted_whole(tmp_path: Path) -> None:
    """Then no image can be told to be undrawn, so there are no examples."""
    spread = Spread(str(tmp_path / "spread"), 1)
    matched = [write(tmp_path / f"m{half}", [k for k in IMAGES if k % 2 == half], MATCHES) for half in range(2)]
    kept = write(tmp_path / "kept", [k for k in IMAGES if is_kept(k)], CURATED)
    tasks = [DomainsTask("a", matched[:1], [kept], False), DomainsTask("b", matched[1:], [], False)]
    receipts = [count_domains(task, spread) for task in tasks]
    found = host_values([add_domains(task) for task in spread.tasks()])
    assert (found["images"], found["images_kept"], found["rows"][0]["images_kept"]) == (1470, 210, 120)
    assert [receipt.outputs for receipt in receipts] == [[], []]
