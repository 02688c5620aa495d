"""Version 2 of the perceptual hash: as ImageHash's `phash`, from few pixels and in exact numbers.

A JPEG is decoded at an eighth of its size where 64 pixels are left for its shorter side. Its last column and row of
pixels may then lie half outside of the image: the hash counts the part within, so that an image has the same hash in
other sizes. Whole numbers take the place of the cosines and of the filter that scales to 32 x 32 pixels, so that the
sums are the same on every processor.
"""

import io
from functools import lru_cache
from types import ModuleType

import numpy as np
from PIL import Image

MIN_SIDE = 64
"""Pixels of the shorter side at which a JPEG is decoded, or more."""
_CELLS, _WAVES = 32, 8
_UNIT = 1 << 12
"""What stands for 1 in whole numbers; products of 255, a row and a column of them are exact in float64."""
_END, _TAIL = b"\xff\xd9", 64
"""The last marker of a JPEG, and the bytes among which it is sought: OpenCV fills in what is cut off."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""The markers of frame headers."""
_CACHED_SIDE = 1024
"""Pixels of the longest side whose waves are kept; web sites choose sides, and those of 65,535 pixels take 4 MB."""
_LOBES = 3
"""The filter is Pillow's LANCZOS."""


def quick_hash(data: bytes) -> str:
    """Return the hash of an image file as 16 hex digits. Raises what Pillow raises for a file that it cannot decode."""
    grey, width, height = _quickly(data) or _by_pillow(data)
    columns = _waves(grey.shape[1], width)
    low = (_waves(grey.shape[0], height) @ grey.astype(np.float64) @ columns.T).ravel()
    middle = np.sort(low)[31:33]
    return np.packbits(low * 2 > middle[0] + middle[1]).tobytes().hex()


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG, out of its frame header; None for what is no JPEG, or an unusual one.

    >>> jpeg_size(b"\\xff\\xd8" + b"\\xff\\xe0\\x00\\x04ab" + b"\\xff\\xc0\\x00\\x0b\\x08\\x00\\x02\\x01\\x00")
    (256, 2)
    """
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _scale(side: int) -> int:
    return next((scale for scale in (8, 4, 2) if side >= scale * MIN_SIDE), 1)


def _quickly(data: bytes) -> tuple[np.ndarray, float, float] | None:
    """Return the grey pixels of a JPEG, at a scale, and the width and height that the image has of them."""
    size = jpeg_size(data)
    if size is None or 0 in size:
        return None
    scale = _scale(min(size))
    grey = _decoded(data, scale)
    if grey is None or grey.shape != (-(-size[1] // scale), -(-size[0] // scale)):
        return None
    return grey, size[0] / scale, size[1] / scale


def _by_pillow(data: bytes) -> tuple[np.ndarray, float, float]:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        scale = _scale(min(width, height)) if image.format in ("JPEG", "MPO") else 1
        if scale > 1:
            image.draft("L", (width // scale, height // scale))
        grey = np.asarray(image.convert("L"))
    used = round(width / grey.shape[1])  # a draft may have another scale
    return grey, width / used, height / used


def _decoded(data: bytes, scale: int) -> np.ndarray | None:
    """Return the grey pixels of a JPEG, uint8; None for one that OpenCV does not decode, or that may be cut off."""
    if _END not in data[-_TAIL:]:
        return None
    cv2 = _opencv()
    flag = cv2.IMREAD_GRAYSCALE if scale == 1 else getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{scale}")
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None


def _waves(pixels: int, size: float) -> np.ndarray:
    """Return whole numbers of shape (8, pixels): the cosines of the hash over pixels, of which `size` are the image."""
    return _cached_waves(pixels, size) if pixels <= _CACHED_SIDE else _new_waves(pixels, size)


def _new_waves(pixels: int, size: float) -> np.ndarray:
    step = size / _CELLS
    reach = max(step, 1.0)
    centres = (np.arange(_CELLS)[:, np.newaxis] + 0.5) * step
    distances = (np.arange(pixels) + 0.5 - centres) / reach
    weights = np.where(np.abs(distances) < _LOBES, np.sinc(distances) * np.sinc(distances / _LOBES), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    angles = np.pi * np.arange(_WAVES)[:, np.newaxis] * (2 * np.arange(_CELLS) + 1) / (2 * _CELLS)
    sums = np.rint(np.cumsum(np.cos(angles) @ weights * _UNIT, axis=1))  # so that each wave but the first adds up to 0
    return np.diff(sums, axis=1, prepend=0)


_cached_waves = lru_cache(256)(_new_waves)


@lru_cache(1)
def _opencv() -> ModuleType:
    # Imported late: most runs do not need it.
    import cv2

    cv2.setNumThreads(1)  # a task has one core
    return cv2
