"""Faces in images: boxes that a table of scores has, by which images are blurred or are no samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.amounts import join_or
from curation.core.choices import Faces
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.table_reader import read_rows

COLUMNS = ("face_boxes", "face_bboxes")
"""The column of `score_images`, and that of DataComp's metadata."""
Box = tuple[float, float, float, float]
EDGES = ("left", "top", "right", "bottom")
MAX_BOXES = 256
"""An image with more boxes counts as one whose faces are not known."""
_FARTHEST = 0.5
"""Boxes may pass the border of the image by this share of its side; farther ones are in pixels, not in shares."""
BOXES_SCHEMA = pa.schema([pa.field("boxes", pa.list_(pa.list_(pa.float32(), 4)))])
"""A row for each candidate of a range: its boxes (left, top, right, bottom) in [0, 1]; null: not known."""


@dataclass(frozen=True)
class FaceSettings:
    """What becomes of images with faces, and the column of boxes in the tables of scores ("": none is read)."""

    rule: Faces
    column: str


def find_boxes(asked: str | None, scores: Sequence[pa.Field]) -> pa.Field:
    """Return the column of boxes among the columns of scores: `asked`, or one of COLUMNS.

    Raises HeadtailError if there is none, if there are two, or if its type is not that of boxes.
    """
    found = [field for field in scores if field.name in ((asked,) if asked else COLUMNS)]
    if len(found) != 1:
        wanted = asked or join_or(COLUMNS)
        there = ", ".join(field.name for field in scores)[:300] or "no column"
        raise HeadtailError(
            f"faces needs one column of boxes ({wanted}), and scores have {there}: run score_images with "
            "signals=[faces] and give its table as scores, or name the column as face_boxes"
        )
    (field,) = found
    if not (is_ours(field.type) or _is_list(field.type, lambda kind: _is_list(kind, pa.types.is_floating))):
        raise HeadtailError(
            f"face_boxes: column {field.name} is {str(field.type)[:100]}, expected a list of boxes, each a list of "
            f"four numbers or a struct of {', '.join(EDGES)}"
        )
    return field


def is_ours(kind: pa.DataType) -> bool:
    """Whether boxes are structs, as `score_images` writes them; such boxes are those of the image as it is stored."""
    return _is_list(kind, lambda box: pa.types.is_struct(box) and {field.name for field in box} >= {*EDGES})


def _is_list(kind: pa.DataType, is_item: Any) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and bool(is_item(kind.value_type))


def read_boxes(value: Any) -> list[Box] | None:
    """Return the boxes of a row, cut at the borders of the image, without empty ones; None for a row that is faulty.

    >>> read_boxes([[0.5, -0.125, 1.25, 0.5]]), read_boxes([]), read_boxes(None), read_boxes([[10, 20, 60, 80]])
    ([(0.5, 0.0, 1.0, 0.5)], [], None, None)
    """
    if value is None or len(value) > MAX_BOXES:
        return None
    boxes: list[Box] = []
    for each in value:
        edges = [each[name] for name in EDGES] if isinstance(each, dict) else each
        if edges is None or len(edges) != 4 or any(edge is None or not math.isfinite(edge) for edge in edges):
            return None
        left, top, right, bottom = edges
        if min(left, top) < -_FARTHEST or max(right, bottom) > 1 + _FARTHEST or left > right or top > bottom:
            return None
        left, top, right, bottom = (min(max(float(edge), 0.0), 1.0) for edge in edges)
        if left < right and top < bottom:
            boxes.append((left, top, right, bottom))
    return boxes


def read_boxes_of(path: str, places: pa.ChunkedArray) -> list[list[list[float]]]:
    """Return the boxes of candidates at places of a range's file."""
    return read_rows(path, BOXES_SCHEMA).take(places)["boxes"].to_pylist()


def drop_faces(rows: pa.Table, path: str, rule: Faces, receipt: Receipt) -> pa.Table:
    """Return the candidates without those whose faces are not known, and for `drop` without those that have faces.

    `rows` have the column `place`. Reasons: no_face_boxes, face.
    """
    boxes = read_rows(path, BOXES_SCHEMA)["boxes"].take(rows["place"])
    known = np.asarray(boxes.is_valid())
    has_face = np.asarray(pc.fill_null(pc.greater(pc.list_value_length(boxes), 0), False))
    drops = known & has_face if rule == Faces.drop else np.zeros(len(known), bool)
    receipt.drops["no_face_boxes"] += int((~known).sum())
    receipt.drops["face"] += int(drops.sum())
    return rows.filter(pa.array(known & ~drops))
