"""What there is to see: scenes of a subject, a colour and a setting, and the picture of each."""

from dataclasses import dataclass
from random import Random

from PIL import Image

from tests.sample.backdrops import BACKDROPS
from tests.sample.canvas import PALETTE, Canvas, Pen
from tests.sample.subjects import SUBJECTS

LARGE = {"house", "lighthouse", "tree", "windmill", "balloon", "car", "tent"}
"""Subjects that nobody puts on a table."""
SIDES = ((448, 448), (480, 360), (360, 480), (512, 288), (400, 300), (640, 427), (300, 450), (576, 240), (256, 512))


@dataclass(frozen=True)
class Scene:
    """A picture that does not exist yet; sizes in pixels, `serial` tells scenes of the same content apart."""

    subject: str
    colour: str
    setting: str
    width: int
    height: int
    serial: int


def make_scenes(count: int, seed: str) -> list[Scene]:
    """Scenes in which subjects and colours have a head and a tail: the first subject is the most frequent."""
    rng = Random(f"{seed}:scenes")
    subjects, colours, settings = list(SUBJECTS), list(PALETTE), list(BACKDROPS)
    weights = [1 / (rank + 1.5) for rank in range(len(subjects))]
    scenes = []
    for serial in range(count):
        if serial < len(subjects):
            subject = subjects[serial]
        else:
            (subject,) = rng.choices(subjects, weights)
        (colour,) = rng.choices(colours, [1 / (rank + 1.5) for rank in range(len(colours))])
        setting = rng.choice(settings[:-1] if subject in LARGE else settings)
        width, height = rng.choice(SIDES)
        scenes.append(Scene(subject, colour, setting, width, height, serial))
    return scenes


def draw_scene(scene: Scene) -> Image.Image:
    """The picture of a scene, RGB; the same scene gives the same pixels."""
    rng = Random(repr(scene))
    canvas = Canvas(scene.width, scene.height)
    foot = BACKDROPS[scene.setting](canvas, rng)
    x, size = rng.uniform(0.38, 0.62), rng.uniform(0.52, 0.68)
    canvas.disc(x, foot, size * 0.42, (96, 96, 112), 0.12)
    SUBJECTS[scene.subject](Pen(canvas, x, foot, size, scene.colour), rng)
    return canvas.finish(mirrored=rng.random() < 0.5)
