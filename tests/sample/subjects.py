"""What a picture may show, by the name that the word lists use."""

from collections.abc import Callable
from random import Random

from tests.sample import creatures, plants, things
from tests.sample.canvas import Pen

SUBJECTS: dict[str, Callable[[Pen, Random], None]] = {
    "cat": creatures.cat,
    "flower": plants.flower,
    "boat": things.boat,
    "house": things.house,
    "bird": creatures.bird,
    "tree": plants.tree,
    "dog": creatures.dog,
    "star": things.star,
    "lighthouse": things.lighthouse,
    "apple": plants.apple,
    "heart": things.heart,
    "butterfly": creatures.butterfly,
    "balloon": things.balloon,
    "car": things.car,
    "fish": creatures.fish,
    "umbrella": things.umbrella,
    "windmill": things.windmill,
    "cup": things.cup,
    "mushroom": plants.mushroom,
    "kite": things.kite,
    "pear": plants.pear,
    "tent": things.tent,
    "flag": things.flag,
    "cherry": plants.cherry,
}
"""Draws the subject with a pen that stands where it belongs; the most frequent first."""
