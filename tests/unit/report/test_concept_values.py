"""The concepts of a balance as the report and `explain` tell them."""

from pathlib import Path

import numpy as np
import pytest

from curation.balancing.concept_counts import add_counts, counts_path, describe_namespace, write_concept_counts
from curation.balancing.counts import save_array
from curation.core.parts import Part
from curation.core.recipes import Recipe
from curation.core.schemas import CONCEPT_COUNTS
from curation.core.tables import Table
from curation.report.concept_values import concept_lines, concept_values, counts_of

SETTINGS = {"concepts": {"colours": []}, "combine": "min"}
BALANCE = Part("curated/part-00000", {"id": "abc", "files": [], "settings": SETTINGS})
BEFORE, AFTER = np.arange(70), np.arange(70) // 3


@pytest.fixture
def counts(tmp_path: Path) -> str:
    for name, values in (("before", BEFORE), ("after", AFTER)):
        save_array(str(tmp_path / name / "colours.npy"), values)
    both = [add_counts([], {}, str(tmp_path / name)) for name in ("before", "after")]
    table = Table(str(tmp_path / "concept_counts"), CONCEPT_COUNTS)
    receipt = write_concept_counts(*both, ["colours"], {}, counts_path(table.begin(0), "abc"))
    numbers = describe_namespace(BEFORE, 50.0, 400, 300, AFTER)
    table.commit(0, Recipe("concept_counts", 1, {"balance": "abc"}), [receipt], 0.0, concepts={"colours": numbers})
    return table.path


def test_the_report_has_each_namespace_and_its_most_frequent_concepts(counts: str) -> None:
    found = concept_values(counts, BALANCE)
    assert found is not None
    (row,) = found["namespaces"]
    assert (found["combine"], row["namespace"], row["t"], row["concepts"]) == ("min", "colours", 50.0, 69)
    assert (row["concepts_from_t"], row["images_with"], row["images_without"]) == (20, 300, 100)
    assert (row["count"], row["kept"]) == (BEFORE.sum(), AFTER.sum())
    assert row["tail_share"] == pytest.approx(BEFORE[:50].sum() / BEFORE.sum())
    assert [one["concept_id"] for one in row["most"]] == list(range(69, 49, -1))
    assert row["most"][0] == {"concept_id": 69, "concept": None, "count": 69, "kept": 23}


def test_explain_names_the_namespaces(counts: str) -> None:
    lines = list(concept_lines(counts, BALANCE))
    assert lines[0].startswith("concepts          colours: t 50, 300 images with one of 69 concepts, 100 without;")
    assert lines[1].startswith("combine           min: ")


def test_counts_of_another_balance_are_not_shown(counts: str) -> None:
    other = Part("curated/part-00000", {**BALANCE.manifest, "id": "def"})
    plain = Part("curated/part-00000", {**BALANCE.manifest, "settings": {}})
    for balance in (other, plain, None):
        assert counts_of(counts, balance) is None
        assert concept_values(counts, balance) is None
        assert list(concept_lines(counts, balance)) == []
