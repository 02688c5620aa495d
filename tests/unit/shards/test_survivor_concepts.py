"""Concepts of survivors, by uid, url and sha256, against loops; what the second balance keeps; what is refused."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.concept_counts import ConceptGoal
from curation.balancing.concept_join import joined_path
from curation.balancing.concept_tables import open_concepts
from curation.balancing.targets import EntryTargets
from curation.core.choices import Combine, Unit
from curation.core.draws import draw
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.images.ranges import Ranges, list_name
from curation.shards import keyed_join
from curation.shards.second_balance import FirstBalance, SecondDraw, draw_images
from curation.shards.second_concepts import SecondConcepts
from curation.shards.steps import SelectionSteps
from curation.shards.survivor_concepts import SurvivorConcepts, join_survivors
from tests.shard_data import curated_rows
from tests.unit.balancing.settings import balance_goal
from tests.unit.shards.test_write import URLS, bodies, selected

RANGES, SEED, T = Ranges(4, 0), 5, 15.0
TARGETS = EntryTargets({"concepts.tags": (np.array([1, 3], np.int32), np.array([0.5, -4.0]))})
"""The weight of tag 1, and the own t of tag 3."""


@dataclass(frozen=True)
class Survivors:
    """Downloaded images, whose rows of `curated` have different keep probabilities, and what names them."""

    folder: Path
    steps: SelectionSteps
    rows: list[dict]
    sha256: dict[str, str]

    def in_order(self) -> list[dict]:
        """Return the rows of `curated` of what is left, range by range."""
        by_uid = {row["uid"]: row for row in self.rows}
        return [by_uid[uid] for number in range(RANGES.count) for uid in self._uids(number)]

    def _uids(self, number: int) -> list[str]:
        return pq.read_table(f"{self.steps.folder('survivors')}/{list_name(number)}")["uid"].to_pylist()

    def lists(self, name: str) -> list[list[int]]:
        """Return the joined concepts, in the order of `in_order`."""
        found: list[list[int]] = []
        for number in range(RANGES.count):
            with pa.OSFile(joined_path(f"{self.steps.folder('concepts')}/joined", list_name(number))) as file:
                found += pa.ipc.open_file(file).read_all()[name].to_pylist()
        return found

    def join(self, tables: dict[str, str], combine: Combine = Combine.product) -> SurvivorConcepts:
        goals = {name: ConceptGoal(T, None) for name in tables}
        concepts = SecondConcepts(tuple(open_concepts(tables, {})), goals, combine)
        first = FirstBalance(Unit.pair, SEED, balance_goal(t=1e9), TARGETS, concepts)
        return join_survivors(self.run, self.steps, first, len(self.in_order()))

    def run(self, function: Callable[[Any], Receipt], tasks: Sequence[Any]) -> list[Receipt]:
        return [function(task).check() for task in tasks]


@pytest.fixture
def survivors(tmp_path: Path) -> Survivors:
    rows, images = curated_rows(URLS), bodies()
    for row in rows:
        p = 0.25 if int(row["uid"], 16) % 3 else 1.0
        row["keep_probability"] = p
        row["texts"] = [text | {"keep_probability": p} for text in row["texts"]]
    images |= dict.fromkeys(URLS[:9], "timeout")
    steps, _, _ = selected(tmp_path, rows, images, RANGES)
    hashes = {url: hashlib.sha256(body).hexdigest() for url, body in images.items() if isinstance(body, bytes)}
    return Survivors(tmp_path, steps, rows, {row["uid"]: hashes.get(row["url"], "e" * 64) for row in rows})


def _write(survivors: Survivors, name: str, key: str, weighted: bool, seed: int) -> tuple[str, dict[str, dict]]:
    """Write concepts of most images and of some that are not there; return the path, and each image's by uid."""
    rng = np.random.default_rng(seed)
    named = [row["uid"] for row in survivors.rows if rng.random() < 0.9]
    given = {uid: rng.integers(0, 5, rng.integers(0, 4)).tolist() for uid in named}
    weights = {uid: (rng.integers(1, 9, len(ids)) / 8).tolist() for uid, ids in given.items()}
    urls = {row["uid"]: row["url"] for row in survivors.rows}
    keys = [{"uid": uid, "url": urls[uid], "sha256": survivors.sha256[uid].upper()}[key] for uid in given]
    stranger = {"uid": "d" * 24, "url": "http://example.org/é", "sha256": "d" * 64}[key]
    columns = {key: [*keys, stranger], "concept_ids": pa.array([*given.values(), [4]], pa.list_(pa.int32()))}
    more = {"weights": [*weights.values(), [1.0]]} if weighted else {}
    table = pa.table(columns | more).take(pa.array(rng.permutation(len(given) + 1)))
    pq.write_table(table, survivors.folder / f"{name}.parquet", row_group_size=20)
    found = {}
    for uid, ids in given.items():
        mine = zip(ids, weights[uid] if weighted else [1.0] * len(ids), strict=True)
        found[uid] = {}
        for one, weight in mine:
            found[uid][one] = max(weight, found[uid].get(one, 0.0))
    return str(survivors.folder / f"{name}.parquet"), found


KINDS = {"colours": ("uid", False), "tags": ("url", True), "faces": ("sha256", False)}


