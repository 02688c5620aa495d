"""Boxes of faces: anchors, decoding and suppression against the dumbest correct code."""

import math

import numpy as np
import pytest

from curation.signals.boxes import CELLS, INPUT_SIDE, anchors, decode_boxes, suppress, tiles


def test_anchors_are_the_centres_of_cells_row_by_row() -> None:
    expected = [((x + 0.5) / CELLS, (y + 0.5) / CELLS) for y in range(CELLS) for x in range(CELLS)]
    assert np.allclose(anchors(), expected)


def test_boxes_are_those_of_a_loop_over_the_anchors() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(-3, 3, CELLS * CELLS).astype(np.float32)
    logits[:3] = (-1e6, 1e6, 0.0)  # exp() of the first would overflow; the third has a score of exactly 0.5
    raw = rng.normal(0, 20, (CELLS * CELLS, 16)).astype(np.float32)
    expected = []
    for cell in range(CELLS * CELLS):
        score = 1 / (1 + math.exp(min(80.0, -float(logits[cell]))))
        if score > 0.5:
            x = (cell % CELLS + 0.5) / CELLS + raw[cell, 0] / INPUT_SIDE
            y = (cell // CELLS + 0.5) / CELLS + raw[cell, 1] / INPUT_SIDE
            w, h = raw[cell, 2] / INPUT_SIDE, raw[cell, 3] / INPUT_SIDE
            expected.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2, score))
    boxes, scores = decode_boxes(logits, raw, 0.5)
    assert 50 < len(expected) < 1000
    assert np.allclose(np.column_stack([boxes, scores]), expected, atol=1e-5)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = sum(float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b))
    return shared / (area - shared) if shared else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_a_loop_over_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((80, 2))
    boxes = np.concatenate([low, low + rng.random((80, 2)) * 0.4], axis=1)
    scores = rng.integers(0, 30, 80) / 30  # with ties
    expected: list[int] = []
    for index in sorted(range(80), key=lambda index: (-scores[index], index)):
        if all(overlap(boxes[index], boxes[other]) <= 0.3 for other in expected):
            expected.append(index)
    assert suppress(boxes, scores).tolist() == expected
    assert 5 < len(expected) < 80


def test_no_box_stays_none() -> None:
    assert suppress(np.zeros((0, 4)), np.zeros(0)).tolist() == []
    assert decode_boxes(np.full(CELLS * CELLS, -9.0), np.zeros((CELLS * CELLS, 16)), 0.5)[0].shape == (0, 4)


@pytest.mark.parametrize("per_side", [2, 3, 8])
def test_tiles_cover_the_image_and_overlap(per_side: int) -> None:
    whole, *parts = tiles(640, 480, per_side)
    covered = np.zeros((480, 640), int)
    for left, top, right, bottom in parts:
        assert right - left <= 640 / per_side * 1.25 + 1
        covered[top:bottom, left:right] += 1
    assert whole == (0, 0, 640, 480)
    assert len(parts) == per_side**2
    assert covered.min() == 1
    assert covered.max() == 4


def test_an_image_of_one_pixel_has_tiles() -> None:
    assert all(right > left and bottom > top for left, top, right, bottom in tiles(1, 1, 4))
