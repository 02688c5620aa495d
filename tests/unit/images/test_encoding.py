"""Encoding of images: formats, sizes, removal of metadata, damaged files and bombs."""

import io
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curation.images.encoding import ImageError, encode_image
from tests.http_server import draw, many_scans, png_bomb, webp_bomb
from tests.unit.images.settings import image_settings

SMALL = image_settings(size=32)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def with_exif(kind: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    options: dict[str, Any] = (
        {"exif": exif, "xmp": b"<x:xmpmeta>SECRET</x:xmpmeta>"} if kind != "PNG" else {"exif": exif}
    )
    return (
        draw(1, kind, (64, 48), comment=b"SECRET", **options) if kind == "JPEG" else draw(1, kind, (64, 48), **options)
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize(
    ("resize", "size"),
    [
        ("no", (64, 48)),
        ("keep_ratio", (43, 32)),
        ("keep_ratio_largest", (32, 24)),
        ("center_crop", (32, 32)),
        ("border", (32, 32)),
    ],
    ids=["no", "keep_ratio", "keep_ratio_largest", "center_crop", "border"],
)
def test_every_format_becomes_a_jpeg_of_the_asked_size(kind: str, resize: str, size: tuple[int, int]) -> None:
    found = encode_image(draw(2, kind), image_settings(resize=resize, size=32))
    image = opened(found.data)
    assert (image.format, image.mode, found.ext) == ("JPEG", "RGB", "jpg")
    assert image.size == (found.width, found.height) == size
    assert (found.original_width, found.original_height) == (64, 48)


def test_smaller_images_are_enlarged_only_when_asked() -> None:
    body = draw(1, size=(64, 48))
    assert encode_image(body, image_settings(size=96)).width == 64
    assert encode_image(body, image_settings(size=96, only_if_bigger=False)).width == 128
    border = encode_image(body, image_settings(resize="border", size=96))
    assert (border.width, border.height) == (96, 96)


def test_large_jpegs_look_like_the_whole_image_resized() -> None:
    body = draw(5, size=(2000, 1500), quality=95)
    found = opened(encode_image(body, image_settings(size=256)).data)
    plain = opened(body).resize(found.size, Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(found, np.int16) - np.asarray(plain, np.int16)).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("resize", ["original", "no", "keep_ratio"])
def test_no_metadata_is_stored(kind: str, resize: str) -> None:
    body = with_exif(kind)
    assert b"SECRET" in body
    found = encode_image(body, image_settings(resize=resize, size=32))
    assert b"SECRET" not in found.data
    assert not opened(found.data).getexif()
    assert not opened(found.data).info.get("xmp")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_originals_keep_every_pixel(kind: str) -> None:
    body = with_exif(kind)
    found = encode_image(body, image_settings(resize="original"))
    assert opened(found.data).tobytes() == opened(body).tobytes()
    assert found.ext == {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}[kind]
    assert opened(found.data).size == (found.width, found.height)
    bare = encode_image(found.data, image_settings(resize="original"))
    assert bare.data == found.data


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}],
    ids=["progressive", "restart markers", "full colour"],
)
def test_jpegs_of_all_sorts_survive_stripping(options: dict) -> None:
    body = draw(1, size=(300, 200), comment=b"x", **options)
    found = encode_image(body, image_settings(resize="original"))
    assert len(found.data) < len(body)
    assert opened(found.data).tobytes() == opened(body).tobytes()


def several_pictures(**options: Any) -> bytes:
    """Return a JPEG with a second picture behind the first, as cameras write it."""
    out = io.BytesIO()
    further = Image.new("RGB", (64, 48), (9, 200, 9))
    Image.open(io.BytesIO(draw(1))).save(out, "MPO", save_all=True, append_images=[further], **options)
    assert Image.open(io.BytesIO(out.getvalue())).format == "MPO"
    return out.getvalue()


def test_of_several_pictures_in_a_jpeg_the_first_is_kept_as_it_is() -> None:
    body = several_pictures(comment=b"SECRET")
    found = encode_image(body, image_settings(resize="original"))
    assert (found.ext, opened(found.data).format) == ("jpg", "JPEG")
    assert opened(found.data).tobytes() == opened(body).tobytes()
    assert b"SECRET" not in found.data
    assert len(found.data) < 0.7 * len(body)


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE0, b"JFXX\0\x10SECRET-THUMBNAIL"),
        segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x02SECRET"),
        segment(0xEE, b"SECRET"),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01SECRET"),
        segment(0xED, b"SECRET"),
        segment(0xFE, b"SECRET"),
        b"SECRET",
    ],
    ids=["JFXX", "second JFIF", "APP14", "Adobe", "APP13", "comment", "no segment"],
)
def test_nothing_hides_between_the_segments_of_an_original(extra: bytes) -> None:
    body = draw(1)
    found = encode_image(body[:20] + extra + body[20:], image_settings(resize="original"))
    assert b"SECRET" not in found.data
    assert opened(found.data).tobytes() == opened(body).tobytes()


def test_unknown_chunks_of_a_webp_go() -> None:
    body = draw(1, "WEBP", exif=Image.Exif())
    body = body[:12] + body[12:] + b"JUNK" + (6).to_bytes(4, "little") + b"SECRET"
    body = body[:4] + (len(body) - 8).to_bytes(4, "little") + body[8:]
    found = encode_image(body, image_settings(resize="original"))
    assert b"SECRET" not in found.data
    assert opened(found.data).tobytes() == opened(draw(1, "WEBP")).tobytes()


