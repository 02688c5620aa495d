"""Stored originals look to a trainer as to a person: pixels against a composition over white by numpy."""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conf.schema.jobs import DownloadImagesConfig
from conf.schema.topics import DownloadConfig
from curation.core import storage
from curation.core.choices import Formats, Resize
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.images.as_seen import is_spoiled, read_colour_key
from curation.images.downloads import Downloads, download_recipe
from curation.images.encoding import RULES, Encoded, encode_image
from curation.images.ranges import Ranges
from jobs.download_settings import download_settings as download_settings_of
from tests.http_server import draw
from tests.unit.images.settings import download_settings, image_settings

NOISE = np.random.default_rng(8).integers(0, 256, (24, 32, 4), np.uint8)
GREY16 = np.random.default_rng(9).integers(0, 65536, (24, 32), np.uint16)
PALETTE = bytes(NOISE[0, :16, :3].tobytes())
INDICES = NOISE[..., 0] % 16


def png(depth: int, colour: int, rows: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG; `rows` are the bytes of each row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = rows.shape[1] * 8 // (depth * channels)
    head = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [chunk(b"IHDR", head), *(chunk(*each) for each in chunks), chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def big_endian(values: np.ndarray) -> np.ndarray:
    """Return 16-bit values (height, width or more) as rows of bytes."""
    return values.astype(">u2").reshape(len(values), -1).view(np.uint8)


def packed(values: np.ndarray, depth: int) -> np.ndarray:
    """Return values (height, width) of a few bits as rows of bytes."""
    bits = (values[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=1)


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Compose colours (height, width, 3) of 0 to 255 over white; alpha (height, width) is 0 to 255."""
    share = alpha[..., None] / 255
    return colours * share + 255 * (1 - share)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, 2)


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


RGB, ALPHA = NOISE[..., :3], NOISE[..., 3]
KEY16, KEY_RGB16 = int(GREY16[3, 3]), np.stack([GREY16, GREY16[::-1], GREY16[:, ::-1]], 2)
TRANSLUCENT = bytes(range(0, 256, 17))
SPOILED = {
    "16-bit grey": (png(16, 0, big_endian(GREY16)), grey(GREY16 / 256)),
    "16-bit grey with a transparent value": (
        png(16, 0, big_endian(GREY16), (b"tRNS", struct.pack(">H", KEY16))),
        grey(np.where(GREY16 == KEY16, 255, GREY16 / 256)),
    ),
    "grey of one value": (png(16, 0, big_endian(np.full((24, 32), 30_000))), np.full((24, 32, 3), 117)),
    "RGBA": (png(8, 6, NOISE.reshape(24, -1)), over_white(RGB, ALPHA)),
    "16-bit RGBA": (png(16, 6, big_endian(NOISE.astype(np.uint16) * 257)), over_white(RGB, ALPHA)),
    "grey with alpha": (png(8, 4, NOISE[..., 2:].reshape(24, -1)), over_white(grey(NOISE[..., 2]), ALPHA)),
    "16-bit grey with alpha": (
        png(16, 4, big_endian(NOISE[..., 2:].astype(np.uint16) * 257)),
        over_white(grey(NOISE[..., 2]), ALPHA),
    ),
    "palette with alpha": (
        png(8, 3, INDICES, (b"PLTE", PALETTE), (b"tRNS", TRANSLUCENT)),
        over_white(NOISE[0, :16, :3][INDICES], np.frombuffer(TRANSLUCENT, np.uint8)[INDICES]),
    ),
    "palette of 4 bits with a transparent colour": (
        png(4, 3, packed(INDICES, 4), (b"PLTE", PALETTE), (b"tRNS", b"\xff\xff\0")),
        np.where((INDICES == 2)[..., None], 255, NOISE[0, :16, :3][INDICES]),
    ),
    "RGB with a transparent colour": (
        png(8, 2, RGB.reshape(24, -1), (b"tRNS", struct.pack(">HHH", *RGB[5, 5].tolist()))),
        np.where((RGB[5, 5] == RGB).all(2)[..., None], 255, RGB),
    ),
    "16-bit RGB with a transparent colour": (
        png(16, 2, big_endian(KEY_RGB16), (b"tRNS", struct.pack(">HHH", *KEY_RGB16[5, 5].tolist()))),
        np.where((KEY_RGB16[5, 5] == KEY_RGB16).all(2)[..., None], 255, KEY_RGB16 >> 8),
    ),
    "grey with a transparent value": (
        png(8, 0, NOISE[..., 0], (b"tRNS", struct.pack(">H", int(NOISE[2, 2, 0])))),
        grey(np.where(NOISE[..., 0] == NOISE[2, 2, 0], 255, NOISE[..., 0])),
    ),
    "grey of 4 bits with a transparent value": (
        png(4, 0, packed(INDICES, 4), (b"tRNS", struct.pack(">H", 3))),
        grey(np.where(INDICES == 3, 255, INDICES * 17)),
    ),
    "grey of 2 bits with a transparent value": (
        png(2, 0, packed(INDICES % 4, 2), (b"tRNS", struct.pack(">H", 1))),
        grey(np.where(INDICES % 4 == 1, 255, INDICES % 4 * 85)),
    ),
    "black of 1 bit that is transparent": (
        png(1, 0, packed(INDICES % 2, 1), (b"tRNS", struct.pack(">H", 0))),
        np.full((24, 32, 3), 255),
    ),
}
"""Kind -> an image whose `convert("RGB")` shows something else, and its pixels as a person sees them."""
OPAQUE = NOISE | np.array([0, 0, 0, 255], np.uint8)
KEPT = {
    "RGB": png(8, 2, RGB.reshape(24, -1)),
    "16-bit RGB": png(16, 2, big_endian(KEY_RGB16)),
    "opaque RGBA": png(8, 6, OPAQUE.reshape(24, -1)),
    "opaque grey with alpha": png(8, 4, OPAQUE[..., 2:].reshape(24, -1)),
    "white under alpha": png(8, 6, (NOISE | np.array([255, 255, 255, 0], np.uint8)).reshape(24, -1)),
    "palette": png(8, 3, INDICES, (b"PLTE", PALETTE)),
    "opaque palette": png(8, 3, INDICES, (b"PLTE", PALETTE), (b"tRNS", b"\xff" * 16)),
    "grey": png(8, 0, NOISE[..., 0]),
    "1 bit": png(1, 0, packed(INDICES % 2, 1)),
    "a transparent colour that no pixel has": png(8, 0, NOISE[..., 0] | 1, (b"tRNS", b"\0\0")),
    "JPEG": draw(1),
    "grey JPEG": saved(NOISE[..., 0], "JPEG"),
    "WebP": draw(1, "WEBP"),
    "opaque WebP with alpha": saved(OPAQUE, "WEBP", lossless=True),
}


def stored(body: bytes, **changes: object) -> Encoded:
    return encode_image(body, image_settings(resize="original", **({"rules": RULES} | changes)))


def trained_on(found: Encoded) -> np.ndarray:
    """Return the pixels that OpenCLIP's loader gets."""
    opened = Image.open(io.BytesIO(found.data))
    assert opened.mode == "RGB"
    assert opened.format == {"jpg": "JPEG", "png": "PNG"}[found.ext]
    assert opened.size == (found.width, found.height) == (found.original_width, found.original_height)
    return np.asarray(opened.convert("RGB")).astype(float)


@pytest.mark.parametrize("kind", SPOILED)
def test_what_convert_would_spoil_is_stored_as_a_person_sees_it(kind: str) -> None:
    body, seen = SPOILED[kind]
    found = stored(body)
    assert found.ext == "png"
    assert np.abs(trained_on(found) - seen).max() <= 1
    assert stored(found.data).data == found.data, "the stored image is a plain one"
    before = stored(body, rules=1)
    assert (before.ext, before.data) == ("png", body), "a run of version 1 keeps its bytes"
    assert stored(body, formats=Formats.jpg, quality=100).ext == "jpg"


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("kind", KEPT)
def test_all_other_originals_keep_their_bytes(kind: str) -> None:
    body = KEPT[kind]
    assert stored(body).data == stored(body, rules=1).data
    opened = Image.open(io.BytesIO(body))
    read_colour_key(opened)
    opened.load()
    assert not is_spoiled(opened)


def test_transparent_webps_become_jpegs_on_white() -> None:
    smooth = np.dstack([np.full((64, 64, 3), 90, np.uint8), np.linspace(0, 255, 64).repeat(64).reshape(64, 64)])
    found = stored(saved(smooth.astype(np.uint8), "WEBP", lossless=True), quality=100)
    assert found.ext == "jpg"
    assert np.abs(trained_on(found) - over_white(smooth[..., :3], smooth[..., 3])).max() < 4


def test_one_format_is_stored_where_one_is_asked_for() -> None:
    bodies: Sequence[bytes] = [*KEPT.values(), *(body for body, _ in SPOILED.values()), draw(1, "GIF"), draw(1, "AVIF")]
    assert {stored(body, formats=Formats.jpg).ext for body in bodies} == {"jpg"}
    assert {stored(body).ext for body in bodies} == {"jpg", "png", "webp"}
    assert stored(draw(1), formats=Formats.jpg).data == stored(draw(1)).data, "JPEGs keep their bytes"
    small, large = (stored(draw(1, "PNG"), formats=Formats.jpg, quality=quality) for quality in (20, 95))
    assert len(small.data) < len(large.data)


def test_a_run_keeps_the_rules_by_which_its_originals_were_stored(tmp_path: Path) -> None:
    asked = download_settings(image=image_settings(resize="original", rules=RULES))
    begun = replace(asked, image=replace(asked.image, rules=1))
    new = Downloads(f"{tmp_path}/new")
    assert new.with_kept_rules(asked, False) == asked
    old = Downloads(f"{tmp_path}/old")
    old.begin(0)
    old.commit(0, download_recipe(begun), [], 0.0, ranges=1, complete=True)
    assert "rules" not in old.parts()[0].manifest["settings"]["image"]
    for overwrite in (False, True):
        assert old.with_kept_rules(asked, overwrite) == begun
    other = replace(asked, image=replace(asked.image, max_pixels=9))
    assert old.with_kept_rules(other, True) == other
    storage.write_json(f"{tmp_path}/old/_ranges.json", {"count": 1, "seed": 0})
    with pytest.raises(HeadtailError, match=r"\(download.max_pixels was \d+, is 9\)"):
        old.plan_ranges(old.with_kept_rules(other, False), 1, 1, 0, False)


def test_the_rules_of_originals_are_in_no_other_recipe() -> None:
    for resize, image in (("keep_ratio", {}), ("original", {"rules": RULES, "formats": "jpg"})):
        config = DownloadImagesConfig(output="/x", curated="/c")
        config.download = DownloadConfig(resize=Resize(resize), formats=Formats.jpg)
        settings = download_recipe(download_settings_of(config)).settings["image"]
        assert {name: settings[name] for name in ("rules", "formats") if name in settings} == image


def test_a_stopped_first_run_keeps_its_rules(tmp_path: Path) -> None:
    asked = download_settings(image=image_settings(resize="original", rules=RULES))
    begun = replace(asked, image=replace(asked.image, rules=1))
    downloads = Downloads(str(tmp_path))
    number = downloads.begin_generation(download_recipe(begun), Ranges(1, 0))
    receipt = Receipt("list", rows_in=1, rows_out=1)
    storage.write_bytes(f"{downloads.part_path(number)}/range-000000.json", receipt.to_json().encode())
    assert downloads.close_unfinished()
    assert downloads.with_kept_rules(asked, False) == begun
