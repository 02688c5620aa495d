"""Near duplicates by embedding: which images stay, against plain loops, whatever the cells, ranges and tasks."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.whole_vectors import Known, whole_vectors
from curation.images.ranges import Ranges
from curation.shards import alike, cells, near_images
from curation.shards.alike import Staying
from curation.shards.cells import CellPlans
from curation.shards.duplicates import drop_duplicates
from curation.shards.near_steps import drop_near_images, prepare_vectors
from curation.shards.score_join import ScoreSettings, join_scores
from curation.shards.scores import open_scores
from curation.shards.steps import UNIQUE
from curation.shards.stored_vectors import from_bytes, to_vectors
from tests.shard_data import curated_rows
from tests.unit.shards.test_score_join import write
from tests.unit.shards.test_write import URLS, bodies, selected

RANGES = Ranges(4, 0)
WIDTH, COSINE = 24, 0.95
HALVES = pa.list_(pa.float16(), WIDTH)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    """Vectors in families: those of a family have cosines around 0.95."""
    draw = np.random.default_rng(seed)
    families = draw.random((count // 6, WIDTH))
    return families[draw.integers(0, len(families), count)] + draw.normal(0, 0.14, (count, WIDTH))


def greedy(values: np.ndarray, cosine: float = COSINE) -> list[int]:
    """The images that stay, the first being the best; -1 or the leader of each."""
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    leaders: list[int] = []
    for row in range(len(unit)):
        near = [other for other in range(row) if leaders[other] < 0 and unit[row] @ unit[other] >= cosine]
        leaders.append(near[0] if near else -1)
    return leaders


@pytest.mark.parametrize("block", [3, 512])
def test_of_similar_images_the_best_stays_as_in_a_plain_loop(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(alike, "BLOCK", block)
    values = vectors(150)
    expected = greedy(values)
    uids = [str(row) for row in range(len(values))]
    found = Staying(COSINE).take(uids, [""] * len(uids), whole_vectors(values)[0])
    assert found == ["" if leader < 0 else uids[leader] for leader in expected]
    assert 30 < found.count("") < 130


def test_an_image_is_not_dropped_for_one_that_is_dropped_itself() -> None:
    angles = np.radians([0, 15, 30, 45])  # neighbours have a cosine of 0.966, the others 0.87 at most
    values = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert Staying(COSINE).take(list("abcd"), [""] * 4, whole_vectors(values)[0]) == ["", "a", "", "c"]


def test_an_image_whose_leader_goes_is_compared_again() -> None:
    angles = np.radians([0, 15, 30, 90])
    values = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    whole = whole_vectors(values)[0]
    # An earlier plan has dropped c and d for b, which falls to a now.
    assert Staying(COSINE).take(list("abcd"), ["", "", "b", "b"], whole) == ["", "a", "", ""]
    assert Staying(COSINE).take(list("abcd"), ["", "", "a", "a"], whole) == ["", "a", "a", "a"]


def test_leaders_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "LEADER_BYTES", 2 * 4 * 2)
    whole = whole_vectors(np.array([[1.0, 0], [0, 1], [-1, 0], [-1, 0], [0, 1]]))[0]
    staying = Staying(COSINE)
    assert staying.take(list("abcde"), [""] * 5, whole) == ["", "", "", "c", "b"]
    assert staying.not_compared == 1
    assert staying.take(["f"], [""], whole[2:3]) == [""]


def test_equal_images_of_another_set_are_neither_searched_nor_held_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "LEADER_BYTES", 2 * 4 * 2)  # two vectors
    monkeypatch.setattr(alike, "BLOCK", 3)
    searched: list[int] = []

    def near(self: Known, vectors: np.ndarray, cosine: float, plain: Any = Known.near) -> Any:
        searched.append(len(vectors))
        return plain(self, vectors, cosine)

    monkeypatch.setattr(Known, "near", near)
    whole = whole_vectors(np.array([[1.0, 0]] * 8 + [[0, 1]]))[0]
    staying = Staying(COSINE)
    assert staying.take([f"*0.{row}" for row in range(9)], [""] * 9, whole, [True] * 9) == [""] * 9
    assert (sum(searched), staying.not_compared) == (0, 0)
    assert staying.take(["a", "b"], ["", ""], whole[[8, 0]], [False] * 2) == ["*0.8", "*0.0"]


class Search:
    """The steps over 57 images, of which the later ones have more pixels, with embeddings of a table of scores."""

    def __init__(self, folder: Path, values: Sequence[Any], ranges: Ranges = RANGES) -> None:
        rows = sorted(curated_rows(URLS), key=lambda row: URLS.index(row["url"]))
        steps, _, _ = selected(folder, rows, bodies(), ranges)
        given = [{"uid": row["uid"], "embedding": value} for row, value in zip(rows, values, strict=False)]
        path = write(folder / "embeddings.parquet", given, embedding=HALVES)
        settings = ScoreSettings(tuple(open_scores([str(path)])), False, "", vectors="embedding")
        plans = CellPlans.of(len(URLS))
        joined = join_scores(run, steps, settings, len(URLS))
        self.known = prepare_vectors(run, steps, joined, "embedding", plans)
        run(partial(drop_duplicates, ranges=ranges), steps.drop(UNIQUE))
        receipts, self.facts = drop_near_images(run, steps, plans, COSINE, len(URLS))
        self.receipt = merge_receipts("near", receipts).check()
        kept = [uid for each in self.receipt.outputs for uid in pq.read_table(each["path"])["uid"].to_pylist()]
        self.kept = [number for number, row in enumerate(rows) if row["uid"] in kept]


def run(function: Any, tasks: Sequence[Any]) -> list[Receipt]:
    return [function(task).check() for task in tasks]


def test_the_steps_keep_the_images_of_a_plain_loop(tmp_path: Path) -> None:
    values = vectors(57).astype(np.float16)
    found = Search(tmp_path, list(values))
    best_first = values[::-1].astype(np.float64)
    expected = [56 - row for row, leader in enumerate(greedy(best_first)) if leader < 0]
    assert found.kept == sorted(expected)
    assert found.receipt.drops == {"near_duplicate": 57 - len(expected)}
    assert 10 < len(expected) < 50
    assert found.facts == {"method": "embedding", "cosine": COSINE, "plans": 1, "compared": 57}


@pytest.mark.parametrize("draws", [1, 2])
def test_cells_find_most_and_depend_neither_on_ranges_nor_on_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draws: int
) -> None:
    monkeypatch.setattr(cells, "CELL_IMAGES", 9)
    monkeypatch.setattr(cells, "MAX_PIVOTS", 1024 if draws == 1 else 2)
    values = vectors(57, seed=3).astype(np.float16)
    kept = []
    for name, ranges, receiver_images, chunk in (("a", RANGES, 1000, 1 << 20), ("b", Ranges(8, 0), 12, 200)):
        monkeypatch.setattr(near_images, "RECEIVER_IMAGES", receiver_images)
        monkeypatch.setattr(near_images, "CHUNK_BYTES", chunk)
        found = Search(tmp_path / name, list(values), ranges)
        assert found.facts["plans"] == cells.PLANS
        kept.append(found.kept)
    assert kept[0] == kept[1]
    unit = values.astype(np.float64) / np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    near = unit @ unit.T >= COSINE - 0.005
    dropped = [image for image in range(57) if image not in kept[0]]
    assert all(near[image, [other for other in kept[0] if other > image]].any() for image in dropped)
    exact = [leader for leader in greedy(unit[::-1]) if leader >= 0]
    assert len(dropped) >= 0.8 * len(exact) > 10


def test_images_without_an_embedding_stay(tmp_path: Path) -> None:
    same = np.ones(WIDTH, np.float16)
    values = [same, None, same * 0, same * np.float16("nan"), same * 2, same]
    found = Search(tmp_path, values)
    assert found.kept == [1, 2, 3, *range(5, 57)]
    assert found.known == {"images_with_embedding": 3, "images_without_embedding": 54}


def test_embeddings_of_several_widths_are_refused() -> None:
    with pytest.raises(HeadtailError, match="embeddings of 1 and of 2 numbers cannot be compared"):
        to_vectors(pa.array([[1.0, 2.0], None, [1.0]], pa.list_(pa.float32())))
    with pytest.raises(HeadtailError, match="of 2 and of 3 numbers"):
        Known(np.ones((2, 2), np.int16)).near(np.ones((1, 3), np.int16), COSINE)
    with pytest.raises(HeadtailError, match="of 2 and of 3 numbers"):
        from_bytes([b"1234", b"123456"])
    with pytest.raises(HeadtailError, match=r"have 16,385 numbers, expected 1 to 16,384"):
        whole_vectors(np.ones((1, 16_385)))
