"""Faces at writing: boxes of scores, blurred samples and what tells of them, images that are left out."""

import hashlib
import io
import json
import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core.choices import Faces
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import merge_receipts
from curation.core.recipes import Recipe
from curation.core.removal_lists import read_removals
from curation.core.schemas import SAMPLES
from curation.report.card_texts import people
from curation.shards.box_files import plan_boxes, write_boxes
from curation.shards.check import check_shard, plan_checks
from curation.shards.duplicates import drop_duplicates, find_duplicates, key_images
from curation.shards.face_boxes import MAX_BOXES, find_boxes, read_boxes
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.sample_json import SampleForm
from curation.shards.score_join import ScoreSettings, join_scores
from curation.shards.scores import open_scores
from curation.shards.shard_set import ShardSet
from curation.shards.write import ShardSize, plan_shard_tasks, write_shard
from tests.unit.shards.settings import unique_rules
from tests.unit.shards.test_score_join import COUNT, Images, write
from tests.unit.shards.test_write import samples

OURS = pa.list_(pa.struct([(name, pa.float32()) for name in ("left", "top", "right", "bottom", "score")]))
THEIRS = pa.list_(pa.list_(pa.float64()))


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return Images(tmp_path)


def drops_of(images: Images, paths: Sequence[Path], column: str, faces: Faces) -> dict[str, int]:
    """Select with the boxes of tables; sets the selection, and returns the drops of the step."""
    shutil.rmtree(images.steps.folder("scores"), ignore_errors=True)
    settings = ScoreSettings(tuple(open_scores(map(str, paths))), False, "", column)
    joined = join_scores(images.run, images.steps, settings, COUNT)
    images.run(write_boxes, plan_boxes(joined, images.steps, column))
    ranges = images.steps.ranges
    keyed = [key_images(task, ranges, unique_rules()).check() for task in images.steps.key(False, faces)]
    for task in images.steps.find():
        find_duplicates(task, ranges)
    images.selection = merge_receipts("drop", (drop_duplicates(task, ranges).check() for task in images.steps.drop()))
    return dict(+merge_receipts("key", keyed).drops)


def publish(images: Images, folder: Path, blur: int | None) -> Part:
    shards = ShardSet(f"{folder}/shards")
    shutil.rmtree(images.steps.folder("shards"), ignore_errors=True)  # a work folder is of one recipe
    steps, texts, size = images.steps, images.lists.path, ShardSize(9, 1 << 30)
    tasks = plan_shard_tasks(shards.path, steps, texts, images.selection, size, SampleForm(2), blur=blur)
    receipts = [write_shard(task).check() for task in tasks]
    again = [write_shard(task).check() for task in tasks]  # a run that was stopped, and finds its shards
    assert [vars(receipt) for receipt in again] == [vars(receipt) for receipt in receipts]
    recipe = Recipe("write_shards", 1, {"faces": "blur" if blur else "keep"})
    further = {"score_columns": ["blurred_faces"]} if blur else {}
    return shards.publish(recipe, f"{folder}/none", receipts, images.selection, 0, **further)


def test_blurred_samples_tell_of_it_and_others_keep_every_byte(images: Images, tmp_path: Path) -> None:
    draw = random.Random(2)
    boxes = {
        image["uid"]: draw.choice(([], [[0.1, 0.1, 0.6, 0.9]], [[0, 0, 0.3, 0.4], [0.5, 0.5, 1, 1]]))
        for image in images.rows
    }
    given = [{"sha256": image["sha256"], "face_bboxes": boxes[image["uid"]]} for image in images.rows]
    path = write(tmp_path / "boxes.parquet", given, face_bboxes=THEIRS)
    publish(images, tmp_path / "kept", None)
    assert drops_of(images, [path], "face_bboxes", Faces.blur) == {}
    part = publish(images, tmp_path, 80)
    table = pa.concat_tables(pq.read_table(file) for file in part.files)
    assert table.schema.names == [*SAMPLES.names, "blurred_faces"]
    before, after = samples(tmp_path / "kept"), samples(tmp_path)
    assert [meta["uid"] for meta, *_ in after] == [meta["uid"] for meta, *_ in before]
    for old, new, row in zip(before, after, table.to_pylist(), strict=True):
        mine = boxes[row["uid"]]
        assert new[0] == old[0] | {"blurred_faces": len(mine)}
        assert row["sha256"] == new[0]["sha256"] == hashlib.sha256(old[2]).hexdigest(), "that of the file as sent"
        assert (row["bytes"], row["ext"], row["blurred_faces"]) == (len(new[2]), new[3], len(mine))
        assert (new[2] == old[2]) == (not mine)
        sharp, blurred = (np.asarray(Image.open(io.BytesIO(each[2])).convert("RGB"), int) for each in (old, new))
        height, width = sharp.shape[:2]
        for left, top, right, bottom in mine:
            inside = np.s_[math.ceil(top * height) : int(bottom * height), math.ceil(left * width) : int(right * width)]
            assert np.abs(np.diff(blurred[inside], axis=1)).mean() < np.abs(np.diff(sharp[inside], axis=1)).mean()
    facts = part.manifest["facts"]
    assert facts["blurred_images"] == sum(map(bool, boxes.values())) > 5
    assert facts["blurred_faces"] == sum(map(len, boxes.values()))
    assert (
        f"{facts['blurred_faces']} in {facts['blurred_images']} images" in (tmp_path / "shards/README.md").read_text()
    )
    checks, problems = plan_checks(part.path)
    assert not [*problems, *(failure for task in checks for failure in check_shard(task).failures)]
    gone = next(row for row in table.to_pylist() if row["blurred_faces"])
    removed = [remove_from_shard(task, read_removals((gone["sha256"],))) for task in plan_removing(part)]
    assert sum(receipt.drops["removed"] for receipt in removed) == 1, "removed by the hash of the image as sent"


