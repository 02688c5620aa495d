"""Draws against their definition, row by row; expectations; merging of several tables."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.balance import (
    BalanceSettings,
    BalanceTask,
    balance_bucket,
    curated_batch,
    draw_batch,
    expected_of_texts,
    take_expectations,
    text_probabilities,
)
from curation.balancing.counts import BucketsTask, CountArrays, CountFiles, count_buckets, merge_partials, save_array
from curation.balancing.matched_batch import MatchedBatch
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED
from curation.core.tables import Table
from curation.matching.buckets import plan_buckets
from curation.matching.parts import MatchesTables
from tests.matches_data import Image, make_images, to_batch, write_matches
from tests.wyhash import keyed

T = {"de": 3.0, "en": 6.5, "fr": 2.0}


def _draw(seed: int, *keys: str) -> float:
    return (keyed(seed, "keep", *keys) >> 11) / 2**53


def _counts(rows: list[Image]) -> Counter:
    return Counter((text["lang"], i) for row in rows for text in row["texts"] for i in text["entry_ids"])


def _curate(rows: list[Image], unit: str, seed: int, t: dict[str, float]) -> list[dict]:
    """The definition, text by text."""
    counts, curated = _counts(rows), []
    for row in rows:
        texts = []
        for text in row["texts"]:
            missed = 1.0
            for i in text["entry_ids"]:
                missed *= 1.0 - t[text["lang"]] / max(counts[text["lang"], i], t[text["lang"]])
            texts.append({**text, "keep_probability": 1.0 - missed, "kept": False})
        by_key = sorted(texts, key=lambda text: keyed(seed, "choose_text", row["uid"], text["text"]))
        if unit == "pair":
            missed = 1.0
            for text in texts:
                missed *= 1.0 - text["keep_probability"]
                text["kept"] = _draw(seed, row["uid"], text["text"]) < text["keep_probability"]
            probability = 1.0 - missed
        else:
            probability = by_key[0]["keep_probability"]
            by_key[0]["kept"] = _draw(seed, row["uid"]) < probability
        chosen = [text for text in by_key if text["kept"]]
        if chosen:
            head = {"uid": row["uid"], "url": row["url"], "text": chosen[0]["text"], "lang": chosen[0]["lang"]}
            curated.append({**head, "keep_probability": probability, "texts": texts})
    return curated


def _files(rows: list[Image], folder: Path) -> str:
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(rows)))
    for lang, values in counts.items():
        save_array(str(folder / f"{lang}.npy"), values)
    return str(folder)


def _scaled(t: dict[str, float], factor: float) -> dict[str, float]:
    return {lang: value * factor for lang, value in t.items()}


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_a_bucket_is_drawn_as_the_definition_says(unit: str, tmp_path: Path) -> None:
    rows = make_images(350, seed=4)
    settings = BalanceSettings(unit, 13, _files(rows, tmp_path / "counts"), T, 64)
    task = BalanceTask("0", [write_matches(rows, tmp_path / "m.parquet")], str(tmp_path / "c.parquet"))
    receipt = balance_bucket(task, settings)
    found = pq.read_table(task.output)
    expected = _curate(rows, unit, 13, T)
    assert found.schema.equals(CURATED)
    assert found.to_pylist() == expected
    assert receipt.rows_in == 350
    assert receipt.rows_out == len(expected) == 350 - receipt.drops["not_drawn"]
    assert 25 < len(expected) < 325
    assert receipt.facts["texts_kept"] == sum(text["kept"] for row in expected for text in row["texts"])


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_how_rows_are_batched_does_not_show(unit: str, tmp_path: Path) -> None:
    rows = make_images(300, seed=5)
    counts, batch = CountFiles(_files(rows, tmp_path)), to_batch(rows)

    def curate(size: int) -> pa.Table:
        batches = []
        for start in range(0, len(rows), size):
            matched = MatchedBatch(batch.slice(start, size))
            drawn = draw_batch(matched, text_probabilities(matched, counts, T), unit, 1)
            batches.append(curated_batch(matched, drawn))
        return pa.Table.from_batches(batches).combine_chunks()

    assert curate(7).equals(curate(300))


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_a_larger_t_keeps_what_a_smaller_one_kept(unit: str, tmp_path: Path) -> None:
    rows = make_images(1500, seed=6)
    matched, counts = MatchedBatch(to_batch(rows)), CountFiles(_files(rows, tmp_path))
    kept = []
    for factor in (0.1, 0.5, 1, 2, 10_000):
        drawn = draw_batch(matched, text_probabilities(matched, counts, _scaled(T, factor)), unit, 0)
        kept.append((set(np.flatnonzero(drawn.kept)), set(np.flatnonzero(drawn.chosen >= 0))))
    for (texts, images), (more_texts, more_images) in pairwise(kept):
        assert texts < more_texts
        assert images < more_images
    assert len(kept[-1][1]) == 1500


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_expectations_are_sums_of_probabilities(unit: str, tmp_path: Path) -> None:
    rows = make_images(400, seed=7)
    settings = BalanceSettings(unit, 2, _files(rows, tmp_path / "counts"), T, 64)
    receipts = []
    for k, part in enumerate((rows[:100], rows[100:])):
        file = write_matches(part, tmp_path / f"m{k}.parquet")
        receipts.append(balance_bucket(BalanceTask(str(k), [file], str(tmp_path / "c")), settings))
    expected = take_expectations(receipts)
    matched = MatchedBatch(to_batch(rows))
    probabilities = text_probabilities(matched, CountFiles(settings.counts), T)
    drawn = draw_batch(matched, probabilities, unit, 2)
    assert sum(expected["expected_images"].values()) == pytest.approx(drawn.image_probabilities.sum(), rel=1e-7)
    for code, lang in enumerate(matched.langs):
        rows_of_lang = matched.codes == code
        pairs, images = expected_of_texts(matched, probabilities, unit, 2)
        assert expected["expected_images"][lang] == pytest.approx(images[rows_of_lang].sum(), rel=1e-7)
        assert expected["expected_pairs"][lang] == pytest.approx(pairs[rows_of_lang].sum(), rel=1e-7)
    assert not [key for receipt in receipts for key in receipt.facts if ":" in key]


def test_another_seed_is_an_independent_draw(tmp_path: Path) -> None:
    """Of 4,000 images both draws keep the product of the shares, within 5 standard deviations."""
    rows = make_images(4000, seed=8, langs=("en",))
    matched, counts = MatchedBatch(to_batch(rows)), CountFiles(_files(rows, tmp_path))
    probabilities = text_probabilities(matched, counts, {"en": 20.0})
    first, second = (draw_batch(matched, probabilities, "pair", seed) for seed in (0, 1))
    both = ((first.chosen >= 0) & (second.chosen >= 0)).sum()
    p = first.image_probabilities**2
    assert abs(both - p.sum()) < 5 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_over_2000_seeds_each_text_is_kept_with_its_probability(unit: str, tmp_path: Path) -> None:
    """False alarms: each of some 800 texts and images may lie 5 standard deviations off (5.7e-7), all together a
    chi-squared value 6 of its standard deviations off (below 1e-6): one list of seeds in 2,000 would fail by chance.
    """
    rows = make_images(300, seed=12, entries=40, max_ids=2)
    matched, counts = MatchedBatch(to_batch(rows)), CountFiles(_files(rows, tmp_path))
    p = text_probabilities(matched, counts, T)
    kept, images = np.zeros(len(p)), np.zeros(len(rows))
    for seed in range(2000):
        drawn = draw_batch(matched, p, unit, seed)
        kept += drawn.kept
        images += drawn.chosen >= 0
    sizes = np.diff(matched.starts)
    if unit == "image":  # a text has to be taken first, one of the image's
        p = p / np.repeat(sizes, sizes)
        image_p = np.add.reduceat(p, matched.starts[:-1])
    else:
        image_p = 1 - np.multiply.reduceat(1 - p, matched.starts[:-1])
    for seen, share in ((kept, p), (images, image_p)):
        sure = np.isclose(share, 1.0, rtol=0, atol=1e-12)
        assert (seen[sure] == 2000).all()
        z = (seen - 2000 * share)[~sure] / np.sqrt(2000 * share * (1 - share))[~sure]
        assert len(z) > 60
        assert np.abs(z).max() < 5
        assert abs((z**2).sum() - len(z)) < 6 * np.sqrt(2 * len(z))


def test_an_empty_bucket_gives_an_empty_file(tmp_path: Path) -> None:
    task = BalanceTask("0", [write_matches([], tmp_path / "m")], str(tmp_path / "c"))
    receipt = balance_bucket(task, BalanceSettings("pair", 0, str(tmp_path), T, 64))
    assert receipt.rows_in == receipt.rows_out == 0
    assert pq.read_schema(task.output).equals(CURATED)


def test_a_bucket_in_which_nothing_is_kept(tmp_path: Path) -> None:
    rows = make_images(20, seed=9)
    matched, counts = MatchedBatch(to_batch(rows)), CountFiles(_files(rows, tmp_path))
    drawn = draw_batch(matched, text_probabilities(matched, counts, _scaled(T, 1e-12)), "pair", 0)
    assert curated_batch(matched, drawn).num_rows == 0


def test_a_language_that_was_not_counted_is_refused(tmp_path: Path) -> None:
    rows = make_images(20, seed=10)
    with pytest.raises(HeadtailError, match="texts in fr, but entry_counts does not: run count_entries"):
        text_probabilities(MatchedBatch(to_batch(rows)), CountFiles(_files(rows, tmp_path)), {"en": 1.0, "de": 1.0})


def test_several_tables_are_merged_by_uid(tmp_path: Path) -> None:
    """The same texts of an image count once, and images of both tables are drawn with the texts of both."""
    rows = make_images(300, seed=11)
    first, second = rows[:200], [*rows[100:]]
    second = [{**row, "texts": row["texts"][: 1 + k % 3]} for k, row in enumerate(second)]
    files = [write_matches(first, tmp_path / "1/m.parquet"), write_matches(second, tmp_path / "2/m.parquet")]
    union = [*first, *second[100:]]
    counts = BucketsTask("0", [files], str(tmp_path / "partial"))
    receipt = count_buckets(counts, 64)
    assert (receipt.rows_in, receipt.rows_out, receipt.drops["merged_into_image"]) == (400, 300, 100)
    merged = merge_partials([counts.output])
    assert {(lang, int(i)): int(values[i]) for lang, values in merged for i in np.flatnonzero(values)} == _counts(union)
    task = BalanceTask("0", files, str(tmp_path / "c.parquet"))
    receipt = balance_bucket(task, BalanceSettings("pair", 3, _files(union, tmp_path / "counts"), T, 64))
    assert pq.read_table(task.output).to_pylist() == _curate(union, "pair", 3, T)
    assert receipt.rows_in == 400
    assert receipt.drops["merged_into_image"] == 100


def test_parts_with_other_buckets_are_refused() -> None:
    with pytest.raises(HeadtailError, match=r"b has 1 bucket, a has 2: run match_pairs again"):
        plan_buckets([["a/bucket-0.parquet", "a/bucket-1.parquet"], ["b/bucket-0.parquet"]])
    assert plan_buckets([["a/1", "a/0"], ["b/0", "b/1"]]) == [["a/0", "b/0"], ["a/1", "b/1"]]


@pytest.mark.parametrize("name", ["metadata", "edges"])
def test_tables_made_with_other_metadata_are_refused(name: str, tmp_path: Path) -> None:
    for table, found in (("a", "one"), ("b", "two")):
        file = write_matches([], tmp_path / table / "part-00000" / "bucket-00000.parquet")
        receipt = Receipt("m", outputs=[{"path": file, "rows": 0, "bytes": 0}])
        settings = {"metadata": "same", "edges": "same", "max_texts": 64, name: found}
        Table(str(tmp_path / table)).commit(0, Recipe("match_pairs", 1, settings), [receipt], 0.0)
    assert MatchesTables([str(tmp_path / "a")] * 2).max_texts == 64
    with pytest.raises(HeadtailError, match=f"b/part-00000 were made with {name} two, those in .* with one: run match"):
        MatchesTables([str(tmp_path / "a"), str(tmp_path / "b")])
