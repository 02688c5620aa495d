"""The numbers of entries that a report adds equal those of a plain loop, however tasks are cut."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.counts import CountArrays, merge_partials, save_array
from curation.balancing.entry_table import EXPECTED_UNIT
from curation.balancing.matched_batch import MatchedBatch
from curation.core.choices import Unit
from curation.core.draws import hash64
from curation.core.schemas import LISTS, SAMPLES
from curation.images.ranges import Ranges, list_name
from curation.report.entry_numbers import CaptionsTask, count_captions
from curation.report.stats import Balanced, MatchesTask, count_matches
from tests.matches_data import make_images, to_batch, write_matches

T = {"de": 20.0, "en": 35.0, "fr": 8.0}


def summed(paths: list[str]) -> dict[tuple[str, int], int]:
    return {(lang, k): int(n) for lang, counts in merge_partials(paths) for k, n in enumerate(counts) if n}


@pytest.mark.parametrize("unit", list(Unit))
def test_expected_texts_are_sums_of_probabilities(tmp_path: Path, unit: Unit) -> None:
    images = make_images(300, seed=4)
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(images)))
    for lang, values in counts.items():
        save_array(f"{tmp_path}/counts/{lang}.npy", values)
    held = {(lang, k): n for lang, values in counts.items() for k, n in enumerate(values)}
    wanted: Counter[tuple[str, int]] = Counter()
    for image in images:
        texts = image["texts"]
        if unit is Unit.image:
            uids, keys = pa.array([image["uid"]] * len(texts)), pa.array([text["text"] for text in texts])
            texts = [texts[int(np.argmin(hash64(9, "choose_text", uids, keys)))]]
        for text in texts:
            missed = np.prod([1 - min(1, T[text["lang"]] / held[text["lang"], k]) for k in text["entry_ids"]])
            for entry_id in text["entry_ids"]:
                wanted[text["lang"], entry_id] += round((1 - missed) * EXPECTED_UNIT)

    balanced = Balanced(f"{tmp_path}/counts", T, unit, 9)
    for parts in (1, 3):
        files = [write_matches(images[k::parts], tmp_path / f"{parts}-{k}.parquet") for k in range(parts)]
        tasks = [MatchesTask(file, [[file]], f"{file}.counts") for file in files]
        for task in tasks:
            count_matches(task, 64, 0, balanced)
        found = summed([task.output for task in tasks])
        assert set(found) == {key for key, n in wanted.items() if n}
        assert all(abs(found[key] - wanted[key]) < EXPECTED_UNIT / 1e5 for key in found)


def sample_rows(images: list[dict]) -> list[dict]:
    facts = dict.fromkeys(SAMPLES.names, 1) | {"sha256": "", "ext": "jpg", "keep_probability": 0.5}
    return [
        facts | {"uid": image["uid"], "url": image["url"], "text": image["text"], "lang": image["lang"]}
        for image in images
    ]


def test_captions_are_counted_by_their_entries(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    ranges = Ranges(4, 7)
    images = []
    for image in make_images(200, seed=5):
        chosen = image["texts"][int(rng.integers(len(image["texts"])))]
        texts = [{**text, "keep_probability": 0.5, "kept": True} for text in image["texts"]]
        order = int(ranges.order(pa.array([image["uid"]]))[0])
        told = {"text": chosen["text"], "lang": chosen["lang"], "keep_probability": 0.5, "order": order}
        images.append({**image, **told, "texts": texts, "ids": chosen["entry_ids"]})
    images.sort(key=lambda image: (image["order"], image["uid"]))
    for number in range(4):
        own = [{k: v for k, v in image.items() if k != "ids"} for image in images if image["order"] >> 62 == number]
        pq.write_table(pa.Table.from_pylist(own, LISTS), tmp_path / list_name(number))
    kept = [image for image in images if rng.random() < 0.6]
    wanted = Counter((image["lang"], entry_id) for image in kept for entry_id in image["ids"])

    for size in (len(kept), 17):
        sidecars = []
        for start in range(0, len(kept), size):
            sidecars.append(str(tmp_path / f"{size}-{start:05d}.parquet"))
            pq.write_table(pa.Table.from_pylist(sample_rows(kept[start : start + size]), SAMPLES), sidecars[-1])
        tasks = [CaptionsTask(name, [name], str(tmp_path), f"{name}.counts") for name in sidecars]
        receipts = [count_captions(task, ranges) for task in tasks]
        assert sum(receipt.rows_out for receipt in receipts) == len(kept)
        assert summed([task.output for task in tasks]) == wanted

    stranger = sample_rows([kept[0] | {"uid": "0" * 24}])
    pq.write_table(pa.Table.from_pylist(stranger, SAMPLES), tmp_path / "stranger.parquet")
    task = CaptionsTask("x", [str(tmp_path / "stranger.parquet")], str(tmp_path), str(tmp_path / "x.counts"))
    assert count_captions(task, ranges).drops == {"not_listed": 1}