def test_images_with_faces_and_images_that_nobody_looked_at_are_left_out(images: Images, tmp_path: Path) -> None:
    box = dict(zip(("left", "top", "right", "bottom", "score"), (0.1, 0.2, 0.3, 0.4, 0.9), strict=True))
    faulty = (
        [box | {"left": float("nan")}],
        [box | {"right": 30.0}],
        [box | {"left": 0.5}],
        None,
        [box] * (MAX_BOXES + 1),
    )
    values: list[Any] = [*faulty, [box], [box | {"top": None}]]
    given = [{"uid": row["uid"], "face_boxes": value} for row, value in zip(images.rows, values, strict=False)]
    given += [{"uid": row["uid"], "face_boxes": []} for row in images.rows[len(values) : COUNT - 2]]
    given += [{"uid": images.rows[len(values)]["uid"], "face_boxes": [box]}]  # a second row of one image
    path = write(tmp_path / "boxes.parquet", given, face_boxes=OURS)
    unknown = len(faulty) + 1 + 2
    assert drops_of(images, [path], "face_boxes", Faces.drop) == {"face": 2, "no_face_boxes": unknown}
    assert images.selection.rows_out == COUNT - 2 - unknown
    assert drops_of(images, [path], "face_boxes", Faces.blur) == {"no_face_boxes": unknown}
    part = publish(images, tmp_path, 90)
    assert part.manifest["facts"]["blurred_images"] == 2
    blurred = {meta["uid"] for meta, *_ in samples(tmp_path) if meta["blurred_faces"]}
    assert blurred == {images.rows[len(faulty)]["uid"], images.rows[len(values)]["uid"]}


def test_boxes_are_cut_at_the_border_and_empty_ones_left_out() -> None:
    assert read_boxes([[-0.25, 0.5, 0.5, 1.25], [0.5, 0.5, 0.5, 0.9], [-0.25, 0.0, 0.0, 1.0]]) == [(0.0, 0.5, 0.5, 1.0)]
    assert [read_boxes(value) for value in ([[0.1, 0.2, 0.3]], [None], [[0.1, 0.2, 0.3, float("inf")]])] == [None] * 3


@pytest.mark.parametrize(
    ("asked", "fields", "told"),
    [
        (None, {}, r"faces needs one column of boxes \(face_boxes or face_bboxes\), and scores have no column"),
        (None, {"face_boxes": OURS, "face_bboxes": THEIRS}, "name the column as face_boxes"),
        ("mine", {"face_boxes": OURS}, r"one column of boxes \(mine\), and scores have face_boxes"),
        ("mine", {"mine": pa.list_(pa.float32())}, "column mine is list<item: float>, expected a list of boxes"),
        (
            None,
            {"face_boxes": pa.list_(pa.struct([("left", pa.float32())]))},
            "or a struct of left, top, right, bottom",
        ),
    ],
    ids=["none", "two", "another name", "no boxes", "another struct"],
)
def test_a_column_of_boxes_is_checked(asked: str | None, fields: dict[str, pa.DataType], told: str) -> None:
    with pytest.raises(HeadtailError, match=told):
        find_boxes(asked, list(pa.schema(list(fields.items()))))
    assert find_boxes("mine", [pa.field("mine", THEIRS), pa.field("face_boxes", OURS)]).name == "mine"


def test_the_card_says_what_became_of_faces() -> None:
    assert "faces are not blurred" in json.dumps(people("keep"))
    assert "Faces are blurred where a detector found them" in json.dumps(people("blur"))
    assert "were left out" in json.dumps(people("drop"))
