"""Blurred faces: the detector finds none, nothing else changes, and small faces are blurred beside large ones."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from curation.images.blurring import blur_boxes, blur_file
from curation.images.encoding import ImageError
from tests.unit.signals.drawn_faces import blazeface, scene

PLACES = {
    "one": [(150, 100, 200)],
    "small beside large": [(40, 40, 280), (420, 330, 90)],
    "at the border": [(0, 0, 200), (440, 280, 200)],
}


def boxes_of(image: Image.Image) -> list[list[float]]:
    return blazeface(2).find(np.asarray(image))[0].tolist()


@pytest.mark.parametrize("name", PLACES)
def test_the_detector_finds_no_face_in_a_blurred_image(name: str) -> None:
    image = scene(640, 480, PLACES[name])
    boxes = boxes_of(image)
    assert len(boxes) == len(PLACES[name])
    data, ext = blur_file(jpeg(image), boxes, 90)
    assert ext == "jpg"
    assert boxes_of(Image.open(io.BytesIO(data)).convert("RGB")) == []


def test_what_is_far_from_a_box_stays_and_the_order_of_boxes_does_not_matter() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    image, boxes = Image.fromarray(noise), [[0.1, 0.2, 0.3, 0.5], [0.25, 0.3, 0.4, 0.6]]
    blurred = np.asarray(blur_boxes(image, boxes))
    assert (blurred == np.asarray(blur_boxes(image, boxes[::-1]))).all()
    assert (np.asarray(image) == noise).all(), "the image itself is not changed"
    assert (blurred[:, 220:] == noise[:, 220:]).all()
    assert (blurred[240:] == noise[240:]).all()
    assert noise[80:130, 60:100].std() > 70
    assert blurred[80:130, 60:100].std() < 10


def test_a_part_that_is_blurred_has_the_pixels_of_an_image_that_is_blurred_whole() -> None:
    """Only the surroundings of a box are blurred: a picture of many megapixels costs no more than its faces."""
    noise = Image.fromarray(np.random.default_rng(6).integers(0, 256, (500, 500, 3)).astype(np.uint8))
    box = [0.4, 0.4, 0.5, 0.5]
    small = noise.crop((100, 100, 350, 350))
    moved = [(edge * 500 - 100) / 250 for edge in box]
    whole, part = np.asarray(blur_boxes(noise, [box])), np.asarray(blur_boxes(small, [moved]))
    assert (whole[100:350, 100:350] == part).all()


@pytest.mark.parametrize(("kind", "ext"), [("PNG", "png"), ("WEBP", "jpg"), ("JPEG", "jpg")])
def test_a_png_stays_one_and_others_become_jpeg_without_metadata(kind: str, ext: str) -> None:
    out = io.BytesIO()
    ImageOps.invert(scene(64, 48, [])).save(out, kind, comment=b"secret")
    data, found = blur_file(out.getvalue(), [[0.0, 0.0, 0.5, 0.5]], 80)
    opened = Image.open(io.BytesIO(data))
    assert (found, opened.format, opened.size, opened.mode) == (
        ext,
        {"jpg": "JPEG", "png": "PNG"}[ext],
        (64, 48),
        "RGB",
    )
    assert b"secret" not in data
    assert data == blur_file(out.getvalue(), [[0.0, 0.0, 0.5, 0.5]], 80)[0]


def test_a_truncated_image_is_an_error_that_is_named() -> None:
    with pytest.raises(ImageError, match=r"truncated|broken"):
        blur_file(jpeg(scene(640, 480, []))[:900], [[0.0, 0.0, 1.0, 1.0]], 90)


def jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()
