"""Bodies to images: judged by their header before a pixel is decoded, resized, and stored without metadata."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from curation.core.choices import Resize
from curation.images.strip_metadata import strip_metadata

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""Decoders that bodies from the web may reach; the others (EPS runs a program) stay closed."""
KEPT_FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
MAX_SCANS = 200
"""Start-of-scan markers in a JPEG: each costs a pass over all pixels, so a small file could take hours."""
_SCAN = b"\xff\xda"
ORIENTATION = 0x0112
"""The EXIF tag; 5 to 8 turn by a quarter."""
WHITE = (255, 255, 255)


@dataclass(frozen=True)
class ImageSettings:
    """What is stored of an image.

    `resize`: `original` keeps the bytes of JPEG, PNG and WebP, their metadata cut out; the others store a JPEG of
    `quality`: `no` in its own size, `keep_ratio` with the smaller side at `size` pixels, `keep_ratio_largest` the
    larger, `center_crop` a square out of the middle, `border` a square with white beside it. Smaller images are
    enlarged unless `only_if_bigger`. Images of more than `max_pixels` are refused before they are decoded.
    """

    resize: Resize
    size: int
    only_if_bigger: bool
    quality: int
    max_pixels: int


@dataclass
class Encoded:
    """An image as stored: bytes, extension, sides in pixels now and as found."""

    data: bytes
    ext: str
    width: int
    height: int
    original_width: int
    original_height: int


class ImageError(Exception):
    """A body that gives no image; `status` is the reason as counted."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def encode_image(body: bytes, settings: ImageSettings) -> Encoded:
    """Return what is stored of a body.

    Of an animation the first frame, CMYK and palettes as RGB, transparency on white, turned as EXIF says; EXIF,
    XMP, comments and colour profiles are not stored. Raises ImageError: not_an_image, vector_image,
    too_many_pixels, undecodable (recognised, but damaged or cut off).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = _open(body)
        try:
            width, height = image.size
            if width * height > settings.max_pixels:
                raise ImageError("too_many_pixels", f"{width} x {height}")
            if _kind(image) == "JPEG" and body.count(_SCAN) > MAX_SCANS:
                raise ImageError("undecodable", f"more than {MAX_SCANS} scans")
            return _encode(image, body, settings)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageError("too_many_pixels", str(error)) from None
        except ImageError:
            raise
        except MemoryError:
            raise
        except Exception as error:
            # Damaged files make decoders raise anything: OSError, SyntaxError, struct.error, IndexError, ...
            raise ImageError("undecodable", f"{type(error).__name__}: {error}") from None
        finally:
            image.close()


def _open(body: bytes) -> Image.Image:
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
    orientation = image.getexif().get(ORIENTATION, 1)
    width, height = image.size
    original = (height, width) if orientation in (5, 6, 7, 8) else (width, height)
    if settings.resize == Resize.original and _is_kept(image):
        image.load()  # a body that cannot be decoded is no image
        data = strip_metadata(body, _kind(image))
        return Encoded(data, KEPT_FORMATS[_kind(image)], width, height, width, height)
    if _kind(image) == "JPEG":
        # Lets the decoder leave out what resizing would throw away.
        target = _scaled(image.size, settings)
        image.draft(None, (2 * target[0], 2 * target[1]))
    pixels = _rgb(ImageOps.exif_transpose(image) if orientation in range(2, 9) else image)
    pixels = _resize(pixels, original, settings)
    pixels.info = {}  # a comment in there would be saved, too
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=settings.quality)
    return Encoded(out.getvalue(), "jpg", *pixels.size, *original)


def _kind(image: Image.Image) -> str:
    """The image's format; cameras and phones write JPEGs with further pictures behind the first (MPO)."""
    return "JPEG" if image.format == "MPO" else image.format or ""


def _is_kept(image: Image.Image) -> bool:
    """Still RGB or grey images of the formats that trainers read."""
    animated = image.format != "MPO" and getattr(image, "is_animated", False)
    return _kind(image) in KEPT_FORMATS and image.mode != "CMYK" and not animated


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image  # convert() would copy
    if image.mode.startswith("I"):  # 16 bits of grey: convert() would cut them off at 255
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGB", layer.size, WHITE)
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")


def _scaled(size: tuple[int, int], settings: ImageSettings) -> tuple[int, int]:
    """The sides of an image of the given size after scaling, before cropping or padding."""
    if settings.resize in (Resize.original, Resize.no):
        return size
    side = max(size) if settings.resize in (Resize.keep_ratio_largest, Resize.border) else min(size)
    if settings.only_if_bigger and side <= settings.size:
        return size
    width, height = (max(1, round(edge * settings.size / side)) for edge in size)
    if width * height > settings.max_pixels:  # enlarging a strip of one pixel by thousands
        raise ImageError("too_many_pixels", f"{width} x {height} after resizing")
    return width, height


def _resize(image: Image.Image, original: tuple[int, int], settings: ImageSettings) -> Image.Image:
    scaled = _scaled(original, settings)
    if scaled != image.size:
        smaller = scaled[0] < image.width
        image = image.resize(scaled, Image.Resampling.HAMMING if smaller else Image.Resampling.BICUBIC)
    square = (settings.size, settings.size)
    if settings.resize == Resize.center_crop and min(scaled) >= settings.size:
        left, top = (scaled[0] - settings.size) // 2, (scaled[1] - settings.size) // 2
        return image.crop((left, top, left + settings.size, top + settings.size))
    if settings.resize == Resize.border and max(scaled) <= settings.size and scaled != square:
        ground = Image.new("RGB", square, WHITE)
        ground.paste(image, ((settings.size - scaled[0]) // 2, (settings.size - scaled[1]) // 2))
        return ground
    return image
