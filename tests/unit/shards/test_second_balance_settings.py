"""Whether survivors are drawn again, and by what: one set of shards and sets by cluster ask alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.compose import compose_config
from conf.schema.jobs import WriteShardsConfig
from curation.balancing.targets import EntryTargets, write_targets
from curation.clusters.hierarchy import Hierarchy, write_hierarchy
from curation.clusters.whole_numbers import whole_units
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.tables import Part, Table
from jobs import write_shards
from jobs.shard_settings import second_balance_of

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


@pytest.mark.parametrize("by", ["none", "coarse"])
def test_a_balance_with_concepts_is_not_done_again_for_any_set(by: str, tmp_path: Path) -> None:
    lists_in(tmp_path, concepts={"colours": []})
    downloads = Table(str(tmp_path / "downloads"))
    downloads.begin(0)
    downloads.commit(0, Recipe("download_images", 1, {}), [], 0, ranges=1)
    write_hierarchy(f"{tmp_path}/clusters", Hierarchy(whole_units(np.eye(2))[0], (0, 1), (1, 1)), [[], []])
    given = [] if by == "none" else [f"clusters={tmp_path}/clusters"]
    with pytest.raises(HeadtailError, match="second_balance=true knows no concepts"):
        write_shards.run(config(tmp_path, f"by={by}", *given))
