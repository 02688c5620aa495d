"""Concept tables joined with images against a dict, whatever buckets, files and order; counts; what is refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing import concept_rows
from curation.balancing.balance import BalanceSettings, balance_bucket, plan_balancing, text_probabilities
from curation.balancing.concept_counts import (
    ConceptGoal,
    add_counts,
    describe_namespace,
    rename_concepts,
    target_values,
    write_concept_counts,
)
from curation.balancing.concept_join import join_concepts, joined_path, plan_joining, uids_by_range
from curation.balancing.concept_rows import UidRanges, deal_concepts, measure_concepts, plan_dealing, plan_measuring
from curation.balancing.concept_tables import open_concepts, read_concepts, read_names
from curation.balancing.concepts import ConceptDraw
from curation.balancing.counts import CountArrays, CountFiles, save_array
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.packed_uids import PackedUids, find_rows, pack_uids
from curation.balancing.targets import EntryTargets
from curation.core.choices import Combine, Unit
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CONCEPT_COUNTS, CURATED, MATCHES
from curation.core.table_reader import foreign_schema, read_rows
from curation.core.uids import uid_of
from curation.matching.buckets import buckets_of
from tests.matches_data import Image, make_images, to_batch, write_matches

ROWS = make_images(500, seed=31)
"""Images of `matches`."""


def _concepts(seed: int, rows: Sequence[Image] = ROWS) -> dict[str, list[int]]:
    """Return concepts of four fifths of the images, some of them without any, and of images that are not there."""
    rng = np.random.default_rng(seed)
    found = {row["uid"]: rng.integers(0, 12, rng.integers(0, 5)).tolist() for row in rows if rng.random() < 0.8}
    return found | {f"{rng.integers(1 << 62):024x}": [11] for _ in range(40)}


def _write_concepts(concepts: dict[str, list[int]], folder: Path, files: int = 3) -> str:
    """Write rows in an order of their own, in several files of several row groups."""
    folder.mkdir(parents=True)
    order = sorted(concepts, key=lambda uid: uid[::-1])
    for number in range(files):
        mine = {uid: concepts[uid] for uid in order[number::files]}
        rows = pa.table({"uid": list(mine), "concept_ids": pa.array(list(mine.values()), pa.list_(pa.int32()))})
        pq.write_table(rows, folder / f"{number}.parquet", row_group_size=50)
    return str(folder)


def _files(rows: Sequence[Image], folder: Path, buckets: int) -> list[list[str]]:
    numbers = buckets_of(pa.array([row["uid"] for row in rows]), buckets)
    return [
        [write_matches([row for row, mine in zip(rows, numbers, strict=True) if mine == n], folder / f"bucket-{n:05d}")]
        for n in range(buckets)
    ]


def _join(tables: dict[str, str], buckets: list[list[str]], folder: Path, cuts: int = 3) -> tuple[str, Receipt]:
    """Deal and join; returns the folder of the joined buckets and the receipt."""
    ranges = UidRanges(len(buckets), cuts)
    folders = []
    weighted = {}
    for table in open_concepts(tables, {}):
        weighted[table.name] = table.weighted
        folders.append(str(folder / "dealt" / table.name))
        for task in plan_dealing(table, folders[-1]):
            deal_concepts(task, ranges)
    tasks = plan_joining(buckets, weighted, folders, str(folder / "joined"))
    receipt = merge_receipts("joined", [join_concepts(task, ranges) for task in tasks])
    add_counts([task.counts for task in tasks], weighted, str(folder / "counts"))
    return tasks[0].output, receipt


def _read_joined(folder: str, buckets: list[list[str]], name: str) -> list[list[int]]:
    found = []
    for (file,) in buckets:
        with pa.OSFile(joined_path(folder, file.rpartition("/")[2])) as opened:
            found += pa.ipc.open_file(opened).read_all()[name].to_pylist()
    return found


@pytest.mark.parametrize(("buckets", "cuts", "flush"), [(1, 1, 1 << 20), (7, 3, 500), (24, 1, 3000)])
def test_join_gives_each_image_its_concepts(
    buckets: int, cuts: int, flush: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concept_rows, "FLUSH_BYTES", flush)
    monkeypatch.setattr(concept_rows, "BATCH_ROWS", 16)
    concepts = {name: _concepts(seed) for seed, name in enumerate(("colours", "tags"))}
    tables = {name: _write_concepts(given, tmp_path / name) for name, given in concepts.items()}
    files = _files(ROWS, tmp_path / "matches", buckets)
    folder, receipt = _join(tables, files, tmp_path, cuts)
    assert receipt.rows_out == 500
    for number, (name, given) in enumerate(concepts.items()):
        wanted = [sorted(set(given.get(row["uid"], ()))) for row in ROWS]
        assert _read_joined(folder, files, name) == wanted
        counts = Counter(concept for each in wanted for concept in each)
        assert np.load(tmp_path / "counts" / f"{name}.npy").tolist() == [counts[n] for n in range(12)]
        assert receipt.facts[f"with {number}"] == sum(map(bool, wanted))
        assert receipt.facts[f"joined {number}"] == sum(row["uid"] in given for row in ROWS)


@pytest.mark.parametrize("shift", [0, 3])
def test_ids_of_a_row_are_sorted_and_once(shift: int) -> None:
    """Of ids that differ below `shift` the largest stays: in short rows, in long ones, and in sorted ones."""
    rng = np.random.default_rng(shift)
    rows = [rng.integers(0, 200, size).tolist() for size in (0, 1, 2, 2, 3, 7, 31, 32, 33, 34, 90, 0) for _ in range(4)]
    rows += [[5, 5], [8, 1], [1, 8, 16, 24], [16, 8, 24], list(range(40)), list(range(40))[::-1]]
    offsets = np.cumsum([7, *map(len, rows)]).astype(np.int32)  # offsets of a part of an array do not begin at 0
    ids = np.array([0] * 7 + [each for row in rows for each in row], np.int32)
    found_offsets, found = concept_rows._sort_lists(offsets, ids, shift)
    lists = np.split(found, found_offsets[1:-1])
    assert [row.tolist() for row in lists] == [sorted({n >> shift: n for n in sorted(row)}.values()) for row in rows]
    assert found_offsets[0] == 0
    assert found_offsets[-1] == len(found)


def test_ranges_follow_values_not_compressed_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of many equal lists is cut as finely as its ids in memory need."""
    monkeypatch.setattr(concept_rows, "CUT_BYTES", 1 << 20)
    uids = pa.array([f"{n:024x}" for n in range(3000)])
    offsets = pa.array(np.arange(len(uids) + 1, dtype=np.int32) * 400)
    ids = pa.ListArray.from_arrays(offsets, pa.array(np.tile(np.arange(400, dtype=np.int32), len(uids))))
    pq.write_table(pa.table({"uid": uids, "concept_ids": ids}), tmp_path / "table.parquet", row_group_size=1000)
    assert (tmp_path / "table.parquet").stat().st_size < 1 << 18
    (table,) = open_concepts({"colours": str(tmp_path / "table.parquet")}, {})
    (task,) = plan_measuring(table)
    size = measure_concepts(task).facts["bytes"]
    assert size == len(uids) * (16 + 4 * 400)
    assert UidRanges.of([size], 1, 1) == UidRanges(1, 5)
    assert measure_concepts(replace(task, weighted=True)).facts["bytes"] == len(uids) * (16 + 8 * 400)