@pytest.mark.parametrize(("keys", "chunk"), [(200_000, 32 << 20), (20, 2000)], ids=["at once", "in pieces"])
def test_survivors_are_drawn_by_concepts_of_any_key(
    keys: int, chunk: int, survivors: Survivors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed_join, "BUCKET_KEYS", keys)
    monkeypatch.setattr(keyed_join, "CHUNK_BYTES", chunk)
    written = {name: _write(survivors, name, *kind, seed) for seed, (name, kind) in enumerate(KINDS.items())}
    joined = survivors.join({name: path for name, (path, _) in written.items()})
    rows = survivors.in_order()
    assert len(rows) == 48
    draws = np.ones(len(rows), bool)
    probabilities = np.ones(len(rows))
    for name, (_, by_uid) in written.items():
        mine = [by_uid.get(row["uid"], {}) for row in rows]
        if not KINDS[name][1]:
            assert survivors.lists(name) == [sorted(each) for each in mine]
        counts = Counter[int]()
        for row, each in zip(rows, mine, strict=True):
            for one, weight in each.items():
                counts[one] += weight / row["keep_probability"]
        found = np.load(f"{survivors.steps.folder('concepts')}/counts/{name}.npy")
        assert found.tolist() == pytest.approx([counts[one] for one in range(5)])
        assert max(counts.values()) > T
        numbers = joined.numbers[name]
        assert (numbers["key"], numbers["t"]) == ("sha256" if name == "faces" else "uid", T)
        assert (numbers["images_with"], numbers["images_without"]) == (sum(map(bool, mine)), mine.count({}))
        left = sum(row["uid"] in by_uid for row in rows)
        assert (numbers["rows"], numbers["rows_without_image"]) == (len(by_uid) + 1, len(by_uid) + 1 - left)
        ts = dict.fromkeys(range(5), T) | ({1: T / 2, 3: 4.0} if name == "tags" else {})
        q = np.array([1 - np.prod([1 - w * min(1, ts[n] / counts[n]) for n, w in each.items()]) for each in mine])
        q = np.where([not each for each in mine], 1.0, q)
        draws &= draw(SEED, f"keep by {name}", pa.array([row["uid"] for row in rows])) < q
        probabilities *= q
    second = SecondDraw(Unit.pair, SEED, {"en": np.zeros(1)}, {"en": 1.0}, concepts=joined.draw)
    receipts = [draw_images(task, RANGES, second).check() for task in survivors.steps.draw()]
    outputs = sorted((output for receipt in receipts for output in receipt.outputs), key=lambda one: one["range"])
    kept = [uid for output in outputs for uid in pq.read_table(output["path"])["uid"].to_pylist()]
    assert kept == [row["uid"] for row, is_kept in zip(rows, draws, strict=True) if is_kept]
    assert 5 < len(kept) < len(rows)
    texts = [pq.read_table(path) for path in (survivors.folder / "work/drawn").iterdir()]
    told = {row["uid"]: row["keep_probability"] for row in pa.concat_tables(texts).to_pylist()}
    wanted = {
        row["uid"]: min(row["keep_probability"], p)
        for row, p, is_kept in zip(rows, probabilities, draws, strict=True)
        if is_kept
    }
    assert told == pytest.approx(wanted)
    assert "rows have the sha256 of no image that is left" in list(joined.lines())[1]


def test_a_row_is_of_an_image_in_either_case_once(survivors: Survivors) -> None:
    known = survivors.sha256[survivors.in_order()[0]["uid"]]
    rows = {"sha256": [known, known.upper()], "concept_ids": [[1], [2]]}
    pq.write_table(pa.table(rows), survivors.folder / "table.parquet")
    with pytest.raises(HeadtailError, match="1 row with the sha256 of an"):
        survivors.join({"faces": str(survivors.folder / "table.parquet")})


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        pytest.param({"uid": ["a" * 22 + "\xff"], "concept_ids": [[1]]}, "be read: Invalid UTF8", id="uid bytes"),
        pytest.param({"sha256": ["a" * 62 + "\xff"], "concept_ids": [[1]]}, "be read: Invalid UTF8", id="bytes"),
        pytest.param({"sha256": ["G" * 64], "concept_ids": [[1]]}, "is no sha256, which has 64 digits", id="no hash"),
        pytest.param({"sha256": [None, "a" * 64], "concept_ids": [[1], [1]]}, "a sha256 is null", id="null"),
        pytest.param({"sha256": ["{0}"] * 2, "concept_ids": [[1], [2]]}, "1 row with the sha256 of an", id="twice"),
        pytest.param({"uid": ["x"], "concept_ids": [[1]]}, "is no uid, which has 24 digits", id="no uid"),
        pytest.param({"sha256": ["b" * 64], "concept_ids": [[1]]}, "no image that is left has a", id="strangers"),
    ],
)  # fmt: skip
def test_rows_that_mean_nothing_are_refused(
    columns: dict[str, list], line: str, survivors: Survivors, request: pytest.FixtureRequest
) -> None:
    known = survivors.sha256[survivors.in_order()[0]["uid"]]
    given = {name: [known if value == "{0}" else value for value in values] for name, values in columns.items()}
    table = pa.table(given)
    for place, name in enumerate(columns):
        if "bytes" in request.node.callspec.id and name != "concept_ids":
            raw = pa.array([value.encode("latin-1") for value in columns[name]])
            table = table.set_column(place, name, pa.StringArray.from_buffers(len(raw), *raw.buffers()[1:]))
    pq.write_table(table, survivors.folder / "table.parquet")
    with pytest.raises(HeadtailError, match=line) as error:
        survivors.join({"faces": str(survivors.folder / "table.parquet")})
    assert str(error.value).startswith("concepts.faces: ")
