"""Boxes of faces: from the raw output of BlazeFace to few boxes that do not overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
CELLS, INPUT_SIDE = 48, 192
"""Cells on a side of the grid of anchors, and the side of the network's input in pixels."""
MAX_OVERLAP = 0.3
"""Of two boxes that share more than this (intersection over union), the one with the higher score stays."""
_CLIP = 80.0
"""Raw scores are clipped, as exp() of a float32 would overflow."""


def anchors() -> Floats:
    """Return the centres (x, y) of the cells, row by row, as shares of the input's side: shape (2304, 2)."""
    centres = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
    return np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)


def decode_boxes(raw_scores: Floats, raw_boxes: Floats, min_score: float) -> tuple[Floats, Floats]:
    """Return the boxes (left, top, right, bottom; shares of the input's side) and their scores above `min_score`.

    `raw_scores` (2304,) are logits. The first columns of `raw_boxes` (2304, 16) are the centre, relative to the anchor,
    and the width and height, in pixels of the input; the others are points of the face, which are not used.
    """
    scores = 1 / (1 + np.exp(-np.clip(raw_scores, -_CLIP, _CLIP)))
    found = scores > min_score
    centres = anchors()[found] + raw_boxes[found, 0:2] / INPUT_SIDE
    halves = raw_boxes[found, 2:4] / INPUT_SIDE / 2
    return np.concatenate([centres - halves, centres + halves], axis=1), scores[found]


def suppress(boxes: Floats, scores: Floats, max_overlap: float = MAX_OVERLAP) -> NDArray[np.intp]:
    """Return the indices of the boxes that stay, the highest score first; of equal scores the first box counts more."""
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        order = rest[shared <= max_overlap * (areas[best] + areas[rest] - shared)]
    return np.array(kept, np.intp)


def tiles(width: int, height: int, per_side: int) -> list[tuple[int, int, int, int]]:
    """Return the parts (left, top, right, bottom; pixels) in which faces are looked for: first the whole image.

    With `per_side` above 1 a grid of as many tiles per side follows; each is larger by a quarter of its side than the
    grid, within the image, so that a face on a border lies whole in one of them.

    >>> tiles(100, 80, 1)
    [(0, 0, 100, 80)]
    >>> tiles(100, 80, 2)[1:3]
    [(0, 0, 56, 45), (44, 0, 100, 45)]
    """
    found = [(0, 0, width, height)]
    if per_side > 1:
        columns, rows = _spans(width, per_side), _spans(height, per_side)
        found += [(left, top, right, bottom) for top, bottom in rows for left, right in columns]
    return found


def _spans(size: int, count: int) -> list[tuple[int, int]]:
    margin = size / count / 8
    cuts = [(size * k / count - margin, size * (k + 1) / count + margin) for k in range(count)]
    spans = [(max(0, round(low)), min(size, round(high))) for low, high in cuts]
    return [(low, high) for low, high in spans if high > low]  # there are fewer pixels than tiles
