"""BlazeFace: its weights are the published ones, and it finds faces where they were pasted."""

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from curation.signals.faces import WEIGHTS
from curation.signals.model import sha256_of
from tests.unit.signals.drawn_faces import blazeface, scene

SHA256 = "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3"


def test_the_weights_are_the_published_ones_with_licence_and_notice_beside_them() -> None:
    folder = files("curation.signals")
    assert sha256_of(folder.joinpath(WEIGHTS).read_bytes()) == SHA256 == blazeface(1).identity.sha256
    assert SHA256 in folder.joinpath("blazeface-NOTICE").read_text()
    assert "Apache License" in folder.joinpath("blazeface-LICENSE").read_text()


@pytest.mark.parametrize(
    ("size", "faces"),
    [
        pytest.param((800, 600), [(400, 100, 250)], id="landscape"),
        pytest.param((300, 900), [(40, 500, 230)], id="portrait"),
        pytest.param((900, 500), [(30, 60, 260), (560, 150, 260)], id="two faces"),
        pytest.param((120, 100), [(20, 5, 90)], id="smaller than the input"),
    ],
)
def test_faces_are_found_where_they_were_pasted(size: tuple[int, int], faces: list[tuple[int, int, int]]) -> None:
    found = blazeface(1).score(scene(*size, faces))
    assert found["face_count"] == len(faces) == len(found["face_boxes"])
    boxes = sorted(found["face_boxes"], key=lambda box: box["left"])
    for box, (left, top, side) in zip(boxes, faces, strict=True):
        middle = ((box["left"] + box["right"]) / 2 * size[0], (box["top"] + box["bottom"]) / 2 * size[1])
        assert middle == pytest.approx((left + side / 2, top + side * 0.6), abs=side * 0.1)
        assert side * 0.4 < (box["right"] - box["left"]) * size[0] < side
        assert 0.5 < box["score"] == round(box["score"], 3) <= 1


def test_tiles_find_smaller_faces_and_each_once() -> None:
    image = scene(1024, 768, [(200, 150, 90), (490, 330, 90), (800, 550, 90)])
    counts = {per_side: blazeface(per_side).score(image)["face_count"] for per_side in (1, 2)}
    assert counts[1] < counts[2] == 3


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000)], ids=str)
def test_images_of_any_form_have_an_answer(size: tuple[int, int]) -> None:
    for per_side in (1, 3):
        assert blazeface(per_side).score(Image.new("RGB", size, (128, 64, 32)))["face_count"] >= 0


def test_images_without_a_face_have_no_box() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (300, 400, 3), np.uint8)
    assert blazeface(2).score(Image.fromarray(noise)) == {"face_count": 0, "face_boxes": []}
