"""Encoding images for storage: size check before decoding, resizing, removal of metadata."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps

from curation.core.choices import Formats, Resize
from curation.core.recipes import added
from curation.images.as_seen import WHITE, as_rgb, as_seen, is_spoiled, read_colour_key
from curation.images.strip_metadata import count_scans, strip_metadata

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""The decoders of Pillow that are used on bodies from the web. Others are unsafe: EPS runs a program."""
KEPT_FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
MAX_SCANS = 30
"""Maximum number of scans in a JPEG. Each scan costs a pass over all pixels, so a small file could take hours."""
_SCAN, _MAX_MARKERS = b"\xff\xda", 200
"""Markers of scans anywhere in the file, in thumbnails and further pictures, too."""
ORIENTATION = 0x0112
"""The EXIF tag of orientation; with 5 to 8 the image is turned by a quarter."""
KERNELS_FROM = 200
"""Images that a process shrinks with Pillow before it loads kernels that are three times as fast: numba takes 0.5 s."""
_shrunk = 0
RULES = 2
"""The version of the rules of stored originals. A run keeps the rules by which it was begun (recipes.kept).

1: the bytes of JPEG, PNG and WebP are kept. 2: those that `convert("RGB")` would spoil are stored as a person sees
them.
"""


@dataclass(frozen=True)
class ImageSettings:
    """The form in which an image is stored.

    With `resize` original, the bytes of JPEG, PNG and WebP (with `formats` jpg: of JPEG) are kept, but for metadata,
    and for images that trainers would see otherwise than a person (`rules`). The other modes store a JPEG of
    `quality`: no: in its own size; keep_ratio: the smaller side is `size` pixels; keep_ratio_largest: the larger side
    is; center_crop: the square in the middle; border: a square with white borders. Smaller images are enlarged unless
    `only_if_bigger`. Images with more than `max_pixels` pixels are refused before they are decoded.
    """

    resize: Resize
    size: int
    only_if_bigger: bool
    quality: int
    max_pixels: int
    formats: str = added("all", default="all")
    rules: int = added(1, default=1)


@dataclass
class Encoded:
    """A stored image: bytes, file extension, sides in pixels as stored and as fetched (`original_`)."""

    data: bytes
    ext: str
    width: int
    height: int
    original_width: int
    original_height: int


class ImageError(Exception):
    """A body that is not stored; `status` is the reason as receipts count it."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def encode_image(body: bytes, settings: ImageSettings) -> Encoded:
    """Return the image of a body in the form in which it is stored.

    Of an animation the first frame is stored. CMYK and palettes become RGB, transparent pixels become white, and the
    EXIF orientation is applied, unless the bytes are kept. EXIF, XMP, comments and colour profiles are not stored.
    Raises ImageError: not_an_image, vector_image, too_many_pixels, undecodable (recognised, but damaged or truncated).
    """
    with image_faults():
        image = open_image(body)
        try:
            check_image(image, body, settings.max_pixels)
            return _encode(image, body, settings)
        finally:
            image.close()


@contextmanager
def image_faults() -> Iterator[None]:
    """Turn any error of a decoder in the block into an ImageError, without a warning on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageError("too_many_pixels", str(error)) from None
        except ImageError:
            raise
        except MemoryError:
            raise
        except Exception as error:
            # Decoders raise many kinds of errors on damaged files: OSError, SyntaxError, struct.error, IndexError, ...
            raise ImageError("undecodable", f"{type(error).__name__}: {error}") from None


def check_image(image: Image.Image, body: bytes, max_pixels: int) -> None:
    """Raise ImageError for an opened image that is a bomb, before it is decoded: too_many_pixels, undecodable."""
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"{width} x {height}")
    if image_kind(image) == "JPEG" and has_many_scans(body):
        raise ImageError("undecodable", f"more than {MAX_SCANS} scans")


def has_many_scans(body: bytes) -> bool:
    """Whether a JPEG has more scans than MAX_SCANS, or so many markers of scans that it was made to harm."""
    return count_scans(body, MAX_SCANS) > MAX_SCANS or body.count(_SCAN) > _MAX_MARKERS