def test_bytes_after_the_end_of_an_original_are_cut_off() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        found = encode_image(draw(1, kind) + b"SECRET" * 100, image_settings(resize="original"))
        assert b"SECRET" not in found.data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says(orientation: int) -> None:
    found = encode_image(with_exif("JPEG", orientation), image_settings(resize="no", quality=100))
    size = (48, 64) if orientation > 4 else (64, 48)
    assert (found.width, found.height) == (found.original_width, found.original_height) == size


def test_transparency_lies_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (40, 40), (10, 20, 30, 0)).save(out, "PNG")
    assert min(opened(encode_image(out.getvalue(), SMALL).data).getpixel((5, 5))) > 250
    out = io.BytesIO()
    Image.new("RGB", (40, 40), (10, 20, 30)).convert("P").save(out, "PNG", transparency=bytes(256))
    assert min(opened(encode_image(out.getvalue(), SMALL).data).getpixel((5, 5))) > 250


def test_grey_of_sixteen_bits_keeps_its_shades() -> None:
    out = io.BytesIO()
    Image.frombytes("I;16", (2, 1), (0x4000).to_bytes(2, "little") + (0xC000).to_bytes(2, "little")).resize(
        (64, 32), 0
    ).save(out, "PNG")
    found = opened(encode_image(out.getvalue(), image_settings(resize="no", quality=100)).data)
    assert abs(found.getpixel((5, 5))[0] - 0x40) < 4
    assert abs(found.getpixel((60, 5))[0] - 0xC0) < 4


@pytest.mark.parametrize("resize", ["original", "keep_ratio"])
def test_cmyk_and_animations_come_out_as_plain_rgb(resize: str) -> None:
    settings = image_settings(resize=resize, size=32)
    cmyk = io.BytesIO()
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(cmyk, "JPEG")
    red = opened(encode_image(cmyk.getvalue(), settings).data)
    assert red.mode == "RGB"
    assert red.getpixel((9, 9))[0] > 200 > 60 > red.getpixel((9, 9))[2]
    for kind in ("GIF", "WEBP", "PNG"):
        frames = [Image.new("RGB", (64, 64), color) for color in ((255, 0, 0), (0, 0, 255))]
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
        found = encode_image(out.getvalue(), settings)
        first = opened(found.data)
        assert found.ext == "jpg"
        assert first.getpixel((9, 9))[0] > 200 > 60 > first.getpixel((9, 9))[2]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"<!doctype html><title>x</title>", "not_an_image", id="HTML"),
        pytest.param(b"", "not_an_image", id="empty"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image", id="PostScript"),
        pytest.param(
            b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>', "vector_image", id="SVG"
        ),
        pytest.param(b"\xef\xbb\xbf  <SVG>", "vector_image", id="SVG behind a byte order mark"),
        pytest.param(draw(1)[:-300], "undecodable", id="JPEG without its end"),
        pytest.param(draw(1)[:20], "undecodable", id="JPEG of 20 bytes"),
        pytest.param(draw(1, "PNG")[:-200], "undecodable", id="PNG without its end"),
        pytest.param(draw(1, "PNG").replace(b"IDAT", b"IDAT\xff\xff", 1), "undecodable", id="PNG with bytes too many"),
        pytest.param(draw(1, "WEBP")[:60], "undecodable", id="WEBP of 60 bytes"),
        pytest.param(draw(1, "GIF")[:200], "undecodable", id="GIF of 200 bytes"),
        pytest.param(png_bomb(), "too_many_pixels", id="PNG bomb"),
        pytest.param(png_bomb(10_000), "too_many_pixels", id="smaller PNG bomb"),
        pytest.param(webp_bomb(), "too_many_pixels", id="WEBP bomb"),
        pytest.param(draw(1)[:-2] + b"\xff\xda\x00\x08" * 1000, "undecodable", id="JPEG of a thousand scans"),
        pytest.param(
            several_pictures() + b"\xff\xda\x00\x08" * 1000, "undecodable", id="pictures and a thousand scans"
        ),
    ],
)
def test_bodies_that_are_no_image_have_their_status(body: bytes, status: str) -> None:
    for resize in ("keep_ratio", "original"):
        with pytest.raises(ImageError) as caught:
            encode_image(body, image_settings(resize=resize))
        assert caught.value.status == status


def test_thirty_scans_are_decoded_and_more_are_not() -> None:
    for resize in ("keep_ratio", "original"):
        assert encode_image(many_scans(30), image_settings(resize=resize)).width == 64
        with pytest.raises(ImageError, match="more than 30 scans"):
            encode_image(many_scans(31), image_settings(resize=resize))
    # Scans of thumbnails and of pictures behind the first are not decoded.
    thumbnail = b"\xff\xe1" + (1000).to_bytes(2, "big") + (b"\xff\xda" * 499)
    assert encode_image(draw(1)[:2] + thumbnail[:400] + bytes(602) + draw(1)[2:], SMALL).ext == "jpg"


def test_bombs_cost_neither_time_nor_memory() -> None:
    bombs = [png_bomb(), webp_bomb(), png_bomb(65_000)]
    tracemalloc.start()
    start = time.monotonic()
    for bomb in bombs:
        with pytest.raises(ImageError):
            encode_image(bomb, SMALL)
    assert time.monotonic() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_strip_is_not_enlarged_to_a_bomb() -> None:
    with pytest.raises(ImageError, match="after resizing"):
        encode_image(draw(1, "PNG", (60_000, 1)), image_settings(size=512, only_if_bigger=False))
