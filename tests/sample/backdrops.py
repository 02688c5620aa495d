"""Where a picture is set: ten backdrops, each telling where a subject stands in it."""

import math
from collections.abc import Callable
from random import Random

from tests.sample.canvas import WHITE, Canvas, Colour, mix


def _cloud(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    for dx, dy, radius in ((-0.9, 0.1, 0.55), (0, -0.25, 0.8), (0.9, 0.1, 0.6), (0.3, 0.2, 0.6)):
        canvas.disc(x + dx * size, y + dy * size * 0.6, radius * size, colour, 0.7)


def _clouds(canvas: Canvas, rng: Random, colour: Colour) -> None:
    for _ in range(rng.randrange(1, 4)):
        _cloud(canvas, rng.uniform(0.05, 0.95), rng.uniform(0.08, 0.3), rng.uniform(0.04, 0.08), colour)


def _hill(canvas: Canvas, rng: Random, top: float, height: float, colour: Colour, waves: float = 1.3) -> None:
    phase, other = rng.uniform(0, 6), rng.uniform(0, 6)
    ridge = [
        (i / 40, top - height * (0.6 * math.sin(i / 40 * 6.28 * waves + phase) + 0.4 * math.sin(i / 6 + other)) / 2)
        for i in range(41)
    ]
    canvas.area([*ridge, (1, 1), (0, 1)], colour)


def _fir(canvas: Canvas, x: float, foot: float, height: float, colour: Colour, cap: Colour | None = None) -> None:
    width = height * 0.26 * canvas.height / canvas.width
    canvas.area([(x - width * 0.12, foot), (x + width * 0.12, foot), (x, foot - height * 0.4)], (98, 70, 52))
    for level in range(3):
        low = foot - height * (0.14 + 0.24 * level)
        half, high = width * (1 - 0.26 * level), low - height * 0.38
        canvas.area([(x - half, low), (x + half, low), (x, high)], mix(colour, WHITE, 0.05 * level))
        if cap:
            canvas.area([(x - half * 0.4, low - height * 0.23), (x + half * 0.4, low - height * 0.23), (x, high)], cap)


def sea(canvas: Canvas, rng: Random) -> float:
    """Waves up to the horizon, a strip of sand in front."""
    canvas.gradient([(120, 190, 232), (190, 226, 240), (236, 243, 236)], 0, 0.52)
    canvas.disc(rng.uniform(0.65, 0.9), 0.16, 0.075, (255, 232, 150))
    _clouds(canvas, rng, WHITE)
    canvas.gradient([(60, 134, 178), (44, 116, 166), (92, 176, 188)], 0.5, 0.84)
    for row in range(7):
        y, step = 0.54 + row * 0.04, 0.05 + row * 0.012
        shift = rng.uniform(0, step)
        for i in range(int(1 / (2 * step)) + 1):
            x = shift + i * 2 * step
            canvas.stroke([(x, y), (x + step / 2, y - 0.008), (x + step, y)], (172, 216, 226), 0.004 + row * 0.0006)
    _hill(canvas, rng, 0.83, 0.02, WHITE, 2)
    _hill(canvas, rng, 0.85, 0.02, (236, 214, 166), 2)
    return 0.93


def beach(canvas: Canvas, rng: Random) -> float:
    """Wide sand with shells, a narrow sea, a palm."""
    canvas.gradient([(98, 182, 230), (176, 222, 240)], 0, 0.42)
    _clouds(canvas, rng, (250, 252, 253))
    canvas.gradient([(34, 130, 170), (94, 198, 200)], 0.4, 0.6)
    _hill(canvas, rng, 0.57, 0.03, (232, 246, 240))
    _hill(canvas, rng, 0.6, 0.03, (243, 220, 168))
    canvas.gradient([(243, 220, 168), (229, 198, 140)], 0.64, 1)
    for _ in range(40):
        canvas.disc(rng.random(), rng.uniform(0.66, 0.99), rng.uniform(0.003, 0.006), (208, 176, 122), 0.6)
    x, lean = rng.uniform(0.06, 0.16), rng.uniform(0.04, 0.1)
    canvas.stroke([(x, 0.75), (x + lean * 0.4, 0.5), (x + lean, 0.27)], (134, 96, 62), 0.028)
    for angle in (-165, -130, -60, -15, 20, 160):
        dx, dy = 0.15 * math.cos(math.radians(angle)), 0.1 * math.sin(math.radians(angle))
        tip = (x + lean + dx, 0.27 + dy + 0.05)
        canvas.area([(x + lean, 0.26), (x + lean + dx * 0.6, 0.25 + dy * 0.9), tip], (72, 142, 84))
    return 0.9


def meadow(canvas: Canvas, rng: Random) -> float:
    """Hills and grass full of small flowers."""
    canvas.gradient([(126, 196, 236), (214, 236, 240)], 0, 0.6)
    canvas.disc(rng.uniform(0.1, 0.9), 0.15, 0.07, (255, 238, 160))
    _clouds(canvas, rng, WHITE)
    _hill(canvas, rng, 0.52, 0.12, (150, 196, 138))
    _hill(canvas, rng, 0.6, 0.1, (126, 184, 106))
    _hill(canvas, rng, 0.68, 0.05, (104, 170, 84))
    for _ in range(60):
        x, y = rng.random(), rng.uniform(0.7, 0.98)
        canvas.stroke([(x, y), (x + rng.uniform(-0.01, 0.01), y - 0.03)], (70, 136, 66), 0.005)
    for _ in range(36):
        colour = rng.choice([(255, 255, 255), (250, 214, 92), (238, 120, 130), (190, 140, 214)])
        canvas.disc(rng.random(), rng.uniform(0.7, 0.98), rng.uniform(0.006, 0.011), colour)
    return 0.9


def mountains(canvas: Canvas, rng: Random) -> float:
    """Peaks with snow behind green foothills."""
    canvas.gradient([(112, 170, 224), (198, 220, 240), (244, 232, 220)], 0, 0.7)
    _clouds(canvas, rng, (246, 249, 252))
    for x, peak, half, rock in (
        (rng.uniform(0.1, 0.3), 0.24, 0.42, (128, 142, 170)),
        (rng.uniform(0.7, 0.9), 0.2, 0.45, (116, 130, 160)),
        (rng.uniform(0.42, 0.58), 0.12, 0.38, (98, 112, 146)),
    ):
        foot = 0.72
        canvas.area([(x - half, foot), (x, peak), (x + half, foot)], rock)
        canvas.area([(x, peak), (x + half, foot), (x + half * 0.1, foot)], mix(rock, (40, 50, 80), 0.22))
        s, low = half * 0.32, peak + (foot - peak) * 0.32
        jags = [(x - s, low), (x - s * 0.5, low - 0.03), (x - s * 0.15, low + 0.03), (x + s * 0.4, low - 0.03)]
        canvas.area([(x, peak), *jags, (x + s, low)], (250, 251, 254))
    _hill(canvas, rng, 0.68, 0.06, (88, 136, 98))
    for i in range(9):
        _fir(canvas, (i + rng.random()) / 9, rng.uniform(0.7, 0.75), rng.uniform(0.08, 0.13), (52, 100, 80))
    _hill(canvas, rng, 0.76, 0.04, (124, 172, 98))
    return 0.92


def forest(canvas: Canvas, rng: Random) -> float:
    """Rows of firs, lighter the farther away they are, before a clearing."""
    canvas.gradient([(196, 224, 214), (232, 240, 214)], 0, 0.75)
    for row, (colour, foot) in enumerate((((156, 194, 172), 0.62), ((104, 156, 124), 0.68), ((58, 112, 84), 0.75))):
        count = 12 - row * 2
        for i in range(count):
            height = rng.uniform(0.34, 0.5) + row * 0.05
            _fir(canvas, (i + rng.uniform(0.2, 0.8)) / count, foot, height, colour)
    canvas.gradient([(92, 148, 80), (128, 174, 92)], 0.73, 1)
    for _ in range(50):
        x, y = rng.random(), rng.uniform(0.76, 0.99)
        canvas.stroke([(x, y), (x + 0.004, y - 0.022)], (74, 128, 68), 0.005)
    return 0.91


def desert(canvas: Canvas, rng: Random) -> float:
    """Dunes with cactuses under a warm sky."""
    canvas.gradient([(250, 196, 120), (253, 224, 168), (254, 240, 208)], 0, 0.65)
    canvas.disc(rng.uniform(0.2, 0.8), 0.2, 0.09, (255, 246, 214))
    for top, height, colour in (
        (0.56, 0.12, (228, 170, 110)),
        (0.65, 0.12, (216, 150, 92)),
        (0.75, 0.06, (236, 184, 120)),
    ):
        _hill(canvas, rng, top, height, colour)
    for _ in range(3):
        x, foot, tall = rng.choice([rng.uniform(0.03, 0.2), rng.uniform(0.8, 0.97)]), rng.uniform(0.7, 0.8), 0.17
        green = (86, 138, 92)
        canvas.stroke([(x, foot), (x, foot - tall)], green, 0.03)
        canvas.stroke([(x - 0.04, foot - 0.12), (x - 0.04, foot - 0.07), (x, foot - 0.07)], green, 0.02)
        canvas.stroke([(x + 0.04, foot - 0.14), (x + 0.04, foot - 0.09), (x, foot - 0.09)], green, 0.02)
    return 0.91


def snow(canvas: Canvas, rng: Random) -> float:
    """White hills, firs under snow, falling flakes."""
    canvas.gradient([(136, 172, 208), (196, 216, 234), (228, 236, 246)], 0, 0.7)
    _hill(canvas, rng, 0.54, 0.12, (208, 222, 238))
    for i in range(8):
        _fir(canvas, (i + rng.random()) / 8, rng.uniform(0.6, 0.68), rng.uniform(0.16, 0.3), (70, 112, 110), WHITE)
    _hill(canvas, rng, 0.68, 0.06, (232, 239, 248))
    _hill(canvas, rng, 0.8, 0.04, (246, 249, 253))
    for _ in range(70):
        canvas.disc(rng.random(), rng.random(), rng.uniform(0.004, 0.009), WHITE)
    return 0.92


def city(canvas: Canvas, rng: Random) -> float:
    """Lit windows at night, a moon, a lamp-lit square in front."""
    canvas.gradient([(24, 30, 66), (52, 58, 110), (112, 92, 140)], 0, 0.8)
    for _ in range(40):
        canvas.disc(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.002, 0.004), (235, 235, 215))
    moon = rng.uniform(0.15, 0.85)
    canvas.disc(moon, 0.15, 0.07, (248, 240, 200))
    canvas.disc(moon + 0.03, 0.135, 0.06, (32, 38, 76))
    x = -0.02
    while x < 1:
        width, top = rng.uniform(0.08, 0.15), rng.uniform(0.28, 0.56)
        wall = mix((38, 42, 76), (70, 66, 104), rng.random())
        canvas.area([(x, top), (x + width, top), (x + width, 0.8), (x, 0.8)], wall)
        columns, rows = max(2, round(width / 0.03)), round((0.76 - top) / 0.05)
        for row in range(rows):
            for column in range(columns):
                if rng.random() < 0.55:
                    left, high = x + (column + 0.3) * width / columns, top + 0.02 + row * 0.05
                    corner = (left + width / columns * 0.45, high + 0.024)
                    window = [(left, high), (corner[0], high), corner, (left, corner[1])]
                    canvas.area(window, rng.choice([(255, 220, 120), (255, 200, 98), (250, 236, 176)]))
        x += width + rng.uniform(0, 0.01)
    canvas.gradient([(104, 104, 140), (142, 138, 164)], 0.78, 1)
    for share in range(6):
        canvas.disc(0.5, 0.91, 0.62 - share * 0.07, mix((132, 128, 158), (226, 206, 172), share / 6), 0.16)
    return 0.92


