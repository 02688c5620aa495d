"""The second balance in the shards' steps gives what it gives over all survivors at once."""

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.balance import curated_batch, draw_batch, text_probabilities
from curation.balancing.counts import CountArrays
from curation.balancing.matched_batch import MatchedBatch
from curation.core import storage
from curation.core.choices import Unit
from curation.core.draws import draw
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import CURATED
from curation.images.ranges import Ranges
from curation.shards.dropped import uids_by_reason
from curation.shards.second_balance import (
    FirstBalance,
    MissingTexts,
    SecondDraw,
    draw_images,
    draw_survivors,
    estimated_counts,
    plan_second_draw,
    weigh_images,
    weigh_survivors,
)
from curation.shards.steps import SelectionSteps
from tests.http_server import draw as draw_image
from tests.matches_data import make_images, to_batch
from tests.unit.balancing.settings import balance_goal, threshold_rule
from tests.unit.shards.test_write import select, stored

T = {"en": 40.0, "de": 40.0}


@functools.cache
def pool() -> pa.RecordBatch:
    """Some images in two languages."""
    return to_batch(make_images(1500, seed=5, langs=("en", "de"), max_ids=3))


def first_pass(unit: Unit) -> list[dict]:
    """Rows of `curated` of the pool."""
    matched, counts = MatchedBatch(pool()), CountArrays()
    counts.add(matched)
    p = text_probabilities(matched, dict(counts.items()), {lang: t / 0.5 for lang, t in T.items()})
    return curated_batch(matched, draw_batch(matched, p, unit, 3)).to_pylist()


@pytest.mark.parametrize("unit", list(Unit))
def test_the_steps_draw_what_one_draw_over_all_survivors_does(tmp_path: Path, unit: Unit) -> None:
    rows, ranges = first_pass(unit), Ranges(4, 0)
    survives = draw(1, "sample", pa.array([row["uid"] for row in rows])) < 0.5
    image = draw_image(1)
    images: dict[str, bytes | str] = {  # no two are the same file
        row["url"]: image + row["uid"].encode() if alive else "timeout"
        for row, alive in zip(rows, survives, strict=True)
    }
    downloads, lists = stored(tmp_path, rows, images, ranges)
    steps = SelectionSteps(ranges, lists.path, str(tmp_path / "work"), downloads.status_files(ranges))
    select(steps)
    first = FirstBalance(unit, 3, balance_goal(threshold_rule(others="same_t"), t=40.0, headroom=0.5))
    weights = steps.weigh()
    weighed = [weigh_images(task, ranges, unit).check() for task in weights]
    assert sum(receipt.rows_in for receipt in weighed) == survives.sum()
    second = plan_second_draw([task.weights for task in weights], first, steps.folder("counts"))
    receipts = [draw_images(task, ranges, second).check() for task in steps.draw()]

    left = pa.RecordBatch.from_pylist([row for row, alive in zip(rows, survives, strict=True) if alive], CURATED)
    counts = {lang: estimated_counts(values) for lang, values in weigh_survivors([left], unit).items()}
    missing = MissingTexts()
    ((matched, drawn),) = draw_survivors([left], SecondDraw(unit, 3, counts, second.t), missing)
    expected = {row["uid"]: row for row in curated_batch(matched, drawn).to_pylist()}
    assert 100 < len(expected) < left.num_rows

    outputs = sorted((output for receipt in receipts for output in receipt.outputs), key=lambda one: one["range"])
    found = {}
    for output in outputs:
        chosen = pq.read_table(output["path"])
        name = output["path"].rsplit("/", 1)[-1]
        order = pq.read_table(storage.join(steps.folder("candidates"), name))["order"].take(chosen["place"])
        texts = pq.read_table(storage.join(steps.folder("drawn"), name)).to_pylist()
        for row in chosen.to_pylist():
            found[row["uid"]] = texts[row["row"]]
        assert (np.diff(order.to_numpy().astype(object)) > 0).all()
    assert found == expected
    assert sum(receipt.drops["not_drawn"] for receipt in receipts) == left.num_rows - len(expected)
    gone = sorted({row["uid"] for row in left.to_pylist()} - set(expected))
    shown = np.argsort(draw(0, "examples", pa.array(gone)))[:10]
    examples = merge_receipts("all", [Receipt("one", examples=receipt.examples) for receipt in receipts])
    assert uids_by_reason(examples) == {"not_drawn": [gone[place] for place in shown.tolist()]}
    merged = MissingTexts()
    for receipt in receipts:
        merged.merge(receipt.facts)
    assert merged.describe(first.goal) == missing.describe(first.goal)


def test_the_first_pass_is_read_from_its_settings() -> None:
    goal = balance_goal(threshold_rule(reference="de", others="same_t", t_by_language={"en": 5.0}), t=7.0, headroom=0.5)
    settings = {
        "unit": "image", "seed": 9, "rule": vars(goal.rule), "t": 7.0, "tail_share": None, "target_images": None,
        "headroom": 0.5, "solved_t": None,
    }  # fmt: skip
    assert FirstBalance.of_settings(settings) == FirstBalance(Unit.image, 9, goal)
    again = FirstBalance.of_settings(settings | {"yields": {"de": 0.5}}).goal
    assert again.solution == {"solved_t": None, "yields": {"de": 0.5}}
    assert again.of_survivors().rule.yields == {"de": 0.5}


def test_nothing_left_is_nothing_drawn(tmp_path: Path) -> None:
    ranges = Ranges(1, 0)
    downloads, lists = stored(tmp_path, first_pass(Unit.pair)[:3], {}, ranges)
    steps = SelectionSteps(ranges, lists.path, str(tmp_path / "work"), downloads.status_files(ranges))
    select(steps)
    (weight,) = steps.weigh()
    assert weigh_images(weight, ranges, Unit.pair).rows_in == 0
    (task,) = steps.draw()
    found = draw_images(task, ranges, SecondDraw(Unit.pair, 0, {}, {})).check()
    assert (found.rows_in, found.rows_out) == (0, 0)