def open_image(body: bytes) -> Image.Image:
    """Open a body with the safe decoders.

    Raises ImageError: not_an_image, vector_image, undecodable (a damaged header), too_many_pixels.
    """
    try:
        return Image.open(io.BytesIO(body), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too_many_pixels", str(error)) from None
    except Exception as error:
        head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if b"<svg" in head:
            raise ImageError("vector_image", "SVG") from None
        magic = (b"\xff\xd8\xff", b"\x89png", b"gif8", b"riff")
        if head.startswith(magic) and not isinstance(error, MemoryError):
            raise ImageError("undecodable", f"{type(error).__name__}: damaged header") from None
        raise ImageError("not_an_image", f"begins {bytes(body[:16])!r}") from None


def _encode(image: Image.Image, body: bytes, settings: ImageSettings) -> Encoded:
    originals_as_seen = settings.resize == Resize.original and settings.rules >= RULES
    if originals_as_seen:
        read_colour_key(image)
    orientation = image.getexif().get(ORIENTATION, 1)
    width, height = image.size
    original = (height, width) if orientation in (5, 6, 7, 8) else (width, height)
    ext = "jpg"
    if settings.resize == Resize.original and _is_kept(image, settings.formats):
        image.load()  # raises if the body cannot be decoded
        if not (originals_as_seen and is_spoiled(image)):
            data = strip_metadata(body, image_kind(image))
            return Encoded(data, KEPT_FORMATS[image_kind(image)], width, height, width, height)
        ext = "png" if image_kind(image) == "PNG" else ext  # a lossless file stays one
    if image_kind(image) == "JPEG":
        # The JPEG decoder can decode at a half, a quarter or an eighth of the size, which is faster.
        target = _scaled(image.size, settings)
        image.draft(None, (2 * target[0], 2 * target[1]))
    upright = ImageOps.exif_transpose(image) if orientation in range(2, 9) else image
    pixels = as_seen(upright) if originals_as_seen else as_rgb(upright)
    pixels = _resize(pixels, original, settings)
    pixels.info = {}  # else save() would store a comment
    out = io.BytesIO()
    pixels.save(out, "PNG" if ext == "png" else "JPEG", quality=settings.quality)
    return Encoded(out.getvalue(), ext, *pixels.size, *original)


def image_kind(image: Image.Image) -> str:
    """Return the format of an image. MPO counts as JPEG: cameras and phones append further pictures to a JPEG."""
    return "JPEG" if image.format == "MPO" else image.format or ""


def _is_kept(image: Image.Image, formats: str) -> bool:
    """Whether `original` keeps the bytes: formats that trainers read, neither CMYK nor animated."""
    animated = image.format != "MPO" and getattr(image, "is_animated", False)
    kinds = ("JPEG",) if formats == Formats.jpg else KEPT_FORMATS
    return image_kind(image) in kinds and image.mode != "CMYK" and not animated


def _scaled(size: tuple[int, int], settings: ImageSettings) -> tuple[int, int]:
    """Return the sides after scaling, before cropping or padding."""
    if settings.resize in (Resize.original, Resize.no):
        return size
    side = max(size) if settings.resize in (Resize.keep_ratio_largest, Resize.border) else min(size)
    if settings.only_if_bigger and side <= settings.size:
        return size
    width, height = (max(1, round(edge * settings.size / side)) for edge in size)
    if width * height > settings.max_pixels:  # a strip of one pixel, enlarged a thousand times
        raise ImageError("too_many_pixels", f"{width} x {height} after resizing")
    return width, height


def _resize(image: Image.Image, original: tuple[int, int], settings: ImageSettings) -> Image.Image:
    scaled = _scaled(original, settings)
    if scaled != image.size:
        image = _shrink(image, scaled) if scaled[0] < image.width else image.resize(scaled, Image.Resampling.BICUBIC)
    square = (settings.size, settings.size)
    if settings.resize == Resize.center_crop and min(scaled) >= settings.size:
        left, top = (scaled[0] - settings.size) // 2, (scaled[1] - settings.size) // 2
        return image.crop((left, top, left + settings.size, top + settings.size))
    if settings.resize == Resize.border and max(scaled) <= settings.size and scaled != square:
        ground = Image.new("RGB", square, WHITE)
        ground.paste(image, ((settings.size - scaled[0]) // 2, (settings.size - scaled[1]) // 2))
        return ground
    return image


def _shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize with the Hamming filter. The pixels do not depend on whether Pillow or a kernel does it."""
    global _shrunk
    _shrunk += 1
    if _shrunk > KERNELS_FROM:
        from curation.images import shrinking

        if shrunk := shrinking.shrink(image, size):
            return shrunk
    return image.resize(size, Image.Resampling.HAMMING)
