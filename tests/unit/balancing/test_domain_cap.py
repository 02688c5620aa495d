"""The limit per domain against a sort, with any number of buckets and slices."""

import random
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing import domain_cap
from curation.balancing.domain_cap import (
    DomainCap,
    cap_bucket,
    count_receivers,
    find_excess,
    plan_cap,
    plan_excess,
    slice_domains,
)
from curation.core.domains import HOST_FORM
from curation.core.schemas import CURATED
from tests.wyhash import keyed

SEED = 3


def images(count: int) -> list[dict]:
    rng = random.Random(5)
    rows = []
    for _ in range(count):
        domain = rng.choice(["spam.com", "spam.com", "b.co.uk", f"small{rng.randrange(40)}.org", ""])
        url = f"http://h{rng.randrange(9)}.{domain}/{rng.random()}.jpg" if domain else ""
        texts = [{"text": "t", "text_key": "alt", "lang": "en", "lang_score": 1.0, "entry_ids": [1],
                  "keep_probability": 0.5, "kept": kept} for kept in (True, rng.random() < 0.5)]  # fmt: skip
        row = {"uid": f"{rng.randrange(16**24):024x}", "url": url, "text": "t", "lang": "en"}
        rows.append({**row, "keep_probability": 0.5, "texts": texts})
    return sorted(rows, key=lambda row: row["uid"])


def owner(row: dict) -> str:
    return ".".join(row["url"].split("/")[2].split(".")[1:]) if row["url"] else ""


def limited(rows: list[dict], max_images: int) -> list[dict]:
    by_domain = defaultdict(list)
    for row in rows:
        by_domain[owner(row)].append((keyed(SEED, "domain_cap", row["uid"]), row["uid"]))
    kept = {uid for name, drawn in by_domain.items() for _, uid in sorted(drawn)[: max_images if name else None]}
    return [row for row in rows if row["uid"] in kept]


def run(folder: Path, rows: list[dict], max_images: int, buckets: int, receivers: int) -> tuple[list[dict], Counter]:
    drawn = []
    for bucket in range(buckets):
        mine = [row for row in rows if int(row["uid"][:4], 16) * buckets // 65536 == bucket]
        drawn.append(str(folder / f"drawn-{bucket:05d}.parquet"))
        pq.write_table(pa.Table.from_pylist(mine, CURATED), drawn[-1])
    tasks = plan_cap(drawn, str(folder / "out"), str(folder / "work"))
    cap = DomainCap(max_images, SEED, receivers, buckets, HOST_FORM)
    for task in tasks:
        slice_domains(task, cap).check()
    for each in plan_excess(tasks, cap):
        find_excess(each, cap).check()
    receipts = [cap_bucket(task) for task in tasks]
    found = [row for task in tasks for row in pq.read_table(task.output).to_pylist()]
    return found, sum((receipt.drops + receipt.facts for receipt in receipts), Counter())


@pytest.mark.parametrize(
    ("buckets", "receivers", "slice_rows"), [(1, 1, 1 << 20), (7, 4, 50), (7, 1, 1), (3, 8, 1 << 20)]
)
@pytest.mark.parametrize("max_images", [1, 20, 10_000])
def test_the_images_of_a_domain_with_the_smallest_draws_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_images: int, buckets: int, receivers: int, slice_rows: int
) -> None:
    monkeypatch.setattr(domain_cap, "SLICE_ROWS", slice_rows)
    rows = images(200)
    found, counts = run(tmp_path, rows, max_images, buckets, receivers)
    assert found == limited(rows, max_images)
    assert counts["domain_cap"] == len(rows) - len(found)
    assert counts["texts_kept"] == sum(text["kept"] for row in found for text in row["texts"])
    assert max(Counter(filter(None, map(owner, found))).values()) <= max_images


def test_no_images(tmp_path: Path) -> None:
    assert run(tmp_path, [], 1, 2, 1) == ([], Counter())


def test_a_receiver_holds_little_of_a_large_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is counted: what `find_excess` sorts at once is a few slices, however many images a domain has."""
    monkeypatch.setattr(domain_cap, "SLICE_ROWS", 100)
    sorted_at_once = []
    trim = domain_cap._trim
    monkeypatch.setattr(
        domain_cap, "_trim", lambda rows, most: sorted_at_once.append(rows.num_rows) or trim(rows, most)
    )
    rows = [{**row, "url": f"http://spam.com/{k}"} for k, row in enumerate(images(1000))]
    found, _ = run(tmp_path, rows, 10, 10, 1)
    assert len(found) == 10
    assert max(sorted_at_once) < 10 + 100 + 200


def test_equal_draws_are_taken_by_uid() -> None:
    rows = pa.table(
        [["a"] * 4, pa.array([7, 7, 7, 2], pa.uint64()), pa.array([1, 0, 0, 1], pa.int32()), pa.array([0, 5, 4, 9])],
        schema=domain_cap._SLICES,
    )
    kept, beyond = domain_cap._trim(rows, 2)
    assert (kept["row"].to_pylist(), beyond["row"].to_pylist()) == ([4, 9], [0, 5])


def test_more_images_have_more_receivers() -> None:
    assert [count_receivers(images) for images in (0, 10**7, 10**11)] == [1, 32, 1024]
