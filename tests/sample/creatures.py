"""Animals, each drawn with a pen in the colour that the texts name."""

from random import Random

from tests.sample.canvas import BEAK, BLACK, CREAM, LEAF, WHITE, Pen


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
    pen.eyes(0.73, 0.1, 0.034)
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
    pen.eyes(0.81, 0.09)
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
