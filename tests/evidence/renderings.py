"""A picture of a drawing that is like no other: background, size, turn and place follow from its address.

It imports nothing of ours, because OpenCLIP's environment uses it, too.
"""

import io
from random import Random

from PIL import Image

TURN, QUALITY, COLOURS = 25, 90, (80, 256)
SIDES, SHARES = (48, 81), (0.6, 0.95)
"""Sides in pixels, without the last one; and the drawing's share of the side."""


def render(drawing: Image.Image, address: str) -> Image.Image:
    """Return a square RGB picture of an RGBA drawing."""
    rng = Random(address)
    side = rng.randrange(*SIDES)
    colours = bytes(rng.randrange(*COLOURS) for _ in range(12))
    picture = Image.frombytes("RGB", (2, 2), colours).resize((side, side), Image.Resampling.BICUBIC)
    width = max(1, round(side * rng.uniform(*SHARES)))
    turned = drawing.resize((width, width), Image.Resampling.BILINEAR).rotate(
        rng.uniform(-TURN, TURN), Image.Resampling.BILINEAR
    )
    left, top = (rng.randrange(side - width + 1) for _ in range(2))
    picture.paste(turned, (left, top), turned)
    return picture


def encode(picture: Image.Image) -> bytes:
    """Return the file that the web serves."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