def test_small_files_are_dealt_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (table,) = open_concepts({"colours": _write_concepts(_concepts(4), tmp_path / "table", 1)}, {})
    sizes = [9, 1, 1, 1, 6, 5, 5, -1, 12]
    files = tuple(replace(table.files[0], size=size) for size in sizes)
    monkeypatch.setattr(concept_rows, "SPLIT_BYTES", 10)
    monkeypatch.setattr(concept_rows, "TASK_FILES", 3)
    tasks = plan_dealing(replace(table, files=files), str(tmp_path / "dealt"))
    assert [len(task.paths) for task in tasks] == [2, 3, 3, 1, 1]
    assert len({task.prefix for task in tasks}) == 5
    assert [task.groups for task in tasks] == [()] * 3 + [(0, 4), (4, 9)]
    assert deal_concepts(tasks[2], UidRanges(2, 1)).rows_out == 3 * pq.read_metadata(tasks[2].paths[0]).num_rows


@pytest.mark.parametrize(("buckets", "parallelism", "tasks"), [(64, 2, 8), (5, 2, 5), (1000, 100, 250), (1000, 1, 4)])
def test_each_bucket_is_joined_by_one_of_few_tasks(buckets: int, parallelism: int, tasks: int) -> None:
    files = [[f"bucket-{number:05d}.parquet"] for number in range(buckets)]
    plan = plan_joining(files, {"tags": False}, ["dealt"], "joined", parallelism)
    assert len(plan) == tasks
    assert [(n, list(names)) for task in plan for n, names in zip(task.numbers, task.buckets, strict=True)] == list(
        enumerate(files)
    )
    assert len({task.counts for task in plan}) == tasks


