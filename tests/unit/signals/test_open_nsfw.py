"""The real model of the signals `nsfw` and `embedding`; what a picture really shows, no test here knows."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

pytest.importorskip("onnxruntime", reason="the extra signals is not installed")
from curation.core.choices import Signal
from curation.signals.open_nsfw import EMBEDDING_SIZE, SHA256, OpenNsfw


def picture(seed: int) -> Image.Image:
    """Return a picture of forms in colours."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (320, 256), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        left, top, width, height = rng.integers(0, 200, 4).tolist()
        draw.ellipse((left, top, left + width, top + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def test_scores_are_probabilities_and_embeddings_tell_pictures_apart() -> None:
    model = OpenNsfw([Signal.nsfw, Signal.embedding])
    assert model.identity.sha256 == SHA256
    images = [picture(1), picture(1), ImageOps.mirror(picture(1)), picture(2)]
    found = [model.score(image) for image in images]
    assert found[0]["nsfw"] == found[1]["nsfw"]
    assert all(0 <= each["nsfw"] <= 1 for each in found)
    vectors = np.array([np.asarray(each["embedding"], np.float64) for each in found])
    assert vectors.shape == (4, EMBEDDING_SIZE)
    cosines = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01)
    assert cosines[1] == pytest.approx(1)
    assert cosines[2] > 0.9 > cosines[3]
