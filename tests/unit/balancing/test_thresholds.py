"""Thresholds of all languages, with and without headroom; the files that hold them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.counts import CountArrays, CountFiles, save_array
from curation.balancing.distributions import Distributions
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.probabilities import entry_probabilities
from curation.balancing.thresholds import ThresholdRule, write_probabilities, write_thresholds
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import THRESHOLDS
from tests.matches_data import make_images, to_batch
from tests.unit.balancing.settings import balance_goal, threshold_rule

COUNTS = {"en": np.array([1, 2, 3, 4, 90]), "de": np.array([0, 10, 20, 30, 40]), "fr": np.array([7])}


def _distributions() -> Distributions:
    return Distributions(COUNTS, COUNTS.__getitem__)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(threshold_rule(), {"de": 10.0, "en": 5.0, "fr": 7.0}, id="same tail share"),
        pytest.param(threshold_rule(others="same_t"), {"de": 5.0, "en": 5.0, "fr": 5.0}, id="same t"),
        pytest.param(
            threshold_rule(t_by_language={"de": 2.5}),
            {"de": 2.5, "en": 5.0, "fr": 7.0},
            id="same tail share but for de",
        ),
        pytest.param(
            threshold_rule(others="same_t", t_by_language={"de": 2.5}),
            {"de": 2.5, "en": 5.0, "fr": 5.0},
            id="same t but for de",
        ),
        pytest.param(threshold_rule(reference="de"), {"de": 5.0, "en": 1.0, "fr": 7.0}, id="another reference"),
    ],
)
def test_other_languages_follow_the_reference(rule: ThresholdRule, expected: dict[str, float]) -> None:
    found = rule.thresholds(_distributions(), [5.0])
    assert {lang: ts.tolist() for lang, ts in found.items()} == {lang: [t] for lang, t in expected.items()}


def test_a_tail_share_holds_for_every_language() -> None:
    found = threshold_rule(t_by_language={"fr": 3.0}).thresholds_of_share(_distributions(), 0.1)
    assert found == {"de": 10.0, "en": 4.0, "fr": 3.0}


def test_a_reference_without_matches_names_the_others() -> None:
    with pytest.raises(HeadtailError, match=r"language ja: set balance\.reference to one of: de, en, fr"):
        threshold_rule(reference="ja").thresholds(_distributions(), [5.0])


def test_a_language_without_matches_has_no_threshold(tmp_path: Path) -> None:
    counted = CountArrays()
    counted.add(MatchedBatch(to_batch(make_images(50, seed=1, langs=("en",)))))
    for lang, values in counted.items():
        save_array(str(tmp_path / f"{lang}.npy"), values)
    distributions = Distributions.of_files(CountFiles(str(tmp_path)))
    assert list(balance_goal(threshold_rule(t_by_language={"de": 3.0}), t=2.0).thresholds(distributions)) == ["en"]
    with pytest.raises(HeadtailError, match=r"language de: set balance\.reference to one of: en"):
        balance_goal(threshold_rule(reference="de"), t=2.0).thresholds(distributions)


def test_headroom_raises_every_threshold_that_was_given_as_a_count() -> None:
    rule = threshold_rule(t_by_language={"fr": 3.0})
    of_t, of_share = balance_goal(rule, t=5.0, headroom=0.5), balance_goal(rule, tail_share=0.1, headroom=0.5)
    assert of_t.thresholds(_distributions()) == {"de": 10.0, "en": 10.0, "fr": 6.0}
    assert of_share.thresholds(_distributions()) == {"de": 10.0, "en": 4.0, "fr": 6.0}


def test_a_threshold_has_a_value_for_the_survivors_and_one_for_the_first_pass() -> None:
    given, share = balance_goal(t=5.0, headroom=0.8), balance_goal(tail_share=0.1, headroom=0.8)
    solved = balance_goal(target_images=9.0, headroom=0.6, solved_t=7.0)
    assert (given.survivors_t, given.first_pass_t) == (5.0, 6.25)
    assert (solved.survivors_t, solved.first_pass_t) == (4.2, 7.0)
    assert (share.survivors_t, share.first_pass_t) == (None, None)
    for goal in (given, solved, share):
        last = goal.of_survivors()
        assert last.survivors_t == last.first_pass_t == goal.survivors_t
    with pytest.raises(ValueError, match="target_images has to be solved first"):
        balance_goal(target_images=9.0).thresholds(_distributions())


def test_the_table_says_what_each_threshold_means(tmp_path: Path) -> None:
    for lang, counts in COUNTS.items():
        save_array(str(tmp_path / f"{lang}.npy"), counts)
    counts, t = CountFiles(str(tmp_path)), {"de": 10.0, "en": 3.5, "fr": 8.0}
    expected = {"expected_pairs": {"de": 2.5, "en": 7.0}, "expected_images": {"de": 2.0, "en": 6.0}}
    receipt = write_thresholds(Distributions.of_files(counts), t, expected, str(tmp_path / "out"))
    table = pq.read_table(receipt.outputs[0]["path"])
    assert table.schema.equals(THRESHOLDS)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("de", 10.0, 0.0, 4, 100, 2.5, 2.0),
        ("en", 3.5, 0.06, 5, 100, 7.0, 6.0),
        ("fr", 8.0, 1.0, 1, 7, 0.0, 0.0),
    ]


def test_probabilities_are_handed_over_as_files_to_map(tmp_path: Path) -> None:
    for lang, counts in COUNTS.items():
        save_array(str(tmp_path / f"counts/{lang}.npy"), counts)
    save_array(str(tmp_path / "out/of_an_older_run.npy"), np.zeros(1))
    (tmp_path / "out/theirs.txt").write_text("stays")
    t = {"de": 15.0, "en": 5.0, "fr": 7.0}
    rows = [dict.fromkeys(THRESHOLDS.names, 0) | {"lang": lang, "t": value} for lang, value in t.items()]
    pq.write_table(pa.Table.from_pylist(rows, THRESHOLDS), tmp_path / "t.parquet")
    part = Part(str(tmp_path), {"id": "of t", "files": [{"path": "t.parquet"}]})
    write_probabilities(CountFiles(str(tmp_path / "counts")), part, str(tmp_path / "out"))
    names = ["de.npy", "en.npy", "fr.npy", "theirs.txt", "thresholds.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert json.loads((tmp_path / "out/thresholds.json").read_text()) == {"id": "of t", "t": t}
    found = np.load(tmp_path / "out/de.npy", mmap_mode="r")
    assert found.dtype == np.float32
    assert found.tolist() == entry_probabilities(COUNTS["de"], 15.0).astype(np.float32).tolist()


def test_where_nothing_matches_no_reference_language_is_asked_for() -> None:
    with pytest.raises(HeadtailError, match=r"no text matches an entry in any language: see entry_lists"):
        Distributions([], lambda _: np.zeros(0)).reference("en")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"t": 5.0}, "t=5, 3 languages"),
        ({"t": 5.0, "headroom": 0.5}, "t=5, first pass t=10 for en, 3 languages"),
        ({"tail_share": 0.1}, "tail_share=0.1, t=4 for en, 3 languages"),
        ({"tail_share": 0.1, "headroom": 0.5}, "tail_share=0.1, first pass t=4 for en, 3 languages"),
    ],
    ids=["t", "t and headroom", "share", "share and headroom"],
)
def test_the_line_of_the_stage_tells_t_once(changes: dict[str, float], told: str) -> None:
    goal = balance_goal(**changes)
    assert goal.describe(goal.thresholds(_distributions())) == told
