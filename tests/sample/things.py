"""What people build and use, each drawn with a pen in the colour that the texts name."""

import math
from random import Random

from tests.sample.canvas import CREAM, GLASS, WHITE, WOOD, Pen, mix


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
    pen.eyes(up + 0.02, 0.08)
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