def test_join_sees_each_image_of_several_tables_once(tmp_path: Path) -> None:
    first, second = _files(ROWS[:300], tmp_path / "a", 4), _files(ROWS[200:], tmp_path / "b", 4)
    both = [[*one, *other] for one, other in zip(first, second, strict=True)]
    ranges = UidRanges(4, 2)
    uids = [
        found.text(row)
        for bucket, files in enumerate(both)
        for _, found in uids_by_range(bucket, files, ranges)
        for row in range(len(found))
    ]
    assert uids == [row["uid"] for row in ROWS]


def test_a_url_stands_for_its_uid(tmp_path: Path) -> None:
    """Of a file with both, the uid counts; files of one table may differ."""
    urls = [f"https://example.org/é{n}" for n in range(4)]
    rows = [row | {"uid": uid_of(url)} for row, url in zip(ROWS, urls, strict=False)]
    rows.sort(key=lambda row: row["uid"])
    (tmp_path / "table").mkdir()
    both = {"url": ["no address", ""], "uid": [uid_of(urls[2]), "e" * 24], "concept_ids": [[7], [3]]}
    for name, columns in {"a": {"url": urls[:2], "concept_ids": [[2, 1], [5]]}, "b": both}.items():
        pq.write_table(pa.table(columns), tmp_path / "table" / f"{name}.parquet")
    files = _files(rows, tmp_path / "matches", 2)
    folder, receipt = _join({"colours": str(tmp_path / "table")}, files, tmp_path)
    wanted = {uid_of(url): ids for url, ids in zip(urls, ([1, 2], [5], [7], []), strict=True)}
    assert _read_joined(folder, files, "colours") == [wanted[row["uid"]] for row in rows]
    assert (receipt.facts["with 0"], receipt.facts["joined 0"]) == (3, 3)
    bad = pa.table({"url": [urls[0], None], "concept_ids": [[1], [1]]})
    pq.write_table(bad, tmp_path / "bad.parquet")
    with pytest.raises(HeadtailError, match="a url is null"):
        _deal(str(tmp_path / "bad.parquet"), str(tmp_path / "refused"))