def sunset(canvas: Canvas, rng: Random) -> float:
    """A low sun over water and dark hills."""
    canvas.gradient([(84, 64, 132), (206, 92, 122), (248, 150, 96), (254, 210, 124)], 0, 0.62)
    x = rng.uniform(0.3, 0.7)
    for radius, colour in ((0.2, (252, 186, 104)), (0.15, (254, 214, 130)), (0.11, (255, 240, 180))):
        canvas.disc(x, 0.56, radius, colour)
    for _ in range(3):
        y, left = rng.uniform(0.12, 0.42), rng.uniform(0, 0.7)
        canvas.disc(left + 0.14, y, 0.2, (236, 122, 122), 0.08)
    canvas.gradient([(196, 98, 112), (104, 70, 128)], 0.6, 0.86)
    for row in range(7):
        half = rng.uniform(0.03, 0.09)
        canvas.stroke([(x - half, 0.63 + row * 0.03), (x + half, 0.63 + row * 0.03)], (255, 222, 150), 0.008)
    canvas.area([(0, 0.52), (0.12, 0.5), (0.24, 0.57), (0.34, 0.61), (0, 0.61)], (92, 58, 104))
    canvas.area([(1, 0.5), (0.9, 0.53), (0.8, 0.58), (0.7, 0.61), (1, 0.61)], (92, 58, 104))
    _hill(canvas, rng, 0.85, 0.03, (146, 104, 124))
    return 0.93


