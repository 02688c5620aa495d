"""Plants and fruits, each drawn with a pen in the colour that the texts name."""

import math
from random import Random

from tests.sample.canvas import CREAM, LEAF, WHITE, WOOD, Pen, mix


def _leaf(pen: Pen, x: float, y: float, length: float, angle: float) -> None:
    dx, dy = length * math.cos(angle), length * math.sin(angle)
    sides = [(x + dx / 2 - dy * 0.3, y + dy / 2 + dx * 0.3), (x + dx / 2 + dy * 0.3, y + dy / 2 - dx * 0.3)]
    pen.poly([(x, y), sides[0], (x + dx, y + dy), sides[1]], LEAF)


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