@pytest.mark.parametrize("buckets", [1, 7, 64, 1000])
def test_ranges_cut_the_buckets_of_matches(buckets: int) -> None:
    rng = np.random.default_rng(buckets)
    numbers = [0, (1 << 64) - 1, *(int(n) << 1 for n in rng.integers(0, 1 << 63, 3000))]
    uids = pa.array(sorted(f"{n:016x}00000000" for n in numbers))
    high = pack_uids(uids).high
    for cuts in (1, 5):
        slices = UidRanges(buckets, cuts).slices_of(high)
        assert (slices // cuts == buckets_of(uids, buckets)).all()
        assert (np.diff(slices) >= 0).all()
    assert len(np.unique(slices)) > min(4 * buckets, 1000)


@pytest.mark.parametrize(
    "uids",
    [
        pytest.param([f"{n * 7919 % 1000:024x}" for n in range(1000)], id="alike"),
        pytest.param([f"{n % 3:016x}{n:08x}" for n in range(500)], id="equal halves"),
        pytest.param([f"{(n * 0x9E3779B97F4A7C15) % (1 << 64):016x}00000000" for n in range(2000)], id="hashes"),
    ],
)
def test_rows_are_found_by_uid(uids: list[str]) -> None:
    images = pack_uids(pa.array(sorted(uids)[::2]))
    owners, twice = find_rows(images, pack_uids(pa.array(uids)))
    assert twice == -1
    assert [uids[row] for row in owners] == sorted(uids)[::2]
    nothing, _ = find_rows(images, PackedUids(images.high, images.low ^ np.uint32(1 << 31)))
    assert (nothing == -1).all()
    _, twice = find_rows(images, pack_uids(pa.array([uids[0], sorted(uids)[2], sorted(uids)[2]])))
    assert twice == 2


def test_every_byte_of_a_uid_is_looked_at() -> None:
    uid = "0123456789abcdef98765fed"
    assert pack_uids(pa.array([uid])).text(0) == uid
    for place in range(24):
        right = []
        for code in range(1, 256):
            text = (uid[:place].encode() + bytes([code]) + uid[place + 1 :].encode()).decode("latin-1")
            raw = pa.array([text.encode("latin-1")], pa.binary())
            array = pa.StringArray.from_buffers(1, *raw.buffers()[1:])  # not valid UTF-8 beyond 127, as files may be
            try:
                assert pack_uids(array).text(0) == text
                right.append(text[place])
            except ValueError:
                continue
        assert "".join(right) == "0123456789abcdef"


def _settings(folder: Path, seed: int) -> BalanceSettings:
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(ROWS)))
    for lang, values in counts.items():
        save_array(str(folder / "entries" / f"{lang}.npy"), values)
    t = {"de": 3.0, "en": 6.5, "fr": 2.0}
    return BalanceSettings(Unit.pair, seed, str(folder / "entries"), t, 64)


@pytest.mark.parametrize("combine", list(Combine))
def test_buckets_are_drawn_alike_and_kept_concepts_counted(combine: Combine, tmp_path: Path) -> None:
    concepts = {name: _concepts(seed) for seed, name in enumerate(("colours", "tags"))}
    tables = {name: _write_concepts(given, tmp_path / name) for name, given in concepts.items()}
    rows = []
    for buckets in (1, 5):
        folder = tmp_path / str(buckets)
        files = _files(ROWS, folder / "matches", buckets)
        joined, _ = _join(tables, files, folder)
        draw = ConceptDraw(
            {"colours": 20.0, "tags": 5.0}, combine, str(folder / "counts"), joined, str(folder / "kept")
        )
        settings = _settings(folder, 7)
        tasks = plan_balancing(files, str(folder / "curated"))
        receipts = [balance_bucket(task, settings, draw.open) for task in tasks]
        rows.append([row for task in tasks for row in read_rows(task.output, CURATED).to_pylist()])
        kept = add_counts(
            [str(folder / "kept" / task.name) for task in tasks], dict.fromkeys(tables, False), str(folder / "after")
        )
        uids = {row["uid"] for row in rows[-1]}
        for name, given in concepts.items():
            counted = Counter(n for uid in uids for n in set(given.get(uid, ())))
            assert dict(enumerate(kept[name])) == {n: counted[n] for n in range(len(kept[name]))}
        expected = sum(n for receipt in receipts for name, n in receipt.facts.items() if name.startswith("expected_im"))
        assert expected / 2**32 == pytest.approx(_image_probabilities(draw, settings, files))
    assert rows[0] == rows[1]
    assert 20 < len(rows[0]) < 480


def _image_probabilities(draw: ConceptDraw, settings: BalanceSettings, files: list[list[str]]) -> float:
    """Return the sum of the images' keep probabilities, kept or not."""
    total = 0.0
    for task in plan_balancing(files, ""):
        with draw.open(task, settings) as bucket:
            matched = MatchedBatch(to_batch(read_rows(task.files[0], MATCHES).to_pylist()))
            p = text_probabilities(matched, CountFiles(settings.counts), settings.t)
            total += float(bucket.draw(matched, p).image_probabilities.sum())
    return total


def _deal(path: str, folder: str) -> None:
    (table,) = open_concepts({"colours": path}, {})
    (task,) = plan_dealing(table, folder)
    deal_concepts(task, UidRanges(1, 1))