def table(canvas: Canvas, rng: Random) -> float:
    """A wall with striped paper, a wooden table with a cloth."""
    wall = rng.choice([(206, 224, 218), (240, 222, 200), (214, 216, 236), (246, 226, 224), (226, 232, 204)])
    canvas.gradient([mix(wall, WHITE, 0.3), wall], 0, 0.7)
    stripes = rng.randrange(7, 13)
    for i in range(stripes):
        left, right = i / stripes, (i + 0.45) / stripes
        canvas.area([(left, 0), (right, 0), (right, 0.7), (left, 0.7)], mix(wall, WHITE, 0.35))
    canvas.gradient([(176, 124, 82), (150, 100, 64)], 0.66, 1)
    for i in range(5):
        y = 0.7 + i * 0.065
        canvas.stroke([(0, y), (1, y + rng.uniform(-0.01, 0.01))], (134, 88, 56), 0.004)
    canvas.stroke([(0, 0.66), (1, 0.66)], (206, 156, 108), 0.012)
    cloth = rng.choice([(244, 240, 230), (196, 216, 236), (248, 216, 190)])
    canvas.disc(0.5, 0.86, 0.5, mix(cloth, (90, 60, 40), 0.35), 0.24)
    canvas.disc(0.5, 0.85, 0.5, cloth, 0.24)
    return 0.9


BACKDROPS: dict[str, Callable[[Canvas, Random], float]] = {
    "sea": sea, "beach": beach, "meadow": meadow, "mountains": mountains, "forest": forest, "desert": desert,
    "snow": snow, "city": city, "sunset": sunset, "table": table,
}  # fmt: skip
"""Paints the backdrop and gives the height at which a subject stands, as a share of the picture's height."""
