"""Images that are shrunk by kernels have the pixels that Pillow gives them."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from curation.images import encoding, shrinking
from curation.images.encoding import encode_image
from curation.images.shrinking import as_pillow, shrink
from tests.unit.images.settings import image_settings

HAMMING = Image.Resampling.HAMMING
pytestmark = pytest.mark.skipif(shrinking.platform.machine() != "x86_64", reason="others shrink with Pillow")


def noise(width: int, height: int) -> Image.Image:
    """An image of random pixels, with black and white in it, where sums are largest and smallest."""
    pixels = np.random.default_rng(width * height).integers(-60, 315, (height, width, 3)).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def test_pixels_are_those_of_pillow() -> None:
    draw, tried = random.Random(0), 0
    sizes = [((2, 1), (1, 1)), ((900, 2), (450, 1)), ((900, 9), (512, 5)), ((170, 165), (169, 164)), ((40, 3), (20, 9))]
    sizes += [((480, 640), (360, 480)), ((300, 550), (150, 275))]
    for _ in range(60):
        width, height = draw.randint(2, 700), draw.randint(2, 400)
        sizes.append(((width, height), (draw.randint(1, width), draw.randint(1, height))))
    for before, after in sizes:
        image = noise(*before)
        if shrunk := shrink(image, after):
            assert shrunk.tobytes() == image.resize(after, HAMMING).tobytes(), (before, after)
            tried += 1
    assert tried > 40


def test_others_are_left_to_pillow() -> None:
    assert shrink(Image.new("L", (40, 30)), (20, 15)) is None
    assert shrink(Image.new("RGB", (90, 200)), (45, 100)) is None  # columns first
    assert shrink(Image.new("RGB", (2100, 2100)), (2000, 2000)) is None  # lies in pieces


@pytest.mark.parametrize("changed", ["processor", "pixels"])
def test_a_pillow_that_shrinks_otherwise_is_asked_itself(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if changed == "processor":
        monkeypatch.setattr(shrinking.platform, "machine", lambda: "aarch64")
    else:
        monkeypatch.setattr(shrinking, "_shrink", lambda _, size: Image.new("RGB", size))
    as_pillow.cache_clear()
    try:
        assert shrink(noise(40, 30), (20, 15)) is None
    finally:
        as_pillow.cache_clear()


def test_stored_bytes_do_not_depend_on_how_many_images_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    noise(900, 675).save(out, "JPEG")
    body = out.getvalue()
    settings = image_settings()
    monkeypatch.setattr(encoding, "_shrunk", 0)
    first = encode_image(body, settings)
    monkeypatch.setattr(encoding, "_shrunk", encoding.KERNELS_FROM)
    calls = []
    monkeypatch.setattr(shrinking, "shrink", lambda *given: calls.append(given) or shrink(*given))
    assert encode_image(body, settings) == first
    assert len(calls) == 1
