"""The report's table of domains: counted over all images, or estimated from a sample, whatever the buckets."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.schemas import CURATED, MATCHES
from curation.report.domains import DomainSample, DomainsTask, count_domains, domain_values
from curation.report.sections import domains as section


def write(path: Path, uids: range, sites: int, schema: pa.Schema) -> str:
    """Images of `sites` domains: number k is on domain k % sites, and has no address where k is a multiple of 50."""
    rows = [
        {"uid": f"{k:024x}", "url": f"http://img{k % 3}.site{k % sites}.co.uk/{k}.jpg" if k % 50 else "",
         "text": "t", "lang": "en", "keep_probability": 1.0, "texts": []}
        for k in uids
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return str(path)


def count(folder: Path, sample: DomainSample, buckets: int = 1) -> dict:
    """Domain 0 keeps all 150 of its images but those without address, the others keep 10 of them."""
    counted = []
    for bucket in range(buckets):
        mine = range(1 + bucket * 1500 // buckets, 1 + (bucket + 1) * 1500 // buckets)
        path = folder / f"kept-{bucket}"
        write(path, mine, 10, CURATED)
        kept = pq.read_table(path).to_pylist()
        kept = [row for row in kept if "site0." in row["url"] or int(row["uid"], 16) <= 100]
        pq.write_table(pa.Table.from_pylist(kept, CURATED), path)
        two = [write(folder / f"{k}-{bucket}", mine, 10, MATCHES) for k in range(2)]  # the same images in two crawls
        task = DomainsTask(two, [str(path)], str(folder / f"counts-{bucket}"))
        count_domains(task, sample).check()
        counted.append(task.output)
    return domain_values(counted, sample.share)


@pytest.mark.parametrize("buckets", [1, 7])
def test_domains_with_most_kept_images(tmp_path: Path, buckets: int) -> None:
    found = count(tmp_path, DomainSample(0, 1.0), buckets)
    assert found["counted_share"] == 1
    assert found["rows"][0] == {"domain": "site0.co.uk", "images": 120, "images_kept": 120, "keep_share": 1.0}
    assert [row["domain"] for row in found["rows"]] == [f"site{k}.co.uk" for k in range(10)]
    assert all((row["images"], row["images_kept"]) == (150, 10) for row in found["rows"][1:])


def test_a_sample_counts_the_same_images_before_and_after(tmp_path: Path) -> None:
    """120 images, of which a half is drawn: 60 with a standard deviation of 5.5, doubled."""
    found = count(tmp_path, DomainSample(5, 0.5), 3)
    assert found == count(tmp_path, DomainSample(5, 0.5), 1)
    first = found["rows"][0]
    assert (first["domain"], first["keep_share"]) == ("site0.co.uk", 1.0)
    assert 120 - 60 < first["images"] == first["images_kept"] < 120 + 60


def test_only_a_run_with_many_images_is_sampled() -> None:
    assert [DomainSample.of(images, 0).share for images in (0, 1_000_000, 4_000_000)] == [1.0, 1.0, 0.25]


def test_the_section_shows_shares_and_says_where_numbers_are_estimates() -> None:
    rows = [{"domain": "<b>.org", "images": 200, "images_kept": 50, "keep_share": 0.25}]
    page = section({"domains": {"counted_share": 0.25, "rows": rows}})
    assert "&lt;b&gt;.org" in page
    assert page.count(">25%<") == page.count("estimates from 25% of the images") == 1
    assert "estimates" not in section({"domains": {"counted_share": 1.0, "rows": rows}})
    assert "No image" in section({"domains": {"counted_share": 1.0, "rows": []}})
