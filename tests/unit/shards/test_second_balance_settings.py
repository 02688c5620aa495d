"""Whether survivors are drawn again, and by what: one set of shards and sets by cluster ask alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig, WriteShardsConfig
from curation.balancing.concept_counts import ConceptGoal
from curation.balancing.targets import EntryTargets, write_targets
from curation.clusters.hierarchy import Hierarchy, write_hierarchy
from curation.core.choices import Combine
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.parts import Part
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.core.whole_vectors import whole_units
from curation.shards.shard_set import ShardSet
from jobs import write_shards
from jobs.concept_settings import state_of
from jobs.shard_settings import recipe_of, second_balance_of

RULE = {"reference": "en", "others": "tail_share", "t_by_language": {}}
BALANCE = {
    "t": 20.0, "tail_share": None, "target_images": None, "headroom": 0.5, "solved_t": None, "rule": RULE,
    "unit": "image", "seed": 0,
}  # fmt: skip
TARGETS = EntryTargets({"en": (np.array([3], np.int32), np.array([-5.0]))})


def lists_in(folder: Path, **balance: Any) -> Part:
    """Write an empty table of lists with the settings of a balance, and its targets."""
    table = Table(str(folder / "lists"))
    write_targets(TARGETS, table.begin(0))
    recipe = Recipe("download_images", 1, {"count": 1, "seed": 0})
    return table.commit(0, recipe, [], 0, balance=BALANCE | balance)


def config(folder: Path, *given: str) -> WriteShardsConfig:
    return compose_config("write_shards", WriteShardsConfig, [f"output={folder}", *given])


def test_survivors_are_drawn_again_with_the_targets_of_the_balance(tmp_path: Path) -> None:
    found = second_balance_of(config(tmp_path), lists_in(tmp_path, targets="a hash"))
    assert found
    assert found.targets
    assert found.targets.values("en", 4).tolist() == [1, 1, 1, -5]
    lists = lists_in(tmp_path, headroom=1.0)
    assert second_balance_of(config(tmp_path), lists) is None
    asked = second_balance_of(config(tmp_path, "second_balance=true"), lists)
    assert asked
    assert asked.targets is None


def table(path: Path, key: str = "uid") -> list[FileInfo]:
    """Write a table of concepts; return its file."""
    pq.write_table(pa.table({key: ["a" * {"uid": 24, "sha256": 64}[key]], "concept_ids": [[1]]}), path)
    return list_files([str(path)])


def test_concepts_of_both_balances_have_the_goals_of_the_first(tmp_path: Path) -> None:
    files = {name: table(tmp_path / f"{name}.parquet", key) for name, key in (("colours", "uid"), ("faces", "sha256"))}
    given = [f"concepts.{name}={found[0].path}" for name, found in files.items()]
    lists = lists_in(
        tmp_path, concepts={"colours": state_of(files["colours"])}, concept_t={"colours": 7.0}, concept_tail_share={},
        combine="min", targets="a hash",
    )  # fmt: skip
    found = second_balance_of(config(tmp_path, *given, "concept_tail_share.faces=0.3"), lists)
    assert found
    assert found.concepts
    assert [(each.name, each.key) for each in found.concepts.tables] == [("colours", "uid"), ("faces", "sha256")]
    assert found.concepts.goals == {"colours": ConceptGoal(7.0, None), "faces": ConceptGoal(None, 0.3)}
    assert found.concepts.combine is Combine.min
    plain = second_balance_of(config(tmp_path, given[1]), lists_in(tmp_path, tail_share=0.0, t=None))
    assert plain
    assert plain.concepts
    assert plain.concepts.goals == {"faces": ConceptGoal(None, 0.0)}
    assert plain.concepts.combine is Combine.product
    shards = ShardSet(str(tmp_path / "shards"))
    settings = [recipe_of(config(tmp_path, *given), shards, again)[1].settings for again in (True, False)]
    assert settings[0].keys() - settings[1].keys() == {"concepts"}


def test_a_chain_gives_both_balances_the_names_of_concepts(tmp_path: Path) -> None:
    (faces,) = table(tmp_path / "faces.parquet", "sha256")
    (tmp_path / "names.txt").write_text("smile\nfrown\n")
    given = [f"output={tmp_path}", "entry_lists=x", "source.paths=[x]", f"concepts.faces={faces.path}"]
    given += [f"concept_names.faces={tmp_path}/names.txt"]
    found = second_balance_of(compose_config("curate", CurateConfig, given), lists_in(tmp_path, targets="a hash"))
    assert found
    assert found.concepts
    assert [each.size for each in found.concepts.tables] == [2]  # a larger id has no name


@pytest.mark.parametrize(
    ("given", "line"),
    [
        pytest.param([], "were balanced with concepts.colours, and the second balance needs", id="none"),
        pytest.param(["concepts.colours={0}/faces.parquet"], "concepts.colours is another table", id="another"),
        pytest.param(
            ["concepts.colours={0}/colours.parquet", "concept_t.colours=5"],
            "concepts.colours is of both",
            id="goal",
        ),
        pytest.param(
            ["concepts.colours={0}/colours.parquet", "concepts.faces={0}/faces.parquet", "second_balance=false"],
            "concepts.faces has no part in the balance before the download",
            id="no second balance",
        ),
    ],
)
def test_other_concepts_than_those_of_the_first_balance_are_refused(
    given: list[str], line: str, tmp_path: Path
) -> None:
    state = state_of(table(tmp_path / "colours.parquet"))
    table(tmp_path / "faces.parquet", "sha256")
    lists = lists_in(
        tmp_path, concepts={"colours": state}, concept_t={}, concept_tail_share={"colours": 0.1}, targets="a hash"
    )
    with pytest.raises(HeadtailError, match=line):
        second_balance_of(config(tmp_path, *(each.format(tmp_path) for each in given)), lists)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["concept_t.a=5"], "concept_t.a needs concepts.a"),
        (["concepts.a=x", "concept_t.a=0"], "concept_t.a must be above 0 images"),
        (
            ["concepts.a=x", "concept_t.a=1", "concept_tail_share.a=0.1"],
            "concept_t.a and concept_tail_share.a are given",
        ),
    ],
    ids=["no table", "t of 0", "two goals"],
)
def test_goals_of_concepts_that_cannot_be_are_refused(given: list[str], line: str, tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match=line):
        config(tmp_path, *given)


@pytest.mark.parametrize("by", ["none", "coarse"])
def test_concepts_of_the_first_balance_are_asked_for_by_any_set(by: str, tmp_path: Path) -> None:
    lists_in(tmp_path, concepts={"colours": {}})
    downloads = Table(str(tmp_path / "downloads"))
    downloads.begin(0)
    downloads.commit(0, Recipe("download_images", 1, {}), [], 0, ranges=1)
    write_hierarchy(f"{tmp_path}/clusters", Hierarchy(whole_units(np.eye(2))[0], (0, 1), (1, 1)), [[], []])
    given = [] if by == "none" else [f"clusters={tmp_path}/clusters"]
    with pytest.raises(HeadtailError, match=r"were balanced with concepts\.colours"):
        write_shards.run(config(tmp_path, f"by={by}", *given))
