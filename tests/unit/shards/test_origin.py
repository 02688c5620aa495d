"""A set of shards knows what it was made from, and is replaced by what it would grow into."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.storage import write_json
from curation.core.tables import Table
from curation.shards.origin import Origin
from curation.shards.shard_set import STAGE, ShardSet

MADE = {"extract_pairs": {"max_chars": None}, "match_pairs": {"languages": []}, "balance_pairs": {"t": 20.0, "seed": 0}}
TIME = 1_767_600_000  # 5 January 2026


def make(folder: Path, crawls: int = 1, **changed: Any) -> Part:
    """The tables of a run over some crawls, up to the lists, which are returned; `changed` are settings of stages."""
    made = {stage: settings | changed.get(stage, {}) for stage, settings in MADE.items()}
    pairs = [
        write(folder / "pairs", k, Recipe("extract_pairs", 1, made["extract_pairs"], [{"path": f"/in/{k}"}]))
        for k in range(crawls)
    ]
    matches = write(folder / "matches", 0, Recipe("match_pairs", 1, made["match_pairs"], [p.input() for p in pairs]))
    curated = write(folder / "curated", 0, Recipe("balance_pairs", 1, made["balance_pairs"], [matches.input()]))
    return write(folder / "lists", 0, Recipe("plan_lists", 1, {"count": crawls, "seed": 0}, [curated.input()]))


def write(table: Path, number: int, recipe: Recipe) -> Part:
    return Table(str(table)).commit(number, recipe, [Receipt("a")], 0)


def shard_recipe(lists: Part, generations: int = 1, **changed: Any) -> Recipe:
    downloads = [{"path": f"/d/{k}", "id": str(k)} for k in range(generations)]
    return Recipe(STAGE, changed.pop("logic", 1), {"filter": ""} | changed, [lists.input(), *downloads])


def finish(folder: Path, recipe: Recipe, **facts: Any) -> ShardSet:
    shards = ShardSet(str(folder / "shards"))
    rows = {"path": "00000.parquet", "tar": "00000.tar", "rows": 1200, "bytes": 5}
    shards.commit(0, recipe, [Receipt(STAGE, 1200, 1200, outputs=[rows])], 0, **facts)
    os.utime(folder / "shards/_manifest.json", (TIME, TIME))
    return shards


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lists = make(tmp_path)
    finish(tmp_path, shard_recipe(lists), origin=Origin.of_tables(lists, []).to_json())
    return tmp_path


def replace(run: Path, recipe: Recipe, lists: Part) -> None:
    shards = ShardSet(str(run / "shards"))
    (part,) = shards.parts()
    shards.refuse_to_replace(recipe, Origin.of_tables(lists, []), Origin.of_set(part, lists, []))


@pytest.mark.parametrize(
    ("stages", "own", "told"),
    [
        pytest.param({}, {"filter": "width > 9"}, "filter was '', is width > 9", id="filter"),
        pytest.param({}, {"removals": [{"path": "/r", "size": 1}]}, "removals was not given, is ['/r']", id="list"),
        pytest.param({}, {"logic": 2}, "logic_version was 1, is 2 (another version of headtail)", id="version"),
        pytest.param({"balance_pairs": {"seed": 1}}, {}, "balance_pairs: seed was 0, is 1", id="seed"),
        pytest.param({"balance_pairs": {"t": 5.0}}, {}, "balance_pairs: balance.t was 20.0, is 5.0", id="threshold"),
        pytest.param({"match_pairs": {"languages": ["en"]}}, {}, "match_pairs: languages was [], is ['en']", id="lang"),
        pytest.param(
            {"extract_pairs": {"max_chars": 9}}, {},
            "extract_pairs: max_chars was not given, is 9; 1 of its 1 part of pairs is replaced or gone", id="pairs",
        ),
        pytest.param({}, {"generations": 0}, "images were fetched again since", id="downloads"),
    ],
)  # fmt: skip
def test_another_set_does_not_replace_it(run: Path, stages: dict, own: dict, told: str) -> None:
    lists = make(run, **stages)
    with pytest.raises(HeadtailError) as error:
        replace(run, shard_recipe(lists, **own), lists)
    assert str(error.value) == (
        f"{run}/shards holds 1,200 samples in 1 shard, written 2026-01-05, and this call would replace them by others "
        f"({told}): set overwrite=true to replace them, or another path for shards"
    )


def test_a_set_grows_by_crawls_and_downloads(run: Path) -> None:
    lists = make(run, crawls=3)
    replace(run, shard_recipe(lists, generations=2), lists)
    fewer = make(run, crawls=1)
    replace(run, shard_recipe(fewer), fewer)


def test_a_set_that_shrinks_is_another(tmp_path: Path) -> None:
    lists = make(tmp_path, crawls=3)
    finish(tmp_path, shard_recipe(lists), origin=Origin.of_tables(lists, []).to_json())
    fewer = make(tmp_path, crawls=1)
    with pytest.raises(HeadtailError, match="2 of its 3 parts of pairs are replaced or gone"):
        replace(tmp_path, shard_recipe(fewer), fewer)


def test_an_older_set_is_known_by_its_tables_while_they_are_there(tmp_path: Path) -> None:
    lists = make(tmp_path)
    finish(tmp_path, shard_recipe(lists))
    with pytest.raises(HeadtailError, match=r"\(filter was '', is x\)"):
        replace(tmp_path, shard_recipe(lists, filter="x"), lists)
    more = make(tmp_path, crawls=2)
    with pytest.raises(HeadtailError, match="an older version of headtail made it from other lists"):
        replace(tmp_path, shard_recipe(more), more)


@pytest.mark.parametrize("older", [False, True], ids=["of today", "with folders, as older versions wrote them"])
def test_a_manifest_names_no_folder_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    hosts = {"extract_pairs": {"block_hosts": ["/home/me/ads.txt"]}}
    lists = make(tmp_path, **hosts)

    def recipe(path: str = "/home/me/c.parquet", size: int = 1) -> Recipe:
        return shard_recipe(lists, captions={"a": [{"path": path, "size": size, "version": "7"}]}, removals=["0" * 24])

    origin = Origin.of_tables(lists, []).to_json()
    if older:
        monkeypatch.setattr(ShardSet, "written", Table.written)
        monkeypatch.setattr("curation.shards.origin.without_folders", lambda value: value)
        origin = Origin.of_tables(lists, []).to_json()
    shards = finish(tmp_path, recipe(), origin=origin)
    monkeypatch.undo()
    manifest = (tmp_path / "shards/_manifest.json").read_text()
    assert ("/home" in manifest, str(tmp_path) in manifest) == (older, older)
    assert shards.done(recipe())
    replace(tmp_path, recipe(), lists)
    with pytest.raises(HeadtailError, match=r"\(files of captions.a have changed\)"):
        replace(tmp_path, recipe(size=2), lists)
    with pytest.raises(HeadtailError, match=r"\(captions.a was \['.*c.parquet'\], is \['/home/me/d.parquet'\]\)"):
        replace(tmp_path, recipe("/home/me/d.parquet"), lists)
    if not older:
        with pytest.raises(HeadtailError, match=r"\(files in its settings lie elsewhere\)"):
            replace(tmp_path, recipe("/home/you/c.parquet"), lists)


def test_a_moved_run_finds_its_tables(tmp_path: Path) -> None:
    made = make(tmp_path / "a")
    before = Origin.of_tables(made, [])
    (tmp_path / "a").rename(tmp_path / "b")
    (moved,) = Table(f"{tmp_path}/b/lists").parts()
    assert Origin.of_tables(moved, []) == before
    assert set(before.stages) == set(MADE)


def test_no_set_is_replaced_by_an_empty_one(run: Path) -> None:
    shards = ShardSet(str(run / "shards"))
    write_json(f"{run}/shards/.work-1/a.json", {})
    shards.refuse_to_empty(Receipt("a", 5, 5), f"{run}/shards/.work-1")
    told = (
        r"holds 1,200 samples .* and they stay, .* by none \(5 rows in, 0 out, 5 dropped \(filter 5\)\): check filter"
    )
    with pytest.raises(HeadtailError, match=told):
        shards.refuse_to_empty(Receipt("a", 5, 0, Counter(filter=5)), f"{run}/shards/.work-1")
    assert not (run / "shards/.work-1").exists()
    assert shards.parts()


def test_a_set_that_is_not_finished_is_replaced(run: Path) -> None:
    ShardSet(str(run / "shards")).retract()
    ShardSet(str(run / "shards")).refuse_to_replace(shard_recipe(make(run), filter="x"), Origin({}), None)
