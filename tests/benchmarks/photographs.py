"""Signals of public photographs, with what is expected of each: `make bench NAME=photographs`.

The photographs lie in scikit-image, scikit-learn and matplotlib, which are no dependencies: `pip install --no-deps
--target FOLDER scikit-image scikit-learn matplotlib`, and PYTHONPATH=FOLDER. Three of them show a face; two show text.
Faces of LFW (scikit-image has 100 of 25 x 25 pixels) are pasted into a photograph without people, and all faces that
are found are blurred: the detector must find none again. 300 pieces of the photographs that show no face are looked
at, too, whole and in tiles: each box there is a false one. The last line is one JSON object; the exit code is 1 where
something is not as expected, which false boxes are not.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from curation.core.errors import HeadtailError
from curation.images.blurring import blur_boxes
from curation.signals.faces import BlazeFace
from curation.signals.text import TextShare

FACES = {"astronaut.png": 1, "camera.png": 1, "grace_hopper.jpg": 1}
TEXT = {"text.png", "page.png"}
LEAST_TEXT, MOST_OTHER = 0.4, 0.03
FOLDERS = {
    "skimage": ("data", ("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel",
                         "ihc", "moon", "motorcycle_left", "page", "retina", "rocket", "text")),
    "sklearn": ("datasets/images", ("china", "flower")),
    "matplotlib": ("mpl-data/sample_data", ("grace_hopper",)),
}  # fmt: skip


def folder_of(package: str) -> Path:
    """Return the folder of a package, which is not imported."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: see the first lines of this file")
    return Path(found.origin).parent


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Yield the name and the picture of each photograph."""
    for package, (folder, names) in FOLDERS.items():
        for name in names:
            (path,) = (folder_of(package) / folder).glob(f"{name}.[jp][pn]g")
            yield path.name, Image.open(path).convert("RGB")


def pasted(count: int) -> Iterator[Image.Image]:
    """Yield a photograph of buildings, each time with another face of LFW of 80 to 220 pixels."""
    draw = np.random.default_rng(1)
    faces = np.load(folder_of("skimage") / "data/lfw_subset.npy")[:count]
    ground = Image.open(folder_of("sklearn") / "datasets/images/china.jpg").convert("RGB")
    for face in faces:
        side = int(draw.integers(80, 220))
        image = ground.copy()
        large = Image.fromarray((face * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
        image.paste(large.convert("RGB"), (int(draw.integers(0, 640 - side)), int(draw.integers(0, 427 - side))))
        yield image


def pieces(count: int) -> Iterator[Image.Image]:
    """Yield pieces of the photographs without a face, in turn: a fifth to all of the shorter side, at 512 pixels."""
    draw = np.random.default_rng(2)
    grounds = [image for name, image in photographs() if name not in FACES]
    for number in range(count):
        ground = grounds[number % len(grounds)]
        side = int(min(ground.size) * draw.uniform(0.2, 1))
        left, top = (int(draw.integers(0, edge - side + 1)) for edge in ground.size)
        yield ground.crop((left, top, left + side, top + side)).resize((512, 512), Image.Resampling.BICUBIC)


def count_false(images: Sequence[Image.Image], tiles: int) -> dict[str, int]:
    """Return how many boxes lie in images without a face, and in how many images."""
    finder = BlazeFace(tiles)
    counts = [len(finder.find(np.asarray(image))[0]) for image in images]
    return {"images": len(counts), "with_box": sum(map(bool, counts)), "boxes": sum(counts)}


def main() -> int:
    """Print what was found, and return how much of it is not as expected."""
    faces, wrong = BlazeFace(1), 0
    try:
        text = TextShare()
    except HeadtailError as error:
        print(f"text is left out: {error}")
        text = None
    with_face = []
    for name, image in photographs():
        boxes, scores = faces.find(np.asarray(image))
        share = text.score(image)["text_share"] if text else None
        is_right = len(boxes) == FACES.get(name, 0)
        if share is not None:
            is_right &= share >= LEAST_TEXT if name in TEXT else share <= MOST_OTHER
        wrong += not is_right
        with_face += [image] if len(boxes) else []
        print(
            f"{name:20} faces {len(boxes)} {scores.round(2).tolist()} text {share} {'' if is_right else 'UNEXPECTED'}"
        )
    images = [*with_face, *pasted(100)]
    boxes_of = [faces.find(np.asarray(image))[0].tolist() for image in images]
    found = [(image, boxes) for image, boxes in zip(images, boxes_of, strict=True) if boxes]
    again = sum(len(faces.find(np.asarray(blur_boxes(image, boxes)))[0]) > 0 for image, boxes in found)
    free = list(pieces(300))
    false = {"without_faces": count_false(free, 1), "without_faces_tiles_2": count_false(free, 2)}
    told = {"unexpected": wrong, "faces": len(images), "found": len(found), "found_after_blur": again}
    print(json.dumps(told | false))
    return wrong + again


if __name__ == "__main__":
    sys.exit(main() > 0)
