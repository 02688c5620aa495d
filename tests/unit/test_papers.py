"""The papers' figures out of our code: the cheap ones, and those of pools in small."""

import json
import math
from itertools import pairwise

import pytest

from tests.benchmarks.pool1 import T
from tests.conftest import ROOT
from tests.evidence import papers
from tests.evidence.paper_lists import bound_words, top_entries
from tests.evidence.paper_pools import Pool, drawn_deviation, forecast_of, make_pool
from tests.evidence.papers import EXACT, entries_table, figures_table, list_figures

SCALE = 10_000
"""Pools of 160,000 texts."""


@pytest.fixture(scope="module")
def pool() -> Pool:
    return make_pool("by chance", SCALE)


def test_the_forecast_of_a_pool_and_its_spread_are_those_of_plain_loops(pool: Pool) -> None:
    t = T / SCALE
    kept = []
    for batch in pool.batches:
        missed = [1 - t / max(count, t) for count in pool.counts["en"][batch.ids].tolist()]
        kept += [1 - math.prod(missed[first:end]) for first, end in pairwise(batch.id_offsets.tolist())]
    found = forecast_of(pool)
    assert found["kept_share"] == pytest.approx(sum(kept) / len(kept))
    variance = sum(p * (1 - p) for p in kept)
    assert found["deviation"] == pytest.approx(math.sqrt(variance * SCALE), rel=1e-6)


def test_keyed_draws_of_many_seeds_spread_as_the_variance_says(pool: Pool) -> None:
    assert 0.75 < drawn_deviation(pool, 40) / forecast_of(pool)["deviation"] < 1.3


def test_pairs_of_words_pass_by_the_rule_scaled_to_the_text() -> None:
    text = " ".join(["the cat sat", *(f"name{number} of{number}" for number in range(50)), *["the cat sat"] * 200])
    found = bound_words([text])
    assert found["words"] == 3 + 100 + 600
    assert found["scaled_limit"] == pytest.approx(30 - math.log2(2_445_526_919 / 703))
    assert found["passing"] == 99, "those of words that stand once"
    assert found["passing_unscaled"] == 0


def test_top_entries_are_counted_once_a_text() -> None:
    texts = ["a dog, a dog", "the dog", "a cat", "The"]
    assert top_entries(texts, ["cat", "dog", "a", "the", "gnu"], 3) == [("dog", 2), ("a", 2), ("cat", 1)]
    told = entries_table({"ours": [("of", 3), ("a|b", 2)]}).splitlines()
    assert told[2] == "| 1 | of 120M | of 3 |"
    assert told[3] == r"| 2 | in 107M | a\|b 2 |"
    assert told[-1] == "|  | in the paper's | 1 of 2 |"


def test_the_page_tells_what_the_code_gives() -> None:
    page = (ROOT / "docs" / "papers.md").read_text("utf-8")
    exact = [each for each in list_figures(None) if each.ours] + papers.totals_figures()
    assert len(exact) == 6
    for line in figures_table(exact).splitlines():
        assert line in page


def test_all_is_told_in_one_object(
    pool: Pool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "make_pool", lambda form, scale: pool)  # noqa: ARG005 both forms, one pool
    monkeypatch.setattr(papers, "SHARED", ROOT / "no such folder")
    monkeypatch.setattr(papers, "DUMP", ROOT / "no such dump")
    papers.main([f"scale={SCALE}", "seeds=3"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["entries"] == {}
    by_name = {each["name"]: each for each in found["figures"]}
    assert by_name["Table 1, pairs of words"]["kind"] == "not to be had"
    assert by_name["Pool 1, kept at t = 20,000"]["ours"] == f"{forecast_of(pool)['kept_share']:.1%}"
    assert {each["kind"] for each in found["figures"]} == {EXACT, "scaled", "not to be had"}


@pytest.mark.parametrize("argument", ["scale=0", "seeds=1", "seeds=many", "data=x"])
def test_a_wrong_argument_is_told(argument: str) -> None:
    with pytest.raises(SystemExit, match=f"{argument}: expected scale= a number from 1 or seeds= a number from 2"):
        papers.main([argument])
