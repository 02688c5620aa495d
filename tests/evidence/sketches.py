"""Material without a network: shapes in colours, drawn by code, with names in two languages."""

from pathlib import Path

from PIL import Image, ImageDraw

from tests.evidence.material import SIDE, Concept, Material, read_material, write_concepts

COLOURS = {
    "red": ("roter", (214, 57, 58)),
    "green": ("grüner", (83, 158, 84)),
    "blue": ("blauer", (54, 112, 196)),
    "yellow": ("gelber", (247, 203, 62)),
    "violet": ("violetter", (128, 82, 172)),
    "black": ("schwarzer", (52, 52, 60)),
}
SHAPES = {
    "circle": ("Kreis", "circle"),
    "kite": ("Drachen", [(32, 2), (54, 24), (32, 62), (10, 24)]),
    "arrow": ("Pfeil", [(2, 26), (36, 26), (36, 8), (62, 32), (36, 56), (36, 38), (2, 38)]),
    "star": (
        "Stern",
        [(32, 2), (40, 24), (62, 24), (44, 38), (51, 60), (32, 46), (13, 60), (20, 38), (2, 24), (24, 24)],
    ),
    "tower": ("Turm", [(20, 2), (44, 2), (44, 16), (38, 16), (42, 62), (22, 62), (26, 16), (20, 16)]),
}
LINES = {"pen": 0, "brush": 5}
"""Vendors, and how thick they outline."""


def make_sketches(folder: Path) -> Material:
    """Make the material, unless it is there."""
    if (folder / "concepts.json").exists():
        return read_material(folder)
    concepts = []
    for shape, (german_shape, outline) in SHAPES.items():
        for colour, (german_colour, fill) in COLOURS.items():
            key = f"{colour}-{shape}"
            names = {"en": f"{colour} {shape}", "de": f"{german_colour} {german_shape}"}
            keywords = {"en": [shape, f"the colour {colour}"], "de": [german_shape, "eine schöne Zeichnung"]}
            concepts.append(Concept(key, names, keywords))
            for vendor, width in LINES.items():
                _draw(folder / "drawings" / vendor / f"{key}.png", outline, fill, width)
            _draw(folder / "exam" / f"{key}.png", outline, fill, 2)
    return write_concepts(folder, concepts, ["drawings: made by tests/evidence/sketches.py, Apache-2.0"])


def _draw(path: Path, outline: str | list[tuple[int, int]], fill: tuple[int, int, int], width: int) -> None:
    image = Image.new("RGBA", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    if isinstance(outline, str):
        draw.ellipse((4, 4, SIDE - 5, SIDE - 5), fill=fill, outline="black", width=width)
    else:
        draw.polygon(outline, fill=fill, outline="black" if width else None, width=max(1, width))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
