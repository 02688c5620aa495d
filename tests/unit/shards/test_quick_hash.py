"""Version 2 of the perceptual hash: one hash for a picture in all sizes, whoever decodes it."""

import functools
import io

import numpy as np
import pytest
from PIL import Image

from curation.images.encoding import ORIENTATION
from curation.shards import quick_hash as module
from curation.shards.quick_hash import quick_hash

PINNED = "d454440b5b5b5b5e"


@functools.cache
def picture(seed: int, size: tuple[int, int] = (600, 450)) -> Image.Image:
    """Smooth noise with some texture: each seed another picture."""
    draw = np.random.default_rng(seed)
    smooth = Image.fromarray(draw.integers(0, 256, (6, 8, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    texture = Image.fromarray(draw.integers(0, 256, (150, 200, 3), np.uint8)).resize(size)
    return Image.blend(smooth, texture, 0.2)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **({"compress_level": 1} if kind == "PNG" else options))
    return out.getvalue()


def test_a_picture_has_one_hash_in_all_sizes_and_qualities() -> None:
    apart: list[int] = []
    hashes = set()
    for seed in range(10):
        image = picture(seed)
        first = int(quick_hash(encoded(image, quality=95)), 16)
        hashes.add(first)
        # 600 x 450 is decoded at a quarter, 1237 x 927 at an eighth, 133 x 99 as it is.
        for size, quality in (((1237, 927), 80), ((133, 99), 90), ((600, 450), 40)):
            other = encoded(image.resize(size, Image.Resampling.LANCZOS), quality=quality)
            apart.append((first ^ int(quick_hash(other), 16)).bit_count())
    assert np.mean(np.array(apart) == 0) > 0.7
    assert max(apart) <= 4
    assert len(hashes) == 10


def test_the_hash_is_the_same_in_every_version_of_the_libraries() -> None:
    """It is stored, and compared with those of other sets: a change needs another version."""
    pixels = np.arange(96 * 128, dtype=np.int64).reshape(96, 128)
    image = Image.fromarray(((pixels * pixels // 977) % 251).astype(np.uint8))
    assert quick_hash(encoded(image, "PNG")) == PINNED


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("grey", [255, 128, 10])
def test_an_image_of_one_colour_has_one_hash_in_all_sizes(kind: str, grey: int) -> None:
    sizes = [(64, 64), (100, 80), (333, 250), (640, 480), (1000, 700), (65, 999), (517, 131)]
    assert len({quick_hash(encoded(Image.new("L", size, grey), kind)) for size in sizes}) == 1


@pytest.mark.parametrize("size", [(600, 450), (1301, 1024), (97, 131), (1300, 9), (8, 8)], ids=str)
def test_pillow_decodes_what_opencv_does_not(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(picture(1, size), quality=90)
    expected = quick_hash(data)
    monkeypatch.setattr(module, "_decoded", lambda *_: None)
    apart = (int(quick_hash(data), 16) ^ int(expected, 16)).bit_count()
    assert apart == 0


def test_formats_and_modes_of_one_picture() -> None:
    image = picture(2)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    expected = quick_hash(encoded(image, "PNG"))
    others = {
        "progressive": encoded(image, quality=95, progressive=True),
        "exif": encoded(image, quality=95, exif=exif),
        "grey": encoded(image.convert("L"), quality=95),
        "cmyk": encoded(image.convert("CMYK"), quality=95),
        "webp": encoded(image, "WEBP", quality=95),
        "alpha": encoded(image.convert("RGBA"), "PNG"),
    }
    apart = {name: (int(quick_hash(body), 16) ^ int(expected, 16)).bit_count() for name, body in others.items()}
    assert max(apart.values()) <= 2, apart


def test_a_damaged_file_is_an_error() -> None:
    with pytest.raises(OSError, match=r"truncated|identify"):
        quick_hash(encoded(picture(3), "PNG")[:2000])
    with pytest.raises(OSError, match="truncated"):
        quick_hash(encoded(picture(3))[:-2000])  # OpenCV would fill the rest with grey
    with pytest.raises(OSError, match="identify"):
        quick_hash(b"no image")


def test_sides_that_a_hostile_web_site_chooses_fill_no_memory() -> None:
    module._cached_waves.cache_clear()
    for side in (100, 1024, 1025, 65_535):  # those of a JPEG
        assert module._waves(side, side).shape == (8, side)
    assert module._cached_waves.cache_info().currsize == 2
    assert (module._cached_waves.cache_info().maxsize or 1 << 20) * 8 * 8 * module._CACHED_SIDE <= 16 << 20
