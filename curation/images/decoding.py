"""Decoding stored images for models."""

from PIL import Image

from curation.images.as_seen import as_rgb
from curation.images.encoding import check_image, image_faults, image_kind, open_image

MAX_PIXELS = 89_000_000
"""Larger images are refused before decoding: the most that `download.max_pixels` allows. 270 MB in RGB."""


def decode_image(body: bytes, side: int) -> Image.Image:
    """Return the first frame of an image file in RGB of 8 bits, transparent pixels in white.

    A large JPEG may come in a half, a quarter or an eighth of its size, but its shorter side has at least twice `side`
    pixels then: the decoder is several times faster so. Raises ImageError: not_an_image, vector_image, too_many_pixels,
    undecodable (recognised, but damaged or truncated).
    """
    with image_faults():
        image = open_image(body)
        check_image(image, body, MAX_PIXELS)
        shorter = min(image.size)
        if image_kind(image) == "JPEG" and shorter > 4 * side:
            scale = 2 * side / shorter
            image.draft(None, (int(image.width * scale) + 1, int(image.height * scale) + 1))
        image.load()
        return as_rgb(image)
