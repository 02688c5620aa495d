"""clean deletes what is used up, marks it, and touches nothing else."""

import shutil
from pathlib import Path

import pytest

from curation.core import storage
from curation.core.amounts import byte_size
from curation.core.choices import Cleanable
from curation.core.cleaned import CLEANED
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import ENTRY_COUNTS, LISTS
from curation.core.table_reader import check_file
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards.clean import LOST, CleanPlan, deletable
from curation.shards.shard_set import ShardSet
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, make_shards, stored

TABLES = ("pairs", "matches", "curated", "lists", "downloads", "shards")


def paths(folder: Path) -> dict[str, str]:
    return {name: f"{folder}/{name}" for name in TABLES}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with curated, lists, downloads and shards; not to be written to."""
    folder = tmp_path_factory.mktemp("run")
    downloads, lists = stored(folder, curated_rows(URLS[:20]), bodies(15), Ranges(2, 0), generations=2)
    make_shards(folder, downloads, lists, Ranges(2, 0))
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(made, tmp_path, copy_function=shutil.copyfile, dirs_exist_ok=True))


def test_images_go_and_their_status_stays_and_shards_are_as_they_were(run: Path) -> None:
    (run / "downloads/part-00000/notes.tar").write_text("a user's own")
    before, inputs = files(run), Downloads(f"{run}/downloads").inputs()
    plan = CleanPlan.make(Cleanable.downloads, paths(run))
    gone = {name for name in before if name.startswith("downloads/") and "range-" in name and name.endswith(".tar")}
    assert (plan.count, plan.bytes) == (len(gone), sum(len(before[name]) for name in gone))
    assert f"{plan.count} files, {byte_size(plan.bytes)}" in plan.describe()
    assert "larger t" in plan.describe()
    plan.clean()
    after = files(run)
    assert set(before) - set(after) == gone
    assert len(gone) == 4
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"downloads/part-00000/_manifest.json", "downloads/part-00001/_manifest.json"}
    assert Downloads(f"{run}/downloads").inputs() == inputs, "what was made of them stays finished"
    with pytest.raises(
        HeadtailError, match=r"part-00000 was cleaned on \d{4}-\d\d-\d\d by clean.* run download_images"
    ):
        Downloads(f"{run}/downloads").check_images("any recipe")
    assert CleanPlan.make(Cleanable.downloads, paths(run)).count == 0


def test_a_stopped_cleaning_is_repeated(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curation.shards.clean.storage.remove_files", stopped)
    with pytest.raises(KeyboardInterrupt):
        CleanPlan.make(Cleanable.downloads, paths(run)).clean()
    monkeypatch.undo()
    assert Downloads(f"{run}/downloads").parts()[0].cleaned
    CleanPlan.make(Cleanable.downloads, paths(run)).clean()
    assert not list(run.glob("downloads/part-*/range-*.tar"))


@pytest.mark.parametrize("name", [Cleanable.downloads, Cleanable.lists], ids=str)
def test_what_no_finished_shards_were_made_from_is_kept(run: Path, name: Cleanable) -> None:
    (run / "shards/_manifest.json").unlink()
    with pytest.raises(HeadtailError, match=f"{name}/part-00000 is still needed: .*shards holds no finished table"):
        CleanPlan.make(name, paths(run))


def test_of_sets_by_cluster_one_is_to_be_named(run: Path) -> None:
    for number in (0, 2, 10):
        shutil.copytree(run / "shards", run / f"experts/coarse-{number}")
    by_cluster = paths(run) | {"shards": f"{run}/experts"}
    with pytest.raises(HeadtailError, match=r"experts holds sets by cluster .*, shards=.*experts/coarse-10$"):
        CleanPlan.make(Cleanable.downloads, by_cluster)
    assert CleanPlan.make(Cleanable.downloads, by_cluster | {"shards": f"{run}/experts/coarse-10"}).count == 4


def test_a_generation_that_came_after_the_shards_is_kept(run: Path) -> None:
    downloads = Downloads(f"{run}/downloads")
    recipe = Recipe("download_images", 1, {}, [])
    downloads.end_generation(downloads.begin_generation(recipe, Ranges(2, 0)), recipe, Ranges(2, 0), [], 0)
    with pytest.raises(HeadtailError, match="part-00002 is still needed"):
        CleanPlan.make(Cleanable.downloads, paths(run))


def test_a_table_that_is_not_there_is_named(run: Path) -> None:
    with pytest.raises(HeadtailError, match="matches holds no complete table: there is nothing to clean"):
        CleanPlan.make(Cleanable.matches, paths(run))


def test_rows_go_and_jobs_that_need_them_say_so(run: Path) -> None:
    (lists,) = Table(f"{run}/lists").parts()
    used = [lists.input(), *Downloads(f"{run}/downloads").inputs()]
    ShardSet(f"{run}/shards").commit(0, Recipe("write_shards", 1, {}, used), [], 0)
    CleanPlan.make(Cleanable.lists, paths(run)).clean()
    table = Table(f"{run}/lists", LISTS)
    (part,) = table.require("download_images")
    assert part.cleaned["columns"] == LISTS.names
    assert not any(storage.exists(file) for file in part.files)
    with pytest.raises(HeadtailError, match=r"lists/part-00000 was cleaned on .* delete .*/lists and run plan_lists"):
        check_file(part.files[0], LISTS)


def test_examples_of_dropped_candidates_go_with_the_pairs() -> None:
    part = Part("/run/pairs/part-00000", {"files": [{"path": "00007.parquet"}]})
    names = [file.rpartition("/")[2] for file in deletable(Cleanable.pairs, part)]
    assert names == ["00007.parquet", "_dropped-00007.json"]
    assert deletable(Cleanable.matches, part) == part.files


def test_a_file_that_is_missing_for_another_reason_is_no_cleaned_one(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    table.commit(0, Recipe("count_entries", 1, {}), [Receipt("a")], 0)
    with pytest.raises(FileNotFoundError):
        check_file(f"{table.part_path(0)}/00000.parquet", ENTRY_COUNTS)


def test_the_fingerprint_of_a_part_does_not_know_that_it_was_cleaned() -> None:
    manifest = {"id": "1", "files": [], "rows_out": 3}
    note = {"date": "2026-01-31", "by": "clean", "recipe": "", "columns": []}
    assert Part("/a", {**manifest, CLEANED: note}).outcome() == Part("/a", manifest).outcome()
    assert Part("/a", manifest | {"rows_out": 2}).outcome() != Part("/a", manifest).outcome()


def test_each_table_says_what_it_was_good_for() -> None:
    assert set(LOST) == set(Cleanable)
