"""Examples of the images that the steps before shards drop: of each reason those with the smallest draws."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from curation.core.choices import Faces
from curation.core.draws import draw
from curation.core.dropped import EXAMPLES
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt, merge_receipts
from curation.images.ranges import Ranges
from curation.shards.box_files import plan_boxes, write_boxes
from curation.shards.dropped import add_examples, uids_by_reason
from curation.shards.duplicates import PASSED, drop_duplicates, find_duplicates, key_images
from curation.shards.score_join import ScoreSettings, join_scores
from curation.shards.scores import open_scores
from curation.shards.selection import select_images
from curation.shards.steps import SelectionSteps
from tests.shard_data import curated_rows
from tests.unit.shards.test_score_join import COUNT, Images, write
from tests.unit.shards.test_write import NO_FILTERS, NO_RULES, URLS, bodies, stored


def smallest_of(uids: set[str], seed: int) -> list[str]:
    ordered = sorted(uids)
    draws = draw(seed, "examples", pa.array(ordered, pa.string())).tolist()
    return [uid for _, uid in sorted(zip(draws, ordered, strict=True))][:EXAMPLES]


def dropped_by_steps(folder: Path, count: int, removals: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """20 images were not attempted, 12 do not pass a filter, 25 are files of others."""
    rows, ranges = curated_rows(URLS), Ranges(count, 5)
    images = {url: bodies()[URLS[0 if k < 26 else k]] for k, url in enumerate(URLS[:37])}
    downloads, lists = stored(folder, rows, images, ranges)
    steps = SelectionSteps(ranges, lists.path, str(folder / "work"), downloads.status_files(ranges))
    rules = replace(NO_RULES, removals=removals)
    receipts = [select_images(task, ranges, NO_FILTERS, removals).check() for task in steps.select()]
    passed = [row["uid"] for row in rows if row["url"] in URLS[:25]]
    for task in steps.key(filtered=True):
        assert task.passed
        write_rows(task.passed, pa.table([pa.array(passed)], PASSED))
        receipts.append(key_images(task, ranges, rules).check())
    for task in steps.find():
        find_duplicates(task, ranges).check()
    receipts += [drop_duplicates(task, ranges).check() for task in steps.drop()]
    return uids_by_reason(merge_receipts("all", [receipt_of_examples(each) for each in receipts]))


def receipt_of_examples(receipt: Receipt) -> Receipt:
    """The examples as they come from a worker."""
    return Receipt("one", examples=Receipt.from_json(receipt.to_json()).examples)


def test_each_reason_has_the_images_with_the_smallest_draws(tmp_path: Path) -> None:
    uids = {row["url"]: row["uid"] for row in curated_rows(URLS)}
    found = dropped_by_steps(tmp_path / "1", 1)
    assert found["not_attempted"] == smallest_of({uids[url] for url in URLS[37:]}, 5)
    assert found["filter"] == smallest_of({uids[url] for url in URLS[25:37]}, 5)
    assert len(found["duplicate_image"]) == EXAMPLES
    assert set(found["duplicate_image"]) < {uids[url] for url in URLS[:25]}
    assert set(found) == {"not_attempted", "filter", "duplicate_image"}
    assert dropped_by_steps(tmp_path / "4", 4) == found, "of another number of lists"


def test_images_of_removal_lists_are_no_examples_of_earlier_steps(tmp_path: Path) -> None:
    uids = {row["url"]: row["uid"] for row in curated_rows(URLS)}
    by_hash = hashlib.sha256(bodies()[URLS[30]]).hexdigest()
    found = dropped_by_steps(tmp_path, 4, (*(uids[url] for url in (URLS[26], *URLS[38:])), by_hash))
    assert found["not_attempted"] == [uids[URLS[37]]]
    assert set(found["filter"]) == {uids[url] for url in URLS[25:37]} - {uids[URLS[26]], uids[URLS[30]]}


def test_images_with_faces_are_no_examples_of_the_filter(tmp_path: Path) -> None:
    images = Images(tmp_path)
    boxes = [[[0.1, 0.1, 0.6, 0.9]] if k % 2 else [] for k in range(COUNT)]
    given = [{"sha256": image["sha256"], "face_bboxes": mine} for image, mine in zip(images.rows, boxes, strict=True)]
    path = write(tmp_path / "boxes.parquet", given, face_bboxes=pa.list_(pa.list_(pa.float64())))
    settings = ScoreSettings(tuple(open_scores([str(path)])), False, "", "face_bboxes")
    joined = join_scores(images.run, images.steps, settings, COUNT)
    images.run(write_boxes, plan_boxes(joined, images.steps, "face_bboxes"))
    tasks, found = images.steps.key(True, Faces.drop), set[str]()
    for task in tasks:
        assert task.passed
        write_rows(task.passed, pa.table([pa.array([], pa.string())], PASSED))
        receipt = key_images(task, images.steps.ranges, NO_RULES).check()
        found |= {each["uid"] for each in receipt.examples}
    faces = {image["uid"] for image, mine in zip(images.rows, boxes, strict=True) if mine}
    assert found
    assert not found & faces


def test_nothing_dropped_is_no_example() -> None:
    receipt = Receipt("a")
    add_examples(receipt, "filter", pa.chunked_array([pa.array([], pa.string())]), 0)
    assert receipt.examples == []
    assert "examples" not in receipt.to_json()
