"""Blurring parts of stored images, such as faces.

As img2dataset does it, after ImageNet (Yang et al., A Study of Face Obfuscation in ImageNet, arXiv 2103.06191): a box
is enlarged by a tenth of its longer side, and blurred by a Gaussian within a soft border. There are three differences.
Each box is blurred by its own size: with the size of the largest for all, small faces beside a large one stay nearly
sharp. The deviation is a fifth of the longer side, and the border is narrower: of 117 faces (77 of photographs, 40
drawn) BlazeFace then finds none again. With a tenth it found most drawn ones; of 29 of photographs it found 23 in the
images of img2dataset 1.47, which hands a size of kernel to OpenCV and gets a third of the deviation that it asks for.
"""

import io
import math
from collections.abc import Iterable, Sequence

from PIL import Image, ImageFilter

from curation.images.as_seen import as_rgb
from curation.images.decoding import MAX_PIXELS
from curation.images.encoding import check_image, image_faults, open_image

MARGIN, DEVIATION, BORDER = 0.1, 0.2, 0.05
"""The margin on each side of a box, and the standard deviations of the blur and of its soft border, as shares of the
box's longer side."""
_REACH = 4
"""Standard deviations around a box that decide its pixels."""


def blur_boxes(image: Image.Image, boxes: Iterable[Sequence[float]]) -> Image.Image:
    """Return an image in RGB with blurred boxes (left, top, right, bottom; shares of the sides, in [0, 1]).

    The order of boxes does not matter. Arithmetic is in integers, so all machines give the same pixels.
    """
    blurred = image.copy()
    for left, top, right, bottom in sorted({tuple(box) for box in boxes}):
        low = math.floor(left * image.width), math.floor(top * image.height)
        high = math.ceil(right * image.width), math.ceil(bottom * image.height)
        longer = max(high[0] - low[0], high[1] - low[1])
        margin = math.ceil(MARGIN * longer)
        inner = _within(image, low, high, margin)
        region = _within(image, inner[:2], inner[2:], math.ceil(_REACH * (DEVIATION + BORDER) * longer) + 4)
        part = blurred.crop(region)
        mask = Image.new("L", part.size)
        x, y = region[:2]
        mask.paste(255, (inner[0] - x, inner[1] - y, inner[2] - x, inner[3] - y))
        soft = mask.filter(ImageFilter.GaussianBlur(BORDER * longer))
        smooth = part.filter(ImageFilter.GaussianBlur(DEVIATION * longer))
        blurred.paste(Image.composite(smooth, part, soft), (x, y))
    return blurred


def _within(image: Image.Image, low: Sequence[int], high: Sequence[int], more: int) -> tuple[int, int, int, int]:
    """Return a box that is larger by `more` pixels on each side, within the image."""
    left, top = (max(0, edge - more) for edge in low)
    right, bottom = (min(side, edge + more) for side, edge in zip(image.size, high, strict=True))
    return left, top, right, bottom


def blur_file(body: bytes, boxes: Sequence[Sequence[float]], quality: int) -> tuple[bytes, str]:
    """Return a stored image with blurred boxes as a file, and its extension.

    A PNG stays one; all other formats become JPEG of `quality`. Raises ImageError for a file that cannot be decoded.
    """
    with image_faults():
        opened = open_image(body)
        check_image(opened, body, MAX_PIXELS)
        kind = "PNG" if opened.format == "PNG" else "JPEG"
        opened.load()
        image = blur_boxes(as_rgb(opened), boxes)
        image.info = {}  # else save() would store a comment
        out = io.BytesIO()
        image.save(out, kind, quality=quality)
        return out.getvalue(), "png" if kind == "PNG" else "jpg"
