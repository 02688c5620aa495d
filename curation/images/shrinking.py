"""Shrinking images as Pillow does it with its Hamming filter: the same pixels, in a third of the time.

Pillow weighs the pixels one colour at a time. The weights are whole numbers of 22 bits, so the sums are exact in any
order: here the processor weighs 64 values at a time. The kernels run one after the other, rows first, and round to 8
bits between them, as Pillow does.
"""

import functools
import math
import platform

import numba
import numpy as np
import pyarrow as pa
from PIL import Image

BITS = 22
"""Bits of a weight behind the point: 8 bits of a value and a sign fit beside them into 32."""
ROWS = 16
"""Rows that are shrunk side by side. With 8 the compiler takes the loop for too short to weigh several at a time."""
HALF = 1 << BITS - 1
_A, _B = float(np.float32(0.54)), float(np.float32(0.46))
"""The constants of the Hamming window, in single precision as Pillow has them."""


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image | None:
    """Return a loaded image in RGB as `image.resize(size, HAMMING)` returns it, None where only Pillow can do it."""
    if image.mode != "RGB" or not _is_rows_first(image.size, size) or not as_pillow():
        return None
    return _shrink(image, size)


def _is_rows_first(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether every Pillow shrinks the rows first: Pillow 13 does not where the height loses twice what the width does.

    The order matters, since values are rounded in between.
    """
    return 10 * (before[1] - after[1]) <= 19 * (before[0] - after[0])


@functools.cache
def as_pillow() -> bool:
    """Whether this machine and this Pillow give the pixels that are expected; it is tried on two small images."""
    # Other processors fuse multiplications with additions, which changes the last bit of a weight.
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    for width, height, size in ((211, 67, (101, 32)), (90, 151, (50, 77))):
        noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
        image = Image.fromarray(noise)
        ours, pillow = _shrink(image, size), image.resize(size, Image.Resampling.HAMMING)
        if ours is None or ours.tobytes() != pillow.tobytes():
            return False
    return True


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image | None:
    try:
        shared = pa.array(image)
    except ValueError:  # over 16 MiB, Pillow keeps an image in pieces
        return None
    pixels = shared.flatten().to_numpy(zero_copy_only=True).view(np.uint32).reshape(image.height, image.width)
    narrow = np.empty((image.height, size[0]), np.uint32)
    shrink_rows(pixels, narrow, *weights(image.width, size[0]))
    small = np.empty((size[1], 4 * size[0]), np.uint8)
    shrink_columns(narrow.view(np.uint8), small, *weights(image.height, size[1]))
    return Image.frombytes("RGB", size, small, "raw", "RGBX")


@numba.njit(cache=True, nogil=True)
def _hamming(x: float) -> float:
    x = abs(x)
    if x == 0.0:
        return 1.0
    if x >= 1.0:
        return 0.0
    x = x * math.pi
    return math.sin(x) / x * (_A + _B * math.cos(x))


@numba.njit(cache=True, nogil=True)
def weights(before: int, after: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each of `after` values the first of the `before` values that it is made of, their number and weights.

    The weights are int32 with BITS bits behind the point, a row for each value.
    """
    scale = before / after
    support = max(scale, 1.0)
    firsts, counts = np.empty(after, np.int64), np.empty(after, np.int64)
    exact = np.empty(2 * math.ceil(support) + 1)
    found = np.zeros((after, len(exact)), np.int32)
    for place in range(after):
        centre = (place + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        count = min(int(centre + support + 0.5), before) - first
        total = 0.0
        for index in range(count):
            exact[index] = _hamming((index + first - centre + 0.5) * (1.0 / support))
            total += exact[index]
        for index in range(count):
            weight = exact[index] / total if total != 0.0 else exact[index]
            found[place, index] = int(0.5 + weight * (1 << BITS))
        firsts[place], counts[place] = first, count
    return firsts, counts, found


@numba.njit(cache=True, nogil=True)
def shrink_rows(
    pixels: np.ndarray, narrow: np.ndarray, firsts: np.ndarray, counts: np.ndarray, weighed: np.ndarray
) -> None:
    """Shrink the rows of `pixels` into those of `narrow`, both uint32 of four values; the rest is from `weights`."""
    height, width = pixels.shape
    columns = np.empty((width, ROWS), np.uint32)
    values = columns.view(np.uint8)
    # Were it a constant, the compiler would unroll the loops over it instead of weighing several values at a time.
    together = values.shape[1]
    sums, rounded = np.empty(together, np.int32), np.empty(together, np.uint8)
    result = rounded.view(np.uint32)
    for top in range(0, height, ROWS):
        rows = min(ROWS, height - top)
        for row in range(rows):
            for column in range(width):
                columns[column, row] = pixels[top + row, column]
        for place in range(narrow.shape[1]):
            sums[:] = HALF
            for index in range(counts[place]):
                weight, line = weighed[place, index], values[firsts[place] + index]
                for value in range(together):
                    sums[value] += np.int32(line[value]) * weight
            for value in range(together):
                rounded[value] = sums[value] >> BITS
            for row in range(rows):
                narrow[top + row, place] = result[row]


@numba.njit(cache=True, nogil=True)
def shrink_columns(
    values: np.ndarray, small: np.ndarray, firsts: np.ndarray, counts: np.ndarray, weighed: np.ndarray
) -> None:
    """Shrink the columns of `values` into those of `small`, both uint8; the rest is from `weights`."""
    height, width = small.shape
    sums = np.empty(width, np.int32)
    for place in range(height):
        sums[:] = HALF
        for index in range(counts[place]):
            weight, line = weighed[place, index], values[firsts[place] + index]
            for value in range(width):
                sums[value] += np.int32(line[value]) * weight
        for value in range(width):
            small[place, value] = sums[value] >> BITS
