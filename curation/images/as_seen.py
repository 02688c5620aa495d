"""Images as a person sees them, in RGB of 8 bits. A trainer's `convert("RGB")` clips 16-bit grey, and drops alpha."""

import numpy as np
from PIL import Image, ImageChops

WHITE = (255, 255, 255)
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_KEY = "transparency"
"""Pillow's name of the colour of a PNG, or of the entries of its palette, that are transparent."""


def read_colour_key(image: Image.Image) -> None:
    """Bring the transparent colour of an opened PNG, whose pixels are not loaded yet, to the depth of Pillow's pixels.

    Pillow gives the colour as the file has it, in 2, 4 or 16 bits, but the pixels in 8; then no pixel would have it.
    """
    tile = getattr(image, "tile", None)
    layout = str(tile[0].args) if tile else ""
    key = image.info.get(_KEY)
    if layout == "RGB;16B" and isinstance(key, tuple):
        image.info[_KEY] = tuple(value >> 8 for value in key)
    elif layout in ("L;2", "L;4") and isinstance(key, int):
        image.info[_KEY] = key * (85 if layout == "L;2" else 17)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB: transparent pixels are white, 16 bits of grey keep their shades."""
    if image.mode == "RGB":
        return image  # convert() would copy
    if image.mode.startswith("I"):  # 16 bits of grey: convert() would clip values at 255
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in _ALPHA or _KEY in image.info:
        return _on_white(image)
    return image.convert("RGB")


def as_seen(image: Image.Image) -> Image.Image:
    """Return a loaded image in RGB as a person sees it; `read_colour_key` has read its transparent colour.

    Beside what `as_rgb` does, the transparent colour of a PNG in RGB or 16 bits of grey becomes white.
    """
    key = image.info.get(_KEY)
    if image.mode == "RGB" and key is not None:
        return _on_white(image)
    seen = as_rgb(image)
    if image.mode.startswith("I") and isinstance(key, int):
        seen.paste(WHITE, mask=Image.fromarray((np.asarray(image) == key).astype(np.uint8) * 255))
    return seen


def is_spoiled(image: Image.Image) -> bool:
    """Whether `convert("RGB")`, with which trainers read images, shows another image than a person sees.

    The image is loaded; `read_colour_key` has read its transparent colour.
    """
    if image.mode in _ALPHA:
        low, _ = image.getchannel(image.getbands()[-1]).getextrema()
        if low == 255:
            return False
    elif not image.mode.startswith("I") and _KEY not in image.info:
        return False
    return ImageChops.difference(as_seen(image), image.convert("RGB")).getbbox() is not None


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, WHITE)
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground
