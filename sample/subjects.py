"""What a picture shows: two dozen subjects, each drawn with a pen in the colour that the texts name."""

import math
from collections.abc import Callable
from random import Random

from sample.canvas import Pen, mix

WHITE, CREAM, LEAF, WOOD = (255, 255, 255), (250, 240, 220), (96, 160, 84), (128, 88, 58)
BLACK, GLASS, BEAK = (32, 30, 38), (190, 224, 240), (240, 150, 50)


def _eyes(pen: Pen, y: float, apart: float, radius: float = 0.03) -> None:
    for x in (-apart, apart):
        pen.oval(x, y, radius * 1.25, radius * 1.35, WHITE)
        pen.oval(x, y, radius * 0.7, radius * 0.95, BLACK, outline=False)
        pen.oval(x + radius * 0.25, y + radius * 0.35, radius * 0.25, radius * 0.25, WHITE, outline=False)


def _leaf(pen: Pen, x: float, y: float, length: float, angle: float) -> None:
    dx, dy = length * math.cos(angle), length * math.sin(angle)
    sides = [(x + dx / 2 - dy * 0.3, y + dy / 2 + dx * 0.3), (x + dx / 2 + dy * 0.3, y + dy / 2 - dx * 0.3)]
    pen.poly([(x, y), sides[0], (x + dx, y + dy), sides[1]], LEAF)


def cat(pen: Pen, rng: Random) -> None:
    """Sits and looks at us."""
    tail = [(0.16, 0.06), (0.34, 0.08), (0.42, 0.22), (0.38, 0.38 + rng.uniform(0, 0.1))]
    pen.line(tail, pen.ink, 7)
    pen.line(tail, pen.base, 5)
    pen.oval(0, 0.3, 0.24, 0.31)
    pen.oval(0, 0.25, 0.13, 0.2, pen.light, outline=False)
    for side in (-1, 1):
        pen.poly([(side * 0.22, 0.74), (side * 0.23, 1.0), (side * 0.06, 0.86)])
        pen.poly([(side * 0.19, 0.8), (side * 0.2, 0.93), (side * 0.11, 0.86)], (244, 176, 178))
        pen.oval(side * 0.1, 0.04, 0.09, 0.05)
    pen.oval(0, 0.7, 0.25, 0.2)
    _eyes(pen, 0.73, 0.1, 0.034)
    pen.poly([(-0.025, 0.665), (0.025, 0.665), (0, 0.64)], (236, 130, 140))
    pen.arc(-0.03, 0.64, 0.03, 0.03, 0, 160)
    pen.arc(0.03, 0.64, 0.03, 0.03, 20, 180)
    for side in (-1, 1):
        for rise in (-0.02, 0.02):
            pen.line([(side * 0.12, 0.655), (side * 0.33, 0.655 + rise * 2)], pen.ink, 0.6)


def dog(pen: Pen, rng: Random) -> None:
    """Sits with its tongue out."""
    pen.line([(0.18, 0.1), (0.36, 0.2 + rng.uniform(0, 0.12))], pen.ink, 6)
    pen.oval(0, 0.3, 0.25, 0.31)
    pen.oval(0, 0.26, 0.13, 0.2, pen.light, outline=False)
    for side in (-1, 1):
        pen.oval(side * 0.11, 0.04, 0.1, 0.055)
    pen.oval(0, 0.74, 0.23, 0.22)
    for side in (-1, 1):
        pen.oval(side * 0.24, 0.72, 0.075, 0.2, pen.dark)
    pen.oval(0, 0.65, 0.13, 0.1, pen.light)
    pen.oval(0, 0.57, 0.035, 0.055, (236, 110, 126))
    pen.oval(0, 0.7, 0.05, 0.035, BLACK)
    _eyes(pen, 0.81, 0.09)
    pen.poly([(-0.13, 0.53), (0.13, 0.53), (0.12, 0.5), (-0.12, 0.5)], (206, 66, 72))
    pen.oval(0, 0.485, 0.03, 0.03, (250, 206, 80))


def bird(pen: Pen, rng: Random) -> None:
    """Stands in profile."""
    for x in (-0.05, 0.07):
        pen.line([(x, 0.22), (x, 0.02), (x + 0.06, 0.0)], BEAK, 2)
        pen.line([(x, 0.02), (x - 0.05, 0.0)], BEAK, 2)
    lift = rng.uniform(0, 0.12)
    pen.poly([(-0.2, 0.45), (-0.5, 0.5 + lift), (-0.48, 0.38 + lift), (-0.2, 0.32)], pen.dark)
    pen.oval(0, 0.42, 0.28, 0.24)
    pen.oval(0.06, 0.35, 0.18, 0.15, pen.light, outline=False)
    pen.poly([(0.35, 0.78), (0.52, 0.72), (0.35, 0.67)], BEAK)
    pen.oval(0.2, 0.72, 0.18, 0.17)
    pen.oval(0.26, 0.76, 0.035, 0.04, WHITE)
    pen.oval(0.27, 0.76, 0.018, 0.024, BLACK, outline=False)
    pen.poly([(0.08, 0.5), (-0.32, 0.34), (-0.2, 0.48), (-0.14, 0.56)], pen.dark)


def fish(pen: Pen, rng: Random) -> None:
    """Swims in a glass bowl, so that it may be anywhere."""
    pen.oval(0, 0.42, 0.49, 0.42, (206, 232, 244))
    pen.slice(0, 0.42, 0.49, 0.42, 345, 195, (142, 200, 226))
    pen.poly([(-0.14, 0.42), (-0.36, 0.56), (-0.32, 0.42), (-0.36, 0.28)], pen.dark)
    pen.poly([(0, 0.55), (0.08, 0.66), (0.16, 0.52)], pen.dark)
    pen.oval(0.06, 0.42, 0.24, 0.15)
    for x in (0.0, 0.08):
        pen.arc(x - 0.06, 0.42, 0.07, 0.08, 300, 60)
    pen.oval(0.2, 0.45, 0.034, 0.036, WHITE)
    pen.oval(0.21, 0.45, 0.018, 0.02, BLACK, outline=False)
    for i in range(3):
        pen.oval(0.34, 0.52 + i * 0.08, 0.014 + i * 0.005, 0.014 + i * 0.005, WHITE)
    for x in (-0.3, -0.22 + rng.uniform(-0.02, 0.02)):
        pen.line([(x, 0.1), (x - 0.03, 0.18), (x + 0.02, 0.25)], LEAF, 2.5)
    pen.oval(0, 0.82, 0.3, 0.035, (232, 246, 250))


def butterfly(pen: Pen, rng: Random) -> None:
    """Flies with open wings."""
    up = 0.2 + rng.uniform(0, 0.1)
    for side in (-1, 1):
        pen.oval(side * 0.19, up + 0.17, 0.17, 0.16, pen.dark)
        pen.oval(side * 0.25, up + 0.46, 0.24, 0.22)
        pen.oval(side * 0.28, up + 0.49, 0.13, 0.12, pen.light, outline=False)
        pen.oval(side * 0.3, up + 0.51, 0.05, 0.05, CREAM)
        pen.oval(side * 0.2, up + 0.15, 0.07, 0.06, pen.light, outline=False)
        pen.line([(0, up + 0.58), (side * 0.06, up + 0.72), (side * 0.12, up + 0.75)], BLACK, 1.2)
    pen.oval(0, up + 0.33, 0.035, 0.27, (66, 52, 54))
    pen.oval(0, up + 0.6, 0.045, 0.045, (66, 52, 54))


def flower(pen: Pen, rng: Random) -> None:
    """One blossom on a long stem."""
    pen.line([(0, 0), (0.02, 0.3), (0, 0.65)], (70, 130, 70), 4)
    _leaf(pen, 0.01, 0.12, 0.3, 0.6)
    _leaf(pen, 0.01, 0.2, 0.28, math.pi - 0.5)
    petals, turn = rng.randrange(6, 10), rng.uniform(0, 1)
    for i in range(petals):
        angle = turn + i * 2 * math.pi / petals
        pen.oval(0.19 * math.cos(angle), 0.7 + 0.19 * math.sin(angle), 0.125, 0.125, pen.base if i % 2 else pen.light)
    pen.oval(0, 0.7, 0.13, 0.13, (250, 214, 84) if pen.base != (247, 203, 62) else (150, 94, 50))


def tree(pen: Pen, rng: Random) -> None:
    """A trunk and a round crown."""
    pen.poly([(-0.07, 0), (0.07, 0), (0.04, 0.45), (-0.04, 0.45)], WOOD)
    for x, y, radius in ((-0.22, 0.55, 0.2), (0.22, 0.55, 0.2), (0, 0.74, 0.25), (0, 0.52, 0.2)):
        pen.oval(x, y, radius, radius)
    for x, y, radius in ((-0.2, 0.56, 0.17), (0.2, 0.55, 0.17), (0, 0.7, 0.22), (0, 0.53, 0.18)):
        pen.oval(x, y, radius, radius, outline=False)
    for _ in range(9):
        x, y = rng.uniform(-0.28, 0.28), rng.uniform(0.45, 0.85)
        pen.oval(x, y, 0.035, 0.03, pen.light, outline=False)


def mushroom(pen: Pen, rng: Random) -> None:
    """A cap with dots."""
    pen.poly([(-0.12, 0), (0.12, 0), (0.09, 0.5), (-0.09, 0.5)], CREAM)
    pen.slice(0, 0.44, 0.45, 0.46, 180, 360)
    pen.oval(0, 0.44, 0.45, 0.07, mix(CREAM, pen.base, 0.15))
    dot = WHITE if pen.base != (248, 246, 241) else (196, 170, 140)
    for x, y, radius in ((-0.25, 0.58, 0.05), (-0.05, 0.75, 0.065), (0.2, 0.65, 0.055), (0.33, 0.53, 0.03)):
        pen.oval(x, y + rng.uniform(-0.02, 0.02), radius, radius * 0.85, dot, outline=False)


def apple(pen: Pen, rng: Random) -> None:
    """With a stalk and a leaf."""
    for x in (-0.14, 0.14):
        pen.oval(x, 0.38, 0.3, 0.37)
    for x in (-0.14, 0.14):
        pen.oval(x, 0.38, 0.28, 0.35, outline=False)
    pen.oval(-0.24, 0.5, 0.06, 0.11, pen.light, outline=False)
    pen.line([(0, 0.68), (0.03, 0.9)], WOOD, 3.5)
    _leaf(pen, 0.03, 0.8, 0.28, rng.uniform(0.2, 0.7))


def pear(pen: Pen, rng: Random) -> None:
    """Round below, slim above."""
    pen.oval(0, 0.3, 0.31, 0.3)
    pen.oval(0, 0.62, 0.17, 0.2)
    pen.poly([(-0.16, 0.58), (0.16, 0.58), (0.28, 0.42), (-0.28, 0.42)])
    pen.oval(0, 0.3, 0.29, 0.28, outline=False)
    pen.oval(0, 0.6, 0.15, 0.19, outline=False)
    pen.oval(-0.13, 0.38, 0.05, 0.1, pen.light, outline=False)
    pen.line([(0, 0.8), (-0.03, 0.96)], WOOD, 3.5)
    _leaf(pen, -0.01, 0.86, 0.26, rng.uniform(0.1, 0.6))


def cherry(pen: Pen, rng: Random) -> None:
    """One fruit on a long stalk."""
    pen.line([(0.02, 0.5), (0.1, 0.75), (0.24 + rng.uniform(0, 0.06), 0.97)], (104, 122, 66), 3)
    _leaf(pen, 0.24, 0.93, 0.34, math.pi - 0.25)
    pen.oval(0, 0.29, 0.3, 0.29)
    pen.oval(-0.11, 0.4, 0.06, 0.07, pen.light, outline=False)


def boat(pen: Pen, rng: Random) -> None:
    """Under sail."""
    pen.line([(0, 0.2), (0, 0.98)], WOOD, 3)
    pen.poly([(0.03, 0.3), (0.03, 0.95), (0.42, 0.3)], CREAM)
    pen.poly([(-0.03, 0.3), (-0.03, 0.85), (-0.32, 0.3)], pen.light)
    pen.poly([(0.0, 0.98), (0.0, 0.92), (-0.12, 0.95 + rng.uniform(-0.01, 0.01))], pen.base)
    pen.poly([(-0.48, 0.25), (0.48, 0.25), (0.34, 0.04), (-0.34, 0.04)])
    pen.poly([(-0.46, 0.22), (0.46, 0.22), (0.44, 0.18), (-0.44, 0.18)], WHITE)
    for x in (-0.45, -0.15, 0.15):
        pen.poly([(x, 0.0), (x + 0.15, 0.07), (x + 0.3, 0.0)], (96, 170, 208))


def house(pen: Pen, rng: Random) -> None:
    """Walls in its colour."""
    pen.poly([(0.16, 0.7), (0.27, 0.7), (0.27, 0.93), (0.16, 0.93)], (150, 96, 80))
    pen.poly([(-0.36, 0), (0.36, 0), (0.36, 0.5), (-0.36, 0.5)])
    pen.poly([(-0.46, 0.48), (0.46, 0.48), (0, 0.9)], mix(pen.dark, (110, 60, 50), 0.5))
    pen.poly([(-0.08, 0), (0.08, 0), (0.08, 0.28), (-0.08, 0.28)], WOOD)
    pen.oval(0.05, 0.14, 0.014, 0.014, (250, 214, 90))
    glass = (255, 226, 140) if rng.random() < 0.5 else GLASS
    for x in (-0.23, 0.23):
        pen.poly([(x - 0.08, 0.2), (x + 0.08, 0.2), (x + 0.08, 0.37), (x - 0.08, 0.37)], glass)
        pen.line([(x, 0.2), (x, 0.37)])
        pen.line([(x - 0.08, 0.285), (x + 0.08, 0.285)])
    pen.oval(0, 0.62, 0.07, 0.07, glass)


def lighthouse(pen: Pen, rng: Random) -> None:
    """Striped, with its light on."""
    for side in (-1, 1):
        beam = [(side * 0.08, 0.86), (side * 0.5, 0.97), (side * 0.5, 0.79 + rng.uniform(0, 0.03)), (side * 0.08, 0.84)]
        pen.canvas.draw.polygon([pen.at(*point) for point in beam], fill=(255, 240, 170))
    pen.poly([(-0.26, 0), (0.26, 0), (0.2, 0.09), (-0.2, 0.09)], (150, 146, 142))
    for i in range(5):
        low, high = 0.08 + i * 0.14, 0.22 + i * 0.14
        a, b = 0.18 - 0.018 * i, 0.18 - 0.018 * (i + 1)
        stripe = pen.base if i % 2 == 0 else (WHITE if pen.base != (248, 246, 241) else (196, 206, 216))
        pen.poly([(-a, low), (a, low), (b, high), (-b, high)], stripe)
    pen.poly([(-0.14, 0.78), (0.14, 0.78), (0.14, 0.81), (-0.14, 0.81)], (90, 90, 100))
    pen.poly([(-0.08, 0.81), (0.08, 0.81), (0.08, 0.91), (-0.08, 0.91)], (255, 230, 120))
    pen.poly([(-0.11, 0.91), (0.11, 0.91), (0, 1.0)], pen.dark)
    pen.poly([(-0.05, 0.09), (0.05, 0.09), (0.05, 0.19), (-0.05, 0.19)], WOOD)


def windmill(pen: Pen, rng: Random) -> None:
    """Four sails before a tower."""
    pen.poly([(-0.22, 0), (0.22, 0), (0.13, 0.6), (-0.13, 0.6)])
    pen.slice(0, 0.6, 0.15, 0.14, 180, 360, pen.dark)
    pen.poly([(-0.06, 0), (0.06, 0), (0.06, 0.18), (-0.06, 0.18)], WOOD)
    pen.oval(0, 0.36, 0.05, 0.05, GLASS)
    turn = rng.uniform(0.2, 1.3)
    for i in range(4):
        c, s = math.cos(turn + i * math.pi / 2), math.sin(turn + i * math.pi / 2)
        corners = [(0.08, 0), (0.4, 0), (0.4, 0.11), (0.08, 0.11)]
        pen.poly([(c * r - s * w, 0.6 + s * r + c * w) for r, w in corners], CREAM)
        for r in (0.16, 0.24, 0.32):
            pen.line([(c * r, 0.6 + s * r), (c * r - s * 0.11, 0.6 + s * r + c * 0.11)], (170, 150, 120), 0.8)
        pen.line([(0, 0.6), (c * 0.41, 0.6 + s * 0.41)], WOOD, 2)
    pen.oval(0, 0.6, 0.035, 0.035, WOOD)


def balloon(pen: Pen, rng: Random) -> None:
    """A hot air balloon with a basket."""
    up = rng.uniform(0.08, 0.2)
    for x in (-0.07, 0.07):
        pen.line([(x, up + 0.14), (x * 2.4, up + 0.4)], WOOD, 1.2)
    pen.poly([(-0.29, up + 0.46), (0.29, up + 0.46), (0.1, up + 0.26), (-0.1, up + 0.26)])
    pen.oval(0, up + 0.6, 0.34, 0.33)
    pen.oval(0, up + 0.6, 0.21, 0.32, pen.light)
    pen.oval(0, up + 0.6, 0.08, 0.32, pen.base)
    pen.poly([(-0.09, up), (0.09, up), (0.1, up + 0.14), (-0.1, up + 0.14)], (170, 118, 70))
    pen.line([(-0.1, up + 0.07), (0.1, up + 0.07)], (120, 80, 46), 1.5)


def kite(pen: Pen, rng: Random) -> None:
    """In the air, with bows on its tail."""
    top, right, low, left = (0.1, 1.0), (0.4, 0.72), (0.02, 0.36), (-0.22, 0.76)
    centre = (0.09, 0.74)
    for corner, fill in (
        ((top, right), pen.light),
        ((right, low), pen.base),
        ((low, left), pen.dark),
        ((left, top), pen.base),
    ):
        pen.poly([corner[0], corner[1], centre], fill)
    swing = rng.uniform(-0.05, 0.05)
    tail = [low, (-0.1, 0.27), (-0.02 + swing, 0.17), (-0.2, 0.08), (-0.14 + swing, 0.0)]
    pen.line(tail, pen.ink, 1.5)
    for x, y in tail[1:4]:
        pen.poly([(x - 0.06, y + 0.03), (x, y), (x - 0.06, y - 0.03)], pen.light)
        pen.poly([(x + 0.06, y + 0.03), (x, y), (x + 0.06, y - 0.03)], pen.light)


def car(pen: Pen, rng: Random) -> None:
    """From the side."""
    pen.poly([(-0.28, 0.3), (-0.18, 0.52), (0.15, 0.52), (0.28, 0.3)])
    pen.poly([(-0.22, 0.32), (-0.15, 0.48), (-0.02, 0.48), (-0.02, 0.32)], GLASS)
    pen.poly([(0.02, 0.32), (0.02, 0.48), (0.13, 0.48), (0.22, 0.32)], GLASS)
    pen.poly([(-0.48, 0.1), (0.48, 0.1), (0.49, 0.24), (0.4, 0.31), (-0.44, 0.31), (-0.49, 0.24)])
    pen.line([(-0.46, 0.2), (0.46, 0.2)], pen.light, 2)
    pen.oval(0.46, 0.22, 0.025, 0.03, (255, 240, 160))
    pen.line([(-0.02, 0.3), (-0.02, 0.12)])
    spokes = rng.randrange(3, 6)
    for x in (-0.27, 0.27):
        pen.oval(x, 0.1, 0.11, 0.11, (44, 44, 50))
        pen.oval(x, 0.1, 0.06, 0.06, (206, 208, 214))
        for i in range(spokes):
            angle = i * 2 * math.pi / spokes
            pen.line([(x, 0.1), (x + 0.05 * math.cos(angle), 0.1 + 0.05 * math.sin(angle))], (120, 122, 130))


def umbrella(pen: Pen, rng: Random) -> None:
    """Open."""
    pen.line([(0, 0.1), (0, 0.98)], WOOD, 3)
    pen.arc(0.06, 0.1, 0.06, 0.08, 0, 180, 3)
    pen.slice(0, 0.5, 0.48, 0.44, 180, 360)
    for x, rx, fill in ((0, 0.3, pen.light), (0, 0.11, pen.base)):
        pen.slice(x, 0.5, rx, 0.44, 180, 360, fill)
    if rng.random() < 0.5:
        for x in (-0.36, 0.0, 0.36):
            pen.oval(x, 0.6, 0.03, 0.03, CREAM, outline=False)


def cup(pen: Pen, rng: Random) -> None:
    """Steaming, on a saucer."""
    pen.oval(0, 0.07, 0.45, 0.07, pen.light)
    pen.oval(0.34, 0.36, 0.13, 0.14, pen.dark)
    pen.oval(0.34, 0.36, 0.07, 0.08, CREAM)
    pen.poly([(-0.34, 0.55), (0.34, 0.55), (0.28, 0.2), (0.2, 0.08), (-0.2, 0.08), (-0.28, 0.2)])
    pen.oval(0, 0.55, 0.34, 0.07, pen.light)
    pen.oval(0, 0.54, 0.28, 0.05, (116, 72, 46))
    pen.poly([(-0.31, 0.36), (0.31, 0.36), (0.3, 0.29), (-0.3, 0.29)], CREAM if rng.random() < 0.5 else pen.light)
    for x in (-0.13, 0.0, 0.13):
        steam = [(x, 0.66), (x + 0.03, 0.72), (x - 0.02, 0.79), (x + 0.02, 0.88)]
        pen.line(steam, (236, 238, 242), 2)


def tent(pen: Pen, rng: Random) -> None:
    """Open in front."""
    pen.line([(-0.02, 0.86), (0.02, 0.7)], WOOD, 2)
    pen.poly([(0, 0.76), (0.48, 0.02), (-0.48, 0.02)])
    pen.poly([(0, 0.76), (0.48, 0.02), (0.28, 0.02)], pen.dark)
    pen.poly([(0, 0.62), (0.15, 0.02), (-0.15, 0.02)], (70, 58, 66))
    pen.poly([(0, 0.62), (-0.15, 0.02), (-0.27 + rng.uniform(-0.03, 0.03), 0.02)], pen.light)
    pen.poly([(0, 0.86), (0.14, 0.82), (0, 0.78)], (250, 214, 90))


def flag(pen: Pen, rng: Random) -> None:
    """Waves on a pole."""
    pen.line([(-0.32, 0), (-0.32, 0.98)], WOOD, 4)
    pen.oval(-0.32, 0.99, 0.03, 0.03, (250, 214, 90))
    phase = rng.uniform(-0.6, 0.6)
    steps = [i / 16 for i in range(17)]
    wave = [0.045 * math.sin(6 * s + phase) for s in steps]
    for high, low, fill in ((0.94, 0.78, pen.base), (0.78, 0.66, pen.light), (0.66, 0.5, pen.base)):
        top = [(-0.31 + 0.78 * s, high + w) for s, w in zip(steps, wave, strict=True)]
        under = [(-0.31 + 0.78 * s, low + w) for s, w in zip(steps, wave, strict=True)]
        pen.poly([*top, *reversed(under)], fill)


def star(pen: Pen, rng: Random) -> None:
    """Five points and a smile."""
    up, turn = 0.5, rng.uniform(-0.1, 0.1)
    points = []
    for i in range(10):
        radius, angle = (0.5, 0.25)[i % 2], math.pi / 2 + turn + i * math.pi / 5
        points.append((radius * math.cos(angle), up + radius * math.sin(angle)))
    pen.poly(points)
    pen.oval(0, up - 0.02, 0.2, 0.18, pen.light, outline=False)
    _eyes(pen, up + 0.02, 0.08)
    pen.arc(0, up - 0.03, 0.08, 0.07, 20, 160, 1.5)


def heart(pen: Pen, rng: Random) -> None:
    """With a gleam."""
    points = []
    for i in range(60):
        a = i * 2 * math.pi / 60
        y = 13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)
        points.append((0.46 * math.sin(a) ** 3, 0.54 + y * 0.0285))
    pen.poly(points)
    pen.oval(-0.22, 0.74, 0.07, 0.09, pen.light, outline=False)
    pen.oval(-0.13, 0.82 + rng.uniform(-0.01, 0.01), 0.03, 0.03, WHITE, outline=False)


SUBJECTS: dict[str, Callable[[Pen, Random], None]] = {
    "cat": cat, "flower": flower, "boat": boat, "house": house, "bird": bird, "tree": tree, "dog": dog, "star": star,
    "lighthouse": lighthouse, "apple": apple, "heart": heart, "butterfly": butterfly, "balloon": balloon,
    "car": car, "fish": fish, "umbrella": umbrella, "windmill": windmill, "cup": cup, "mushroom": mushroom,
    "kite": kite, "pear": pear, "tent": tent, "flag": flag, "cherry": cherry,
}  # fmt: skip
"""The subjects, the most frequent first."""
