"""Shards that consume the downloads: the same bytes, also after a stop, and no image is deleted that is needed."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.images.downloads import Downloads
from curation.images.ranges import Ranges
from curation.shards import consume
from curation.shards.consume import (
    ConsumingTask,
    check_images_left,
    plan_consuming,
    tars_of,
    write_and_consume,
    write_set,
)
from curation.shards.shard_set import ShardSet
from curation.shards.steps import SelectionSteps
from curation.shards.write import ShardSize, plan_shard_tasks
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import NEWEST_FORM, URLS, bodies, make_shards, select, stored

SIZES = pytest.mark.parametrize(
    ("ranges", "generations", "size"),
    [
        pytest.param(4, 1, 8, id="a shard of several files"),
        pytest.param(2, 3, 6, id="generations"),
        pytest.param(1, 1, 5, id="a file of many shards"),
        pytest.param(4, 2, 100, id="one shard"),
    ],
)
Kept = Callable[[int, int, int], dict[str, str]]


def few() -> tuple[list[dict], dict[str, bytes | str]]:
    """The rows of 20 images, and their bodies."""
    return curated_rows(URLS[:20]), bodies(20)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """The digests of shards from downloads that are kept, by ranges, generations and size; made once."""

    @functools.cache
    def make(ranges: int, generations: int, size: int) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("kept")
        downloads, lists = stored(folder, *few(), Ranges(ranges, 0), generations)
        make_shards(folder, downloads, lists, Ranges(ranges, 0), size)
        return digests(folder)

    return make


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("shards/*.tar")}


def images_left(folder: Path) -> set[str]:
    return {str(path) for path in folder.glob("downloads/part-*/*.tar")}


def recipe_of(downloads: Downloads, size: int) -> Recipe:
    return Recipe("write_shards", 1, {"size": size}, downloads.inputs())


def consume_shards(folder: Path, lists: Part, ranges: Ranges, size: int, stop_after: int = -1) -> Part:
    """What the job does with keep_downloads=false; KeyboardInterrupt after so many tasks."""
    downloads, shards = Downloads(f"{folder}/downloads"), ShardSet(f"{folder}/shards")
    recipe = recipe_of(downloads, size)
    downloads.check_images(recipe.id)
    status = downloads.status_files(ranges)
    steps = SelectionSteps(ranges, lists.path, shards.work_folder(recipe), status)
    selection = select(steps)
    tasks = plan_shard_tasks(shards.path, steps, lists.path, selection, ShardSize(size, 1 << 30), NEWEST_FORM)
    check_images_left(tasks, downloads)
    shards.retract()

    def run(write: Callable[[ConsumingTask], Receipt], consuming: Sequence[ConsumingTask]) -> list[Receipt]:
        receipts = []
        for number, task in enumerate(consuming):
            if number == stop_after:
                raise KeyboardInterrupt
            receipts.append(write(task).check())
            needed = {tar for task in tasks if not Path(task.receipt).exists() for tar in tars_of(task)}
            read = {tar for task in tasks for tar in tars_of(task)}
            assert images_left(folder) & read == needed, "exactly what unwritten shards need is left"
        return receipts

    receipts = write_set(run, tasks, downloads, recipe.id, keep_downloads=False)
    return shards.publish(recipe, steps.work, receipts, selection, 0)


@SIZES
def test_the_bytes_are_those_of_kept_downloads_and_the_images_are_gone(
    tmp_path: Path, kept: Kept, ranges: int, generations: int, size: int
) -> None:
    downloads, lists = stored(tmp_path, *few(), Ranges(ranges, 0), generations)
    before = downloads.inputs()
    part = consume_shards(tmp_path, lists, Ranges(ranges, 0), size)
    assert digests(tmp_path) == kept(ranges, generations, size)
    assert images_left(tmp_path) == set()
    assert list(tmp_path.glob("downloads/part-*/*.parquet")), "the status stays"
    assert downloads.inputs() == before
    assert ShardSet(f"{tmp_path}/shards").done(recipe_of(downloads, size)).id == part.id


@SIZES
def test_a_stopped_run_goes_on_with_what_is_left(
    tmp_path: Path, kept: Kept, ranges: int, generations: int, size: int
) -> None:
    _, lists = stored(tmp_path, *few(), Ranges(ranges, 0), generations)
    wanted = kept(ranges, generations, size)
    for stop_after in range(len(wanted)):
        with pytest.raises(KeyboardInterrupt):
            consume_shards(tmp_path, lists, Ranges(ranges, 0), size, stop_after)
    consume_shards(tmp_path, lists, Ranges(ranges, 0), size)
    assert digests(tmp_path) == wanted


def test_kept_downloads_are_not_consumed(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, *few(), Ranges(1, 0))
    steps = SelectionSteps(Ranges(1, 0), lists.path, f"{tmp_path}/work", downloads.status_files(Ranges(1, 0)))
    size = ShardSize(100, 1 << 30)
    tasks = plan_shard_tasks(f"{tmp_path}/shards", steps, lists.path, select(steps), size, NEWEST_FORM)
    left = images_left(tmp_path)
    receipts = write_set(lambda write, tasks: [write(task) for task in tasks], tasks, downloads, "id", True)
    assert [receipt.rows_out for receipt in receipts] == [20]
    assert images_left(tmp_path) == left
    downloads.check_images()


def test_what_a_killed_task_did_not_delete_is_deleted_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lists = stored(tmp_path, *few(), Ranges(4, 0))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(consume.storage, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        consume_shards(tmp_path, lists, Ranges(4, 0), 100)
    assert len(images_left(tmp_path)) == 4
    monkeypatch.undo()
    consume_shards(tmp_path, lists, Ranges(4, 0), 100)
    assert images_left(tmp_path) == set()


def test_other_shards_are_refused_before_the_receipts_of_the_stopped_ones_are_deleted(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, *few(), Ranges(4, 0))
    with pytest.raises(KeyboardInterrupt):
        consume_shards(tmp_path, lists, Ranges(4, 0), 4, stop_after=3)
    with pytest.raises(HeadtailError, match=r"cleaned on .* by write_shards with keep_downloads=false.*that it had"):
        consume_shards(tmp_path, lists, Ranges(4, 0), 8)
    with pytest.raises(HeadtailError, match="was cleaned"):
        downloads.check_images()
    consume_shards(tmp_path, lists, Ranges(4, 0), 4)
    assert len(digests(tmp_path)) == 5


def test_images_that_are_gone_with_their_shards_are_named_before_a_shard_is_touched(tmp_path: Path) -> None:
    _, lists = stored(tmp_path, *few(), Ranges(4, 0))
    with pytest.raises(KeyboardInterrupt):
        consume_shards(tmp_path, lists, Ranges(4, 0), 4, stop_after=4)
    for path in tmp_path.glob("shards/.work-*/shards/0000[01].json"):
        path.unlink()
    with pytest.raises(HeadtailError, match=r"range-000000\.tar was deleted .*00000\.tar is not written: delete"):
        consume_shards(tmp_path, lists, Ranges(4, 0), 4)


def test_a_file_goes_when_the_last_of_its_shards_is_written_whatever_the_order(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, *few(), Ranges(1, 0))
    shards = ShardSet(f"{tmp_path}/shards")
    steps = SelectionSteps(Ranges(1, 0), lists.path, f"{tmp_path}/work", downloads.status_files(Ranges(1, 0)))
    tasks: list[ConsumingTask] = plan_consuming(
        plan_shard_tasks(shards.path, steps, lists.path, select(steps), ShardSize(4, 1 << 30), NEWEST_FORM)
    )
    for task in (tasks[4], tasks[0], tasks[3], tasks[1], tasks[0]):
        write_and_consume(task)
        assert len(images_left(tmp_path)) == 1
    write_and_consume(tasks[2])
    assert images_left(tmp_path) == set()
