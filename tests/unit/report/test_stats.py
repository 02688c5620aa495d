"""Statistics do not depend on how files are grouped into tasks, and equal the counts of a plain loop."""

from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.counts import merge_partials
from curation.balancing.matched_batch import MatchedBatch
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CURATED, DOWNLOAD_STATUS, LISTS, MATCHES, SAMPLES
from curation.report import stats
from curation.shards.selection import ImageFilters

LANGS = ("de", "en", "th")
Kind = TypeVar("Kind", bound=stats.Stats)


def make_images(count: int, seed: int = 1) -> list[dict]:
    """Rows of `curated`, of which those of `matches` are a part."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(count):
        texts = []
        for index in range(int(rng.integers(1, 5))):
            ids = sorted(rng.choice(40, int(rng.integers(1, 18)), replace=False).tolist())
            texts.append(
                {
                    "text": f"text {number} {index}",
                    "text_key": "alt",
                    "lang": LANGS[int(rng.integers(3))],
                    "lang_score": 0.5,
                    "entry_ids": ids,
                    "keep_probability": 0.5,
                    "kept": bool(index == 0 or rng.random() < 0.4),
                }
            )
        uid = f"{int(rng.integers(1 << 60)):024x}"
        one = {"uid": uid, "url": "http://x/", "text": texts[0]["text"], "lang": texts[0]["lang"]}
        images.append({**one, "keep_probability": 0.5, "texts": texts})
    return sorted(images, key=lambda image: image["uid"])


def write(path: Path, rows: list[dict], schema: pa.Schema) -> str:
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return str(path)


def split(rows: list, parts: int) -> list[list]:
    return [rows[index::parts] for index in range(parts)]


def totals(kind: type[Kind], receipts: list[Receipt]) -> Kind:
    return kind.from_facts(merge_receipts("all", receipts).facts)


@pytest.mark.parametrize("parts", [1, 7])
def test_match_stats_equal_a_loop(tmp_path: Path, parts: int) -> None:
    images = make_images(60)
    tasks = [
        stats.MatchesTask(str(index), [[write(tmp_path / f"{index}.parquet", rows, MATCHES)]])
        for index, rows in enumerate(split(images, parts))
    ]
    found = totals(stats.TextStats, [stats.count_matches(task, max_texts=64) for task in tasks])
    texts = [text for image in images for text in image["texts"]]
    assert found.texts == Counter(text["lang"] for text in texts)
    assert found.entries_per_text.total() == len(texts)
    assert found.entries_per_text["1"] == sum(len(text["entry_ids"]) == 1 for text in texts)
    assert found.entries_per_text["6"] == sum(6 <= len(text["entry_ids"]) <= 7 for text in texts)
    assert found.entries_per_text["15"] == sum(len(text["entry_ids"]) >= 15 for text in texts)
    assert found.texts_per_image["3"] == sum(3 <= len(image["texts"]) <= 4 for image in images)
    assert found.images == Counter()


@pytest.mark.parametrize("parts", [1, 7])
def test_curated_stats_equal_a_loop(tmp_path: Path, parts: int) -> None:
    images = make_images(60)
    tasks = [
        stats.CuratedTask(
            str(index), [write(tmp_path / f"{index}.parquet", rows, CURATED)], str(tmp_path / f"counts-{index}.parquet")
        )
        for index, rows in enumerate(split(images, parts))
    ]
    found = totals(stats.TextStats, [stats.count_curated(task) for task in tasks])
    kept = [text for image in images for text in image["texts"] if text["kept"]]
    assert found.texts == Counter(text["lang"] for text in kept)
    assert found.images == Counter(image["lang"] for image in images)
    assert found.texts_per_image["1"] == sum(sum(t["kept"] for t in image["texts"]) == 1 for image in images)
    counts = dict(merge_partials([task.output for task in tasks]))
    expected = {lang: Counter(i for t in kept if t["lang"] == lang for i in t["entry_ids"]) for lang in LANGS}
    assert {lang: {i: int(n) for i, n in enumerate(array) if n} for lang, array in counts.items()} == expected


def test_download_stats_take_the_last_attempt(tmp_path: Path) -> None:
    def row(uid: str, status: str, size: int | None, http: int | None = None) -> dict:
        nothing = dict.fromkeys(DOWNLOAD_STATUS.names)
        counted = {"redirects": 0, "attempts": 1, "seconds": 0.1, "order": int(uid)}
        return (
            nothing
            | counted
            | {"uid": uid, "url": "http://x/", "status": status, "source_bytes": size, "http_status": http}
        )

    first = write(tmp_path / "a.parquet", [row("1", "success", 10), row("2", "busy", None, 503)], DOWNLOAD_STATUS)
    second = write(
        tmp_path / "b.parquet", [row("2", "success", 5, 200), row("4", "http_error", None, 404)], DOWNLOAD_STATUS
    )
    other = write(tmp_path / "c.parquet", [row("3", "dns", None)], DOWNLOAD_STATUS)
    task = stats.DownloadsTask("x", [[first, second], [other]], [None, None])
    found = totals(stats.DownloadStats, [stats.count_downloads(task)])
    assert found.statuses == {"success": 2, "http_error": 1, "dns": 1}
    assert found.http == {"success 200": 1, "http_error 404": 1}
    assert found.bytes["source"] == 15
    listed = write(tmp_path / "list.parquet", [curated_row("2"), curated_row("5")], LISTS)
    receipt = stats.count_downloads(stats.DownloadsTask("x", [[first, second]], [listed]))
    assert totals(stats.DownloadStats, [receipt]).statuses == {"success": 1}
    assert (receipt.rows_in, receipt.rows_out, receipt.drops["not_listed"]) == (3, 1, 2)


def test_images_that_the_shards_lack_have_examples_by_reason(tmp_path: Path) -> None:
    """Each for its first reason, of the images of the list alone; none of those whose owners refused."""
    sizes = [(10, 500), (500, 10), (90, 90), (600, 90), (200, 200), (999, 999)]
    statuses = ["success"] * 6 + ["http_error", "opted_out", "private_address"]
    nothing = dict.fromkeys(DOWNLOAD_STATUS.names) | {"redirects": 0, "attempts": 1, "seconds": 0.1}
    rows = [
        nothing | {"uid": str(k), "url": f"http://x/{k}", "status": status, "order": k, "sha256": "0" * 64}
        | dict(zip(("original_width", "original_height"), sizes[k] if k < 6 else (None, None), strict=True))
        for k, status in enumerate(statuses)
    ]  # fmt: skip
    status = write(tmp_path / "a.parquet", rows, DOWNLOAD_STATUS)
    listed = write(tmp_path / "list.parquet", [curated_row(str(k)) for k in range(9) if k != 1], LISTS)
    filters = ImageFilters(min_side=20, max_aspect_ratio=3.0, min_pixels=10_000, max_pixels=500_000)
    task = stats.DownloadsTask("x", [[status]], [listed])
    found = stats.count_downloads(task, filters=filters).outputs
    shown = {(one["reason"], one["uid"], one["note"]) for one in found if one["stage"] == "write_shards"}
    assert shown == {
        ("small_side", "0", "10 × 500"), ("few_pixels", "2", "90 × 90"), ("aspect_ratio", "3", "600 × 90"),
        ("many_pixels", "5", "999 × 999"), ("not_downloaded", "6", "http_error"),
    }  # fmt: skip
    everything = stats.count_downloads(replace(task, lists=[None]), filters=filters).outputs
    assert {one["uid"] for one in everything if one["reason"] == "small_side"} == {"0", "1"}
    assert not [one for one in stats.count_downloads(task).outputs if one["stage"] == "write_shards"]


def curated_row(uid: str) -> dict:
    return {"uid": uid, "url": "", "text": "", "lang": "en", "keep_probability": 1.0, "texts": [], "order": int(uid)}


def sidecar(rows: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    return [
        {
            "uid": f"{seed:012x}{index:012x}",
            "url": "http://x/",
            "text": "t",
            "lang": LANGS[index % 3],
            "keep_probability": 1.0,
            "sha256": "0",
            "source_bytes": 1,
            "original_width": 9,
            "original_height": 9,
            "width": int(rng.integers(1, 900)),
            "height": int(rng.integers(1, 900)),
            "ext": "jpg",
            "bytes": int(rng.integers(100, 9_000_000)),
        }
        for index in range(rows)
    ]


@pytest.mark.parametrize("group", [1, 3])
def test_shard_stats_and_samples_do_not_depend_on_the_grouping(tmp_path: Path, group: int) -> None:
    shards = [sidecar(rows, seed) for seed, rows in enumerate((150, 9, 9, 9, 0, 9))]
    paths = [write(tmp_path / f"{index}.parquet", rows, SAMPLES) for index, rows in enumerate(shards)]
    tasks = [stats.ShardsTask(str(start), paths[start : start + group]) for start in range(0, 6, group)]
    receipts = [stats.count_shards(task, seed=5) for task in tasks]
    total = merge_receipts("all", receipts)
    found = stats.ShardStats.from_facts(total.facts)
    rows = [row for shard in shards for row in shard]
    assert found.langs == Counter(row["lang"] for row in rows)
    assert found.width == Counter(str(row["width"] // 16) for row in rows)
    assert found.bytes.total() == len(rows)
    chosen = stats.choose_samples(stats.SampleDraw(**output) for output in total.outputs)
    draws = stats.draw(5, "sample", pa.array([row["uid"] for row in rows]))
    expected = [rows[index]["uid"] for index in np.argsort(draws)[: stats.SHOWN_SAMPLES]]
    assert [sample.uid for sample in chosen] == expected
    assert {sample.tar for sample in chosen} <= {path.replace(".parquet", ".tar") for path in paths}
    hidden = [stats.count_shards(task, seed=5, removals=tuple(expected[:3])) for task in tasks]
    seen = stats.choose_samples(stats.SampleDraw(**output) for each in hidden for output in each.outputs)
    assert [sample.uid for sample in seen][: len(expected) - 3] == expected[3:]


def test_states_take_batch_after_batch() -> None:
    images = make_images(40)
    a, b = (MatchedBatch(pa.RecordBatch.from_pylist(some, CURATED)) for some in split(images, 2))
    one, other, both = stats.TextStats(), stats.TextStats(), stats.TextStats()
    for matched, state in ((a, one), (b, other)):
        kept = np.arange(len(matched.codes)) % 3 > 0
        state.add(matched, kept)
        both.add(matched, kept)
    assert both == one.merge(other)
    rows = pa.RecordBatch.from_pylist(sidecar(30, 1), SAMPLES)
    whole, halves = stats.ShardStats(), stats.ShardStats()
    whole.add(rows)
    halves.add(rows.slice(0, 11))
    halves.add(rows.slice(11))
    assert whole == halves


@pytest.mark.parametrize("kind", [stats.TextStats, stats.DownloadStats, stats.ShardStats])
def test_states_merge_like_their_facts(kind: type[stats.Stats]) -> None:
    rng = np.random.default_rng(3)

    def state() -> stats.Stats:
        made = kind()
        for one in fields(made):
            getattr(made, one.name).update({key: int(rng.integers(1, 9)) for key in ("a:b", "c", "12")})
        return made

    a, b, c = state(), state(), state()
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert kind.from_facts(a.to_facts() + b.to_facts() + Counter(other_fact=3)) == a.merge(b)
    assert a.merge(kind()) == a
