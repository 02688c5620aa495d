"""A picture in the making: shapes in relative coordinates, drawn at twice the size and scaled down at the end."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

PALETTE: dict[str, Colour] = {
    "red": (214, 57, 58), "orange": (240, 140, 44), "yellow": (247, 203, 62), "green": (83, 158, 84),
    "blue": (54, 112, 196), "violet": (128, 82, 172), "pink": (240, 142, 172), "white": (248, 246, 241),
    "black": (52, 52, 60),
}  # fmt: skip

WHITE, CREAM, LEAF, WOOD = (255, 255, 255), (250, 240, 220), (96, 160, 84), (128, 88, 58)
BLACK, GLASS, BEAK = (32, 30, 38), (190, 224, 240), (240, 150, 50)

OVERSAMPLING = 2


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that lies `share` (0 to 1) of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


class Canvas:
    """An RGB picture of `width` x `height` pixels whose points are shares of its sides, y downwards."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.width, self.height = width * OVERSAMPLING, height * OVERSAMPLING
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)

    def gradient(self, colours: Sequence[Colour], top: float = 0.0, bottom: float = 1.0) -> None:
        """Fill the band between two heights with colours that run into each other from top to bottom."""
        column = Image.new("RGB", (1, len(colours)))
        for row, colour in enumerate(colours):
            column.putpixel((0, row), colour)
        first, last = round(top * self.height), round(bottom * self.height)
        band = column.resize((1, last - first), Image.Resampling.BICUBIC)
        self.image.paste(band.resize((self.width, last - first)), (0, first))

    def area(self, points: Sequence[Point], fill: Colour) -> None:
        """Fill a polygon."""
        self.draw.polygon([(x * self.width, y * self.height) for x, y in points], fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: Colour, flat: float = 1.0) -> None:
        """Fill an ellipse; the radius is a share of the shorter side, `flat` its height over its width."""
        rx = radius * min(self.width, self.height)
        x, y = x * self.width, y * self.height
        self.draw.ellipse([x - rx, y - rx * flat, x + rx, y + rx * flat], fill=fill)

    def stroke(self, points: Sequence[Point], fill: Colour, width: float = 0.004) -> None:
        """Draw a line; the width is a share of the shorter side."""
        pixels = max(1, round(width * min(self.width, self.height)))
        self.draw.line([(x * self.width, y * self.height) for x, y in points], fill=fill, width=pixels, joint="curve")

    def finish(self, mirrored: bool) -> Image.Image:
        """The picture in its final size."""
        image = self.image.resize(self.size, Image.Resampling.BOX)
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


class Pen:
    """Draws a subject in its own box: x from -0.5 to 0.5, y from 0 (where it stands) to 1, upwards.

    Every shape gets an outline, so that a white cat shows up in the snow.
    """

    def __init__(self, canvas: Canvas, x: float, foot: float, size: float, colour: str) -> None:
        self.canvas = canvas
        self.unit = size * min(canvas.width, canvas.height)
        self.x, self.y = x * canvas.width, foot * canvas.height
        self.base = PALETTE[colour]
        self.light = mix(self.base, (255, 255, 255), 0.35)
        self.dark = mix(self.base, (30, 30, 50), 0.22)
        self.ink = mix(self.base, (25, 22, 40), 0.55)
        self.line_width = max(2, round(self.unit * 0.012))

    def at(self, x: float, y: float) -> Point:
        """The pixel of a point of the box."""
        return self.x + x * self.unit, self.y - y * self.unit

    def poly(self, points: Sequence[Point], fill: Colour | None = None) -> None:
        """A filled polygon with an outline."""
        pixels = [self.at(*point) for point in points]
        self.canvas.draw.polygon(pixels, fill=fill or self.base)
        self.canvas.draw.line([*pixels, pixels[0], pixels[1]], fill=self.ink, width=self.line_width, joint="curve")

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour | None = None, outline: bool = True) -> None:
        """A filled ellipse."""
        box = [*self.at(x - rx, y + ry), *self.at(x + rx, y - ry)]
        width = self.line_width if outline else 0
        self.canvas.draw.ellipse(box, fill=fill or self.base, outline=self.ink if outline else None, width=width)

    def slice(self, x: float, y: float, rx: float, ry: float, start: int, end: int, fill: Colour | None = None) -> None:
        """A filled part of an ellipse between two angles in degrees, clockwise from three o'clock."""
        box = [*self.at(x - rx, y + ry), *self.at(x + rx, y - ry)]
        self.canvas.draw.pieslice(box, start, end, fill=fill or self.base, outline=self.ink, width=self.line_width)

    def arc(self, x: float, y: float, rx: float, ry: float, start: int, end: int, width: float = 1.0) -> None:
        """A part of an ellipse's outline, `width` times as thick as the other outlines."""
        box = [*self.at(x - rx, y + ry), *self.at(x + rx, y - ry)]
        self.canvas.draw.arc(box, start, end, fill=self.ink, width=round(self.line_width * width))

    def line(self, points: Sequence[Point], fill: Colour | None = None, width: float = 1.0) -> None:
        """A line through points, `width` times as thick as an outline."""
        pixels = [self.at(*point) for point in points]
        thickness = max(1, round(self.line_width * width))
        self.canvas.draw.line(pixels, fill=fill or self.ink, width=thickness, joint="curve")

    def eyes(self, y: float, apart: float, radius: float = 0.03) -> None:
        """Two eyes at the same height, each `apart` from the middle."""
        for x in (-apart, apart):
            self.oval(x, y, radius * 1.25, radius * 1.35, WHITE)
            self.oval(x, y, radius * 0.7, radius * 0.95, BLACK, outline=False)
            self.oval(x + radius * 0.25, y + radius * 0.35, radius * 0.25, radius * 0.25, WHITE, outline=False)
