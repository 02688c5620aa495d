"""Faces by BlazeFace (full range), whose weights lie beside this module.

BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs (arXiv 1907.05047); the full-range variant of MediaPipe.
Limits: docs/signals.md.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.core.errors import HeadtailError
from curation.signals.boxes import INPUT_SIDE, Floats, decode_boxes, suppress, tiles
from curation.signals.model import Identity, sha256_of

WEIGHTS = "face_detection_full_range.tflite"
VERSION = "0.4.1657300184"
MIN_SCORE = 0.5
SCORES, BOXES = "reshaped_classifier_face_4", "reshaped_regressor_face_4"
"""The outputs of the network."""
EDGES = ("left", "top", "right", "bottom")
BOX = pa.struct([pa.field(name, pa.float32(), nullable=False) for name in (*EDGES, "score")])
FACE_COLUMNS = [
    pa.field("face_count", pa.int32(), nullable=False),
    pa.field("face_boxes", pa.list_(pa.field("element", BOX, nullable=False)), nullable=False),
]
_DIGITS = 3


class BlazeFace:
    """Finds faces in the whole image, and with `tiles_per_side` above 1 also in tiles, which finds smaller ones."""

    side = INPUT_SIDE
    columns = FACE_COLUMNS

    def __init__(self, tiles_per_side: int) -> None:
        # Imported late: most runs do not need OpenCV.
        import cv2

        cv2.setNumThreads(1)  # a task has one core
        weights = files("curation.signals").joinpath(WEIGHTS).read_bytes()
        self.identity = Identity("blazeface_full_range", VERSION, sha256_of(weights))
        self.side = INPUT_SIDE * tiles_per_side
        self._cv2, self._tiles = cv2, tiles_per_side
        if not hasattr(cv2.dnn, "readNetFromTFLite"):
            raise HeadtailError(
                f"signals=[faces] needs OpenCV 4.8 or newer, found {cv2.__version__}: "
                "pip install --upgrade opencv-python-headless"
            )
        self._network = cv2.dnn.readNetFromTFLite(np.frombuffer(weights, np.uint8))

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the number of faces, and their boxes in shares of the image's sides, the surest face first."""
        boxes, scores = self.find(np.asarray(image))
        rows = np.column_stack([boxes, scores]).astype(np.float64).round(_DIGITS).tolist()
        names = (*EDGES, "score")
        return {"face_count": len(rows), "face_boxes": [dict(zip(names, row, strict=True)) for row in rows]}

    def find(self, pixels: np.ndarray) -> tuple[Floats, Floats]:
        """Return the boxes (left, top, right, bottom; shares of the sides) of faces, and their scores.

        `pixels` have shape (height, width, 3), RGB of 8 bits. Boxes are cut at the borders of the image.
        """
        height, width = pixels.shape[:2]
        found_boxes, found_scores = [], []
        for left, top, right, bottom in tiles(width, height, self._tiles):
            boxes, scores = self._find_in(pixels[top:bottom, left:right])
            found_boxes.append((boxes + np.array([left, top] * 2)) / np.array([width, height] * 2))
            found_scores.append(scores)
        boxes = np.clip(np.concatenate(found_boxes), 0, 1).astype(np.float32)
        scores = np.concatenate(found_scores)
        kept = suppress(boxes, scores)
        return boxes[kept], scores[kept]

    def _find_in(self, pixels: np.ndarray) -> tuple[Floats, Floats]:
        """Return boxes in pixels, and scores: the pixels are scaled into the middle of a black square."""
        height, width = pixels.shape[:2]
        longer = max(height, width)
        size = [max(1, round(side * INPUT_SIDE / longer)) for side in (width, height)]
        method = self._cv2.INTER_AREA if longer > INPUT_SIDE else self._cv2.INTER_LINEAR
        square = np.zeros((INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
        x, y = ((INPUT_SIDE - side) // 2 for side in size)
        square[y : y + size[1], x : x + size[0]] = self._cv2.resize(pixels, size, interpolation=method)
        values = square.astype(np.float32).transpose(2, 0, 1)[np.newaxis] / 127.5 - 1
        self._network.setInput(values)
        raw_scores, raw_boxes = (np.asarray(raw, np.float32)[0] for raw in self._network.forward([SCORES, BOXES]))
        boxes, scores = decode_boxes(raw_scores[:, 0], raw_boxes, MIN_SCORE)
        offset, scale = np.array([x, y] * 2) / INPUT_SIDE, np.array([width / size[0], height / size[1]] * 2)
        return (boxes - offset) * INPUT_SIDE * scale, scores
