"""Crafted images: segments and chunks repeated, cut and inserted, sides and counts made huge.

python -m tests.fuzz.images variants=100000 seed=1
"""

import random
from collections import Counter
from functools import cache

from PIL import Image

from curation.images.encoding import RULES, ImageError, encode_image
from curation.shards.check import sample_problem
from tests.fuzz.harness import command_line, run_variants
from tests.http_server import draw
from tests.unit.images.settings import image_settings

GROWTH_BYTES = 1 << 29
"""Twice what docs/shards.md states for one image is never reached: the limit of pixels is lower here."""
MAX_PIXELS = 1 << 20
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
PIECES = [
    b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00", b"\xff\xd8", b"\xff\xd9", b"\xff\xe1\xff\xff", b"\xff\xfe\x00\x02",
    b"\xff\xc2\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00", b"\xff\xdd\x00\x04\x00\x01", b"\xff\xd0", b"\xff\x01",
    b"IDAT", b"IEND", b"\x7f\xff\xff\xff", b"zTXt", b"acTL", b"VP8X", b"RIFF", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
    b"GIF89a",
    b"!\xfe\xff", b"\0" * 50, b"\xff" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg>",
    b"ispe\0\0\0\0\x7f\xff\xff\xff\x7f\xff\xff\xff",
]  # fmt: skip


@cache
def _original(kind: str, number: int) -> bytes:
    options = {"progressive": True} if kind == "JPEG" and number % 2 else {}
    return draw(number, kind, (40, 30), **options)


def make(rng: random.Random) -> tuple[str, bytes]:
    """Return name and bytes of an image."""
    kind = rng.choice(KINDS)
    data = bytearray(_original(kind, rng.randrange(4)))
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = rng.randrange(min(len(data), 100) if rng.random() < 0.5 else len(data))
        match rng.randrange(5):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + rng.choice((0, 4, 20))] = rng.choice(PIECES) * rng.choice((1, 1, 40))
            case 2:
                data[at : at + 4] = rng.randbytes(4)
            case 3:
                other = rng.randrange(len(data))
                data[at:at] = data[other : other + rng.choice((10, 300))]
            case 4:
                del data[at : at + rng.choice((1, 20, 1000))]
        data = data or bytearray(b"x")
    return f"a.{kind.lower()}", bytes(data)


def read(_: str, data: bytes) -> str:
    """Encode an image in one of two ways, check it as a sample, and return what came of it."""
    resize = ("original", "keep_ratio")[len(data) % 2]
    sample = {"__key__": "0" * 24, "jpg": data, "txt": b"a", "json": b'{"uid": "%s", "text": "a"}' % (b"0" * 24)}
    problem = sample_problem(sample, Counter())
    assert problem, "the sides in the json are missing"
    try:
        found = encode_image(data, image_settings(resize=resize, size=32, max_pixels=MAX_PIXELS, rules=RULES))
    except ImageError as error:
        return error.status
    assert found.width * found.height <= MAX_PIXELS
    assert max(Image.MAX_IMAGE_PIXELS or 0, MAX_PIXELS) >= found.original_width * found.original_height
    return "image"


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns the outcomes."""
    return run_variants(make, read, variants, seed, GROWTH_BYTES)


if __name__ == "__main__":
    command_line(main)
