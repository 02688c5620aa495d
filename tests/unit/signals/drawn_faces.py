"""Faces drawn by code, which BlazeFace takes for faces, and BlazeFace itself."""

from functools import cache

from PIL import Image, ImageDraw, ImageFilter

from curation.signals.faces import BlazeFace

GROUND = (90, 120, 90)


@cache
def blazeface(tiles_per_side: int) -> BlazeFace:
    """The detector, whose weights are read once."""
    return BlazeFace(tiles_per_side)


def drawn_face(side: int) -> Image.Image:
    """A square picture of a drawn face."""
    return _large_face().resize((side, side), Image.Resampling.LANCZOS)


@cache
def _large_face() -> Image.Image:
    """Hair, eyes, brows, nose, mouth."""
    image = Image.new("RGB", (400, 400), GROUND)
    draw = ImageDraw.Draw(image)
    draw.ellipse((70, 20, 330, 390), fill=(60, 40, 30))
    draw.ellipse((95, 60, 305, 380), fill=(224, 180, 150))
    for x in (150, 250):
        draw.ellipse((x - 28, 180, x + 28, 206), fill=(250, 250, 250))
        draw.ellipse((x - 13, 180, x + 13, 206), fill=(40, 30, 30))
        draw.rectangle((x - 32, 155, x + 32, 164), fill=(60, 40, 30))
    draw.polygon([(200, 200), (180, 265), (220, 265)], fill=(200, 150, 125))
    draw.ellipse((155, 295, 245, 330), fill=(180, 70, 70))
    draw.line((155, 312, 245, 312), fill=(120, 40, 40), width=4)
    return image.filter(ImageFilter.GaussianBlur(3))


def scene(width: int, height: int, faces: list[tuple[int, int, int]]) -> Image.Image:
    """A picture with drawn faces at (left, top, side)."""
    image = Image.new("RGB", (width, height), GROUND)
    for left, top, side in faces:
        image.paste(drawn_face(side), (left, top))
    return image
