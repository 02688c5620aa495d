"""Numbers of head and tail equal their definitions, and kept texts are those with the smallest draws."""

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.entry_table import EXPECTED_UNIT
from curation.balancing.matched_batch import MatchedBatch
from curation.core.draws import draw
from curation.core.schemas import CURATED
from curation.report.head_tail import effective_entries, gini, head_tail
from curation.report.kept_texts import KeptTexts, Wanted, merge_texts, tail_entries
from tests.unit.report.test_stats import make_images


def test_head_and_tail() -> None:
    before, after = np.array([5, 0, 1, 100, 20, 20]), np.array([5, 0, 0, 25, 19])
    found = head_tail(before, after, 20.0, (np.array([5, 0, 1, 20, 20, 20.0]) * EXPECTED_UNIT).astype(np.int64))
    assert (found["tail"], found["head"], found["lost"]) == (2, 3, 2)
    assert [(one["entry_id"], one["before"], one["after"]) for one in found["around_t"]] == [
        (2, 1, 0), (0, 5, 5), (4, 20, 19), (5, 20, 0), (3, 100, 25),
    ]  # fmt: skip
    shares = before / 146, np.array([5, 0, 0, 25, 19, 0]) / 49
    assert [one["entry_id"] for one in found["gained"]] == [4, 0]
    assert found["gained"][0]["change"] == pytest.approx(19 / 49 - 20 / 146)
    assert [one["entry_id"] for one in found["fallen"]] == np.argsort(shares[1] - shares[0])[:3].tolist()
    assert found["realised"] == {"expected": 66.0, "realised": 49, "drawn_entries": 1, "near": 1}
    assert found["ranks"]["before"] == [100, 20, 20, 5, 1]
    assert found["ranks"]["after"] == [25, 19, 5, 0, 0]
    assert found["unequal"]["before"]["top_share"] == 1.0


def test_inequality_equals_its_definition() -> None:
    counts = np.random.default_rng(2).zipf(1.5, 300).clip(max=10**5)
    differences = np.abs(counts[:, None] - counts[None, :]).mean()
    assert gini(counts) == pytest.approx(differences / (2 * counts.mean()))
    shares = counts / counts.sum()
    assert effective_entries(counts) == pytest.approx(float(np.prod(shares**-shares)))
    assert (gini(np.zeros(3)), effective_entries(np.zeros(3, np.int64))) == (None, None)


def test_a_language_that_lost_all_has_numbers() -> None:
    found = head_tail(np.array([3, 4]), np.zeros(0, np.int64), None, None)
    assert (found["tail"], found["head"], found["around_t"], found["realised"]) == (None, None, [], None)
    assert found["unequal"]["after"] == {"gini": None, "effective": None, "top_share": None}


@pytest.mark.parametrize("parts", [1, 5])
def test_kept_texts_are_those_with_the_smallest_draws(parts: int) -> None:
    images = make_images(80)
    wanted = Wanted({"en": [3, 7], "de": [39]}, seed=4)
    outputs = []
    for part in range(parts):
        shown = KeptTexts(wanted)
        batch = pa.RecordBatch.from_pylist(images[part::parts], CURATED)
        matched = MatchedBatch(batch)
        shown.add(matched, matched.structs.field("kept").to_numpy(zero_copy_only=False))
        outputs += shown.outputs()
    texts, by_entry = merge_texts(outputs)
    draws = draw(4, "examples", pa.array([image["uid"] for image in images]))
    ordered = [images[index] for index in np.argsort(draws)]
    first = [next(text["text"] for text in image["texts"] if text["kept"]) for image in ordered]
    assert [text["text"] for text in texts] == first[:24]
    for lang, entry in (("en", 3), ("en", 7), ("de", 39)):
        holding = [
            t for i in ordered for t in i["texts"] if t["kept"] and t["lang"] == lang and entry in t["entry_ids"]
        ]
        assert by_entry[lang, entry] == holding[0]["text"]


def test_images_that_left_the_shards_are_shown_by_no_text() -> None:
    images = make_images(80)
    draws = draw(4, "examples", pa.array([image["uid"] for image in images]))
    gone = tuple(images[index]["uid"] for index in np.argsort(draws)[:20])
    matched = MatchedBatch(pa.RecordBatch.from_pylist(images, CURATED))
    kept = matched.structs.field("kept").to_numpy(zero_copy_only=False)
    found = {}
    for removals in ((), gone):
        shown = KeptTexts(Wanted({"en": [3, 7], "de": [39]}, 4, removals))
        shown.add(matched, kept)
        found[removals] = [text["draw"] for text in shown.outputs()]
    removed = {float(draws[index]) for index, image in enumerate(images) if image["uid"] in gone}
    assert removed & set(found[()])
    assert not removed & set(found[gone])
    assert len(found[gone]) == len(found[()])


def test_tail_entries_are_below_t() -> None:
    counts = np.array([0, 1, 5, 9, 10, 200])
    assert tail_entries(counts, counts < 10, "en", 0, 20) == [1, 2, 3]
    assert len(tail_entries(counts, counts < 10, "en", 0, 2)) == 2
    assert tail_entries(counts, counts < 1, "en", 0, 20) == []