HOSTILE = {
    "no ids": ({"uid": ["a" * 24]}, "concept_ids is missing"),
    "numbers": ({"uid": ["a" * 24], "concept_ids": [3]}, "concept_ids is int64, expected lists of whole numbers"),
    "numeric uids": ({"uid": [3], "concept_ids": [[3]]}, "uid is int64, expected string"),
    "whole weights": (
        {"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[1]]},
        "weights is list<element: int64>, expected lists of floating-point numbers",
    ),
    "weight above 1": ({"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[1.5]]}, "a weight is not above 0"),
    "weight of 0": ({"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[0.0]]}, "a weight is not above 0"),
    "no weight": ({"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[float("nan")]]}, "a weight is not above 0"),
    "null weight": ({"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[None, 0.5]]}, "weights holds a null"),
    "two weights": ({"uid": ["a" * 24], "concept_ids": [[3]], "weights": [[0.5, 0.5]]}, "another number of weights"),
    "negative": ({"uid": ["a" * 24], "concept_ids": [[3, -1]]}, "the id -1 is not one of 0 to 16,777,215"),
    "too large": ({"uid": ["a" * 24], "concept_ids": [[1 << 24]]}, "the id 16777216 is not one of"),
    "null id": ({"uid": ["a" * 24], "concept_ids": [[3, None]]}, "a list of concept_ids holds a null"),
    "null uid": ({"uid": ["a" * 24, None], "concept_ids": [[3], [3]]}, "a uid is null"),
    "short uid": ({"uid": ["abc"], "concept_ids": [[3]]}, "'abc' is no uid"),
    "upper case": ({"uid": ["A" * 24], "concept_ids": [[3]]}, "is no uid, which has 24 digits of 0-9 and a-f"),
}


@pytest.mark.parametrize(("columns", "line"), HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_tables_are_refused(columns: dict[str, list], line: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    with pytest.raises(HeadtailError, match=line) as error:
        _deal(str(tmp_path / "table.parquet"), str(tmp_path / "dealt"))
    assert str(error.value).startswith("concepts.colours: ")
    assert "\n" not in str(error.value)


def test_a_file_without_rows_is_one(tmp_path: Path) -> None:
    """As a task that had nothing to write leaves it: a row group of no rows."""
    rows = pa.table({"uid": ["a" * 24], "concept_ids": pa.array([[3]], pa.list_(pa.int32()))})
    for number, count in enumerate((0, 1)):
        pq.write_table(rows[:count], tmp_path / f"{number}.parquet")
        batches = list(read_concepts("colours", str(tmp_path / f"{number}.parquet"), 9, False, None, 10))
        assert sum(batch.num_rows for batch in batches) == count


def test_a_damaged_footer_is_one_line_wherever_a_file_is_opened_first(tmp_path: Path) -> None:
    path = Path(_write_concepts(_concepts(3), tmp_path / "table", 1)) / "0.parquet"
    (table,) = open_concepts({"colours": str(path)}, {})
    data = path.read_bytes()
    path.write_bytes(data[:-200] + b"\xff" * 192 + data[-8:])
    large = replace(table, files=(replace(table.files[0], size=concept_rows.SPLIT_BYTES + 1),))
    (measuring,) = plan_measuring(table)
    for read in (
        partial(open_concepts, {"colours": str(path)}, {}),
        partial(measure_concepts, measuring),
        partial(plan_dealing, large, str(tmp_path)),
    ):
        with pytest.raises(HeadtailError, match=f"^concepts.colours: {path} cannot be read: [^\n]+$"):
            read()
    with pytest.raises(HeadtailError, match=f"^{path} is not a Parquet file, or is damaged: [^\n]+$"):
        foreign_schema(str(path))


def test_an_image_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "table").mkdir(exist_ok=True)
        rows = {"uid": [ROWS[number]["uid"], ROWS[7]["uid"]], "concept_ids": [[1], [2]]}
        pq.write_table(pa.table(rows), tmp_path / "table" / f"{number}.parquet")
    with pytest.raises(HeadtailError, match=f"concepts.colours: several rows have the uid {ROWS[7]['uid']}"):
        _join({"colours": str(tmp_path / "table")}, _files(ROWS, tmp_path / "matches", 1), tmp_path)


def test_other_forms_of_lists_are_read(tmp_path: Path) -> None:
    forms = {
        "large": pa.array([[2, 1, 2], None, []], pa.large_list(pa.int64())),
        "fixed": pa.array([[2, 1, 2], [1, 1, 1], [3, 4, 5]], pa.list_(pa.uint8(), 3)),
    }
    uids = pa.array([row["uid"] for row in ROWS[:3]], pa.large_string())
    for name, ids in forms.items():
        pq.write_table(pa.table({"uid": uids, "concept_ids": ids}), tmp_path / f"{name}.parquet")
    tables = {name: str(tmp_path / f"{name}.parquet") for name in forms}
    files = _files(ROWS, tmp_path / "matches", 2)
    folder, _ = _join(tables, files, tmp_path)
    assert _read_joined(folder, files, "large")[:4] == [[1, 2], [], [], []]
    assert _read_joined(folder, files, "fixed")[:4] == [[1, 2], [1], [3, 4, 5], []]


def test_weights_are_counted_and_thin(tmp_path: Path) -> None:
    """A count is the sum of weights, of an id named twice the larger; a concept's own draw keeps min(count, t)."""
    rng = np.random.default_rng(5)
    ids = [rng.integers(0, 6, rng.integers(1, 5)).tolist() for _ in ROWS]
    weights = [(rng.integers(1, 65, len(each)) / 64).tolist() for each in ids]
    order = rng.permutation(len(ROWS))
    columns = {"uid": [row["uid"] for row in ROWS], "concept_ids": ids, "weights": weights}
    rows = pa.table(columns).take(pa.array(order))
    pq.write_table(rows, tmp_path / "table.parquet", row_group_size=100)
    files = _files(ROWS, tmp_path / "matches", 3)
    folder, receipt = _join({"tags": str(tmp_path / "table.parquet")}, files, tmp_path)
    assert receipt.facts["with 0"] == len(ROWS)
    largest = [
        {n: max(w for m, w in zip(each, its, strict=True) if m == n) for n in each}
        for each, its in zip(ids, weights, strict=True)
    ]
    counts = [sum(each.get(n, 0.0) for each in largest) for n in range(6)]
    assert np.load(tmp_path / "counts" / "tags.npy").tolist() == counts
    draw = ConceptDraw({"tags": 60.0}, Combine.product, str(tmp_path / "counts"), folder, "")
    found: list[float] = []
    for (file,) in files:
        with draw.read(file.rpartition("/")[2]) as concepts:
            found += concepts.together(len(read_rows(file, MATCHES))).tolist()
    missed = [np.prod([1 - w * min(1.0, 60 / counts[n]) for n, w in each.items()]) for each in largest]
    assert found == pytest.approx([1 - each for each in missed], abs=1e-12)
    mixed = pa.table({"uid": [ROWS[0]["uid"]], "concept_ids": [[1]]})
    (tmp_path / "both").mkdir()
    for number, table in enumerate((mixed, rows)):
        pq.write_table(table, tmp_path / "both" / f"{number}.parquet")
    with pytest.raises(HeadtailError, match="weights is unexpected: files before it have none"):
        open_concepts({"tags": str(tmp_path / "both")}, {})


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_concepts_have_targets(weighted: bool, tmp_path: Path) -> None:
    """A weight multiplies t, an own t stands in its place; the tail share is that of counts over weights."""
    concepts = {row["uid"]: [n for n in range(4) if (place + n) % (n + 2) == 0] for place, row in enumerate(ROWS)}
    weights = {"weights": [[0.5] * len(each) for each in concepts.values()]} if weighted else {}
    columns = {"uid": list(concepts), "concept_ids": pa.array(list(concepts.values()), pa.list_(pa.int32())), **weights}
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    files = _files(ROWS, tmp_path / "matches", 2)
    folder, _ = _join({"tags": str(tmp_path / "table.parquet")}, files, tmp_path)
    counts, w = np.load(tmp_path / "counts" / "tags.npy"), 0.5 if weighted else 1.0
    targets = EntryTargets({"tags": (np.array([1, 2, 9], np.int32), np.array([3.0, -7.5, 2.0]))})
    draw = ConceptDraw({"tags": 20.0}, Combine.product, str(tmp_path / "counts"), folder, "", targets)
    found: list[float] = []
    for (file,) in files:
        with draw.read(file.rpartition("/")[2]) as opened:
            found += opened.together(len(read_rows(file, MATCHES))).tolist()
    ts = [20.0, 60.0, 7.5, 20.0]
    missed = [np.prod([1 - w * min(1.0, ts[n] / counts[n]) for n in each]) for each in concepts.values()]
    assert found == pytest.approx([1 - one if ids else 1 for one, ids in zip(missed, concepts.values(), strict=True)])
    values = target_values(targets, "tags", counts)
    effective = sorted((counts[n] / values[n], counts[n]) for n in (0, 1, 3))
    shares = np.cumsum([count for _, count in effective]) / sum(count for _, count in effective)
    for place, share in enumerate(shares):
        assert ConceptGoal(None, share).threshold(counts, values) == effective[place][0]
    numbers = describe_namespace(counts, 20.0, 500, 400, counts, values)
    assert (numbers["concepts"], numbers["concepts_from_t"]) == (4, sum(counts[n] >= ts[n] for n in range(4)))


def test_matches_that_are_not_sorted_are_refused(tmp_path: Path) -> None:
    write_matches(ROWS[:9][::-1], tmp_path / "bucket-00000")
    with pytest.raises(HeadtailError, match="is not sorted by uid"):
        list(uids_by_range(0, [str(tmp_path / "bucket-00000")], UidRanges(1, 1)))
    with pytest.raises(HeadtailError, match="has images of other buckets"):
        list(uids_by_range(1, [write_matches(ROWS, tmp_path / "bucket-00001")], UidRanges(2, 1)))


def test_names_are_those_of_the_ids(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("red\nblue\n\ngreen\n")
    names = read_names({"colours": str(tmp_path / "names.txt")})
    for name, values in (("before", [4, 0, 2, 1]), ("after", [3, 0, 1])):
        save_array(str(tmp_path / name / "colours.npy"), np.array(values))
    counts = [add_counts([], {}, str(tmp_path / name)) for name in ("before", "after")]
    write_concept_counts(*counts, ["colours"], names, str(tmp_path / "table.parquet"))
    rows = read_rows(str(tmp_path / "table.parquet"), CONCEPT_COUNTS)
    assert rows.drop_columns("namespace").to_pylist() == [
        {"concept_id": 0, "concept": "red", "count": 4, "kept": 3},
        {"concept_id": 2, "concept": None, "count": 2, "kept": 1},
        {"concept_id": 3, "concept": "green", "count": 1, "kept": 0},
    ]
    rename = partial(rename_concepts, str(tmp_path / "table.parquet"), path=str(tmp_path / "new.parquet"))
    rename({})
    again = read_rows(str(tmp_path / "new.parquet"), CONCEPT_COUNTS)
    assert again["concept"].null_count == 3
    assert again.drop_columns("concept") == rows.drop_columns("concept")
    with pytest.raises(HeadtailError, match=r"concept_names.colours has 3 names, and none for the id 3"):
        rename({"colours": replace(names["colours"], texts=names["colours"].texts.slice(0, 3))})


@pytest.mark.parametrize(
    ("concepts", "names", "line"),
    [
        ({"Entries": "x"}, {}, "concepts.Entries: a name is 1 to 64 of"),
        ({"entries": "x"}, {}, "is not entries"),
        ({"colours": "/nowhere.parquet"}, {}, "/nowhere.parquet names no file"),
        ({}, {"colours": "/nowhere.txt"}, "concept_names.colours: /nowhere.txt is no entry list"),
        ({}, {"colours": "/nowhere.csv"}, "must be a local file that ends in"),
    ],
)
def test_wrong_names_and_paths_are_refused(concepts: dict[str, str], names: dict[str, str], line: str) -> None:
    with pytest.raises(HeadtailError, match=line):
        open_concepts(concepts, read_names(names))
