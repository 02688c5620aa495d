"""The addresses of the sample crawl's pictures: files, copies, variants, and paths at which the host misbehaves."""

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.sample.scenes import Scene
from tests.sample.sites import Site

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
FOLDERS = ("photos", "images", "media/2019", "uploads")
TROUBLE = {
    "missing": 70, "redirect": 30, "refused": 24, "html": 20, "truncated": 14, "flaky": 14, "slow": 8, "oversized": 3,
    "huge": 1,
}  # fmt: skip
"""How many addresses of a whole sample crawl behave how; see sample.host. `huge` is a picture of 36 megapixels."""
CARELESS_SHARE = 0.6
OVERSIZED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Picture:
    """An address and what is to be seen there.

    `path` is below the image host's root, perhaps with a query. The texts of a `careless` picture are next to all
    made of frequent words.
    """

    path: str
    site: str
    scene: Scene
    careless: bool


@dataclass
class Gallery:
    """All pictures of the crawl.

    `files` maps paths of files to scenes (copies of a scene's file have the same bytes), `behaviours` paths to how the
    host treats them.
    """

    pictures: list[Picture]
    files: dict[str, Scene]
    behaviours: dict[str, dict[str, Any]]


def make_gallery(scenes: list[Scene], sites: list[Site], scale: float, seed: str) -> Gallery:
    """Give every scene a file at some site, and some of them copies, further addresses and troubled ones."""
    rng = Random(f"{seed}:gallery")
    gallery = Gallery([], {}, {})
    for serial, scene in enumerate(scenes):
        site = sites[serial % len(sites)]
        ending = rng.choices(list(FORMATS), (55, 25, 20))[0]
        name = f"{scene.colour}-{scene.subject}-{serial:03}.{ending}"
        path = f"{site.name}/{rng.choice(FOLDERS)}/{name}"
        paths = [(site, path)]
        if rng.random() < 0.27:
            other = rng.choice(sites)
            paths.append((other, f"{other.name}/copied/{name}"))
        for owner, file in paths:
            gallery.files[file] = scene
            gallery.pictures.append(Picture(file, owner.name, scene, rng.random() < CARELESS_SHARE))
            for query in ("v=2", "w=640&h=480", "size=large", "utm_source=feed"):
                if rng.random() < 0.23:
                    gallery.pictures.append(
                        Picture(f"{file}?{query}", owner.name, scene, rng.random() < CARELESS_SHARE)
                    )
    for behaviour, count in TROUBLE.items():
        for number in range(max(1, round(count * scale))):
            _add_troubled(gallery, behaviour, number, sites, rng)
    return gallery


def _add_troubled(gallery: Gallery, behaviour: str, number: int, sites: list[Site], rng: Random) -> None:
    file, scene = rng.choice(list(gallery.files.items()))
    site, ending = rng.choice(sites), "png" if behaviour == "huge" else file.rpartition(".")[2]
    path = f"{site.name}/more/{scene.subject}-{behaviour}-{number:02}.{ending}"
    rule: dict[str, Any] = {"behaviour": behaviour, "file": file}
    if behaviour == "slow":
        rule["seconds"] = round(rng.uniform(1, 2), 2)
    elif behaviour == "oversized":
        rule["bytes"] = OVERSIZED_BYTES
    elif behaviour == "huge":
        rule = {"behaviour": "plain", "file": path}
    gallery.behaviours[path] = rule
    gallery.pictures.append(Picture(path, site.name, scene, careless=False))
