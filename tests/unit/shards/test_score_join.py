"""Scores that are joined to candidates: against a loop, for any key, bucket and chunk; for a filter and side-cars."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.removal_lists import read_removals
from curation.core.schemas import SAMPLES
from curation.images.ranges import Ranges
from curation.report.stats import ShardsTask, count_shards
from curation.shards import joined, keyed_join, score_filter, score_join
from curation.shards.check import check_shard, plan_checks
from curation.shards.companions import DealSamplesTask, deal_samples
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.sample_json import SampleForm
from curation.shards.score_filter import iter_scored, plan_filter
from curation.shards.score_join import ScoreSettings, join_scores
from curation.shards.scores import open_scores
from curation.shards.shard_set import ShardSet
from curation.shards.write import ShardSize, plan_shard_tasks, write_shard
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, selected

COUNT = 24


class Images:
    """Candidates of four ranges, and what is joined with them."""

    def __init__(self, folder: Path) -> None:
        rows, self.folder = curated_rows(URLS[:COUNT]), folder
        self.steps, self.lists, self.selection = selected(folder, rows, bodies(COUNT), Ranges(4, 0))
        paths = sorted((folder / "work/candidates").glob("*"))
        self.rows = [row for path in paths for row in pq.read_table(path).to_pylist()]

    def join(self, paths: Sequence[Path], expression: str = "", in_sidecars: bool = True) -> score_join.JoinedScores:
        shutil.rmtree(self.steps.folder("scores"), ignore_errors=True)  # a work folder is of one recipe
        settings = ScoreSettings(tuple(open_scores(map(str, paths))), in_sidecars, expression)
        return join_scores(self.run, self.steps, settings, len(self.rows))

    def run(self, function: Any, tasks: Sequence[Any]) -> list[Receipt]:
        return [function(task).check() for task in tasks]

    def filtered(self, paths: Sequence[Path], expression: str) -> list[dict]:
        """What a filter gets."""
        tasks = plan_filter(self.join(paths, expression, in_sidecars=False), expression)
        return [row for task in tasks for batch in iter_scored(task) for row in batch.to_pylist()]

    def scored(self) -> list[dict]:
        """The scores of the candidates, for side-cars."""
        paths = sorted((self.folder / "work/scored").glob("*"))
        return [row for path in paths for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path)


def write(path: Path, rows: list[dict], **types: pa.DataType) -> Path:
    names = list(rows[0])
    columns = [pa.array([row[name] for row in rows], types.get(name)) for name in names]
    pq.write_table(pa.table(columns, names), path, row_group_size=7)
    return path


def made(images: Images, key: str, column: str, seed: int) -> list[dict]:
    """Rows of some images, several of some, of no image and of no key, in no order."""
    draw = random.Random(seed)
    rows = [
        {key: image[key], column: draw.choice((None, draw.random()))}
        for image in images.rows
        for _ in range(draw.choice((0, 1, 1, 1, 3)))
    ]
    rows += [{key: {"uid": "e" * 24, "sha256": "e" * 64, "url": "https://example.org/e"}[key], column: 0.5}] * 2
    rows.append({key: None, column: 0.5})
    draw.shuffle(rows)
    return rows


@pytest.mark.parametrize("keys", [("uid", "sha256"), ("url", "url")], ids=" and ".join)
def test_a_filter_gets_each_row_of_an_image_and_a_side_car_the_first(
    images: Images, tmp_path: Path, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        name: made(images, key, name, seed) for seed, (name, key) in enumerate(zip(("b", "order"), keys, strict=True))
    }
    paths = [write(tmp_path / f"{name}.parquet", rows) for name, rows in given.items()]
    expected = [
        {"uid": image["uid"], "order": one, "b": other}
        for image in images.rows
        for one in [row["order"] for row in given["order"] if row[keys[1]] == image[keys[1]]] or [None]
        for other in [row["b"] for row in given["b"] if row[keys[0]] == image[keys[0]]] or [None]
    ]

    def order(row: dict) -> tuple:
        return (row["uid"], *(-1 if row[name] is None else row[name] for name in ("order", "b")))

    found = images.filtered(paths, "order > 0.1 or b > 0.2")
    assert sorted(found, key=order) == sorted(expected, key=order)
    counts = images.join(paths).counts
    first = images.scored()
    assert len(first) == COUNT
    allowed = {(row["uid"], row["order"], row["b"]) for row in expected}
    assert {(image["uid"], row["order"], row["b"]) for image, row in zip(images.rows, first, strict=True)} <= allowed
    for mine, (name, rows), key in zip(counts, given.items(), keys, strict=True):
        with_one = len({row[key] for row in rows} & {image[key] for image in images.rows})
        assert (mine["key"], mine["columns"], mine["rows"], mine["faulty_rows"]) == (key, [name], len(rows), 1)
        assert (mine["fits_no_image"], mine["joined"], mine["same_key"]) == (2, with_one, len(rows) - 3 - with_one)
        assert (mine["images_with"], mine["images_without"]) == (with_one, COUNT - with_one)
    for name in ("CHUNK_BYTES", "BUCKET_KEYS"):
        monkeypatch.setattr(keyed_join, name, 600)
    monkeypatch.setattr(joined, "DIRECT", 1)
    monkeypatch.setattr(score_filter, "EXPANDED_ROWS", 2)
    monkeypatch.setattr(score_join, "BATCH_ROWS", 3)
    shuffled = [write(path, random.Random(5).sample(given[path.stem], len(given[path.stem]))) for path in paths]
    assert images.join(shuffled).counts == counts
    assert images.scored() == first
    assert sorted(images.filtered(shuffled, "order > 0.1 or b > 0.2"), key=order) == sorted(expected, key=order)


def test_a_filter_reads_only_what_it_names(images: Images, tmp_path: Path) -> None:
    uids = [image["uid"] for image in images.rows]
    path = write(tmp_path / "s.parquet", [{"uid": uid, "clip": 0.5, "vector": [1.0] * 9} for uid in uids])
    other = write(tmp_path / "t.parquet", [{"uid": uid, "nsfw": 0.5} for uid in uids])
    assert set(images.filtered([path, other], "CLIP > 0.3 and lang = 'en'")[0]) == {"uid", "clip", "lang"}
    assert set(images.filtered([path, other], "width > 3")[0]) == {"uid", "width"}
    assert not (tmp_path / "work/scored").exists()


def test_the_order_of_tables_is_that_of_their_files(images: Images, tmp_path: Path) -> None:
    """The recipe of a set does not tell in which order a user names them."""
    paths = [write(tmp_path / f"{name}.parquet", [{"uid": images.rows[0]["uid"], name: 1}]) for name in "ab"]
    assert images.join(paths[::-1]).counts == images.join(paths).counts
    assert list(images.scored()[0]) == ["a", "b"]


def test_scores_have_types_that_spark_knows(images: Images, tmp_path: Path) -> None:
    uid = images.rows[0]["uid"]
    types = {"a": pa.uint64(), "b": pa.timestamp("ns", "CET"), "c": pa.list_(pa.string()), "d": pa.float16()}
    types |= {"e": pa.dictionary(pa.int8(), pa.string()), "f": pa.struct([("x", pa.string())])}
    row = {"uid": uid, "a": 1 << 63, "b": 1_000, "c": ["x", "y"], "d": np.float16(0.5), "e": "z", "f": {"x": "w"}}
    images.join([write(tmp_path / "s.parquet", [row], **types)])
    found = pq.read_table(next((tmp_path / "work/scored").glob("*")))
    stored_types = {name: str(kind) for name, kind in zip(found.schema.names, found.schema.types, strict=True)}
    assert stored_types == {
        "a": "decimal128(20, 0)", "b": "timestamp[us, tz=UTC]", "c": "list<element: string>", "d": "float",
        "e": "string", "f": "struct<x: string>",
    }  # fmt: skip
    assert [int(each["a"]) for each in images.scored() if each["a"]] == [1 << 63]
    assert [each["c"] for each in images.scored() if each["c"]] == [["x", "y"]]


def test_rows_of_one_image_are_bounded(images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"uid": images.rows[3]["uid"], "a": number} for number in range(9)]
    path = write(tmp_path / "s.parquet", rows)
    other = write(tmp_path / "t.parquet", [{"uid": row["uid"], "b": row["a"]} for row in rows])
    assert len(images.filtered([path], "a > 1")) == COUNT + 8
    monkeypatch.setattr(score_join, "MAX_ROWS", 8)
    with pytest.raises(HeadtailError, match="an image has more than 8 rows"):
        images.filtered([path], "a > 1")
    monkeypatch.undo()
    monkeypatch.setattr(score_filter, "MAX_COMBINATIONS", 80)
    with pytest.raises(HeadtailError, match="make 81 combinations, more than 80"):
        images.filtered([path, other], "a > b")


def test_a_file_without_the_key_or_with_another_type_is_named(images: Images, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number in range(17):
        write(tmp_path / f"s/{number:02d}.parquet", [{"uid": "a", "clip": 0.5}])
    for row in ({"id": "a", "clip": 0.5}, {"uid": "a", "clip": "high"}):
        write(tmp_path / "s/16.parquet", [row])
        with pytest.raises(HeadtailError, match=r"scores: .*16\.parquet cannot be joined: "):
            images.join([tmp_path / "s"])


def test_side_cars_with_scores_are_read_as_others(images: Images, tmp_path: Path) -> None:
    rows = [{"sha256": image["sha256"], "clip": float(number)} for number, image in enumerate(images.rows)]
    images.join([write(tmp_path / "s.parquet", rows[1:])])
    shards = ShardSet(f"{tmp_path}/shards")
    size = ShardSize(9, 1 << 30)
    tasks = plan_shard_tasks(shards.path, images.steps, images.lists.path, images.selection, size, SampleForm(2), True)
    receipts = [write_shard(task).check() for task in tasks]
    recipe = Recipe("write_shards", 1, {})
    part = shards.publish(recipe, f"{tmp_path}/none", receipts, images.selection, 0, score_columns=["clip"])
    table = pa.concat_tables(pq.read_table(path) for path in part.files)
    assert table.schema.names == [*SAMPLES.names, "clip"]
    expected = {image["uid"]: float(number) or None for number, image in enumerate(images.rows)}
    assert dict(zip(table["uid"].to_pylist(), table["clip"].to_pylist(), strict=True)) == expected
    deal_samples(DealSamplesTask(part.files[0], 0, f"{tmp_path}/dealt", 2))
    assert count_shards(ShardsTask("shards", part.files, ("clip",)), seed=0).rows_in == COUNT
    checks, problems = plan_checks(part.path)
    assert not [*problems, *(failure for task in checks for failure in check_shard(task).failures)]
    gone = table["uid"][0].as_py()
    for task in plan_removing(part):
        remove_from_shard(task, read_removals((gone,)))
    left = pa.concat_tables(pq.read_table(path) for path in part.files)
    assert dict(zip(left["uid"].to_pylist(), left["clip"].to_pylist(), strict=True)) == {
        uid: score for uid, score in expected.items() if uid != gone
    }
