"""Make the sample crawl: `python -m tests.sample.make FOLDER`.

The folder gets `wat/` (the archives), `images/` and `behaviours.json` (for sample.host), `entries/` (the entry lists),
`README.md` (what is damaged on purpose) and `_made.json` (what was made).
Every byte follows from the sources of this package, the port and the scale.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from curation.core.errors import HeadtailError
from tests.sample.host import PORT
from tests.sample.odd import odd_pages
from tests.sample.pages import PageMaker
from tests.sample.phrases import Phrasebook
from tests.sample.pictures import FORMATS, Gallery, make_gallery
from tests.sample.scenes import draw_scene, make_scenes
from tests.sample.sites import NAMES, make_sites
from tests.sample.wat import Page, WatWriter

SEED = "headtail"
CRAWL = "CC-MAIN-2026-04"
IMAGES, PAGES_PER_SITE, GALLERY_FILES = 440, 8, 6
MARKER = "_made.json"
README = "README.md"
DAMAGED = {4: "one of its records ends too early", GALLERY_FILES + 1: "it breaks off"}
"""Archives, by number, that a run counts as failed, and why."""


def make_sample(folder: Path, port: int = PORT, scale: float = 1.0) -> dict[str, Any]:
    """Make the sample crawl in a folder, unless it is there already; returns what `_made.json` says.

    The pictures' addresses are at 127.0.0.1 and `port`. A `scale` below 1 makes fewer pages and pictures.
    Raises HeadtailError where the folder holds anything else.
    """
    folder = Path(folder)
    marker = folder / MARKER
    version = _version(port, scale)
    if marker.exists():
        made = json.loads(marker.read_text())
        if made.get("version") == version:
            return made
        (folder / README).unlink(missing_ok=True)
        for name in ("wat", "images", "entries"):
            shutil.rmtree(folder / name, ignore_errors=True)
    elif folder.exists() and any(folder.iterdir()):
        raise HeadtailError(f"{folder} holds other files: name a new or empty folder for the sample crawl")
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(marker, {"version": "unfinished"})

    sites = make_sites()
    gallery = make_gallery(make_scenes(max(24, round(IMAGES * scale)), SEED), sites, scale, SEED)
    maker = PageMaker(gallery, sites, f"127.0.0.1:{port}", SEED)
    count = max(1, round(PAGES_PER_SITE * scale))
    pages = [maker.make(site, index, count) for index in range(count) for site in sites]
    _write_images(folder, gallery)
    _write_entries(folder / "entries")
    files = _write_archives(folder / "wat", pages, list(odd_pages(maker.host).values()))
    links = [link for page in pages for link in page.html["Links"] if link.get("path") == "IMG@/src"]
    made = {
        "version": version,
        "port": port,
        "wat_files": files,
        "pages": len(pages),
        "sites": len(sites),
        "languages": sorted({page.lang for page in pages}),
        "image_links": len(links),
        "image_links_with_text": sum(bool(link.get("alt", "").strip()) for link in links),
        "image_urls": len(gallery.pictures),
        "image_files": len(gallery.files),
        "distinct_images": len(set(gallery.files.values())),
        "behaviours": dict(sorted(Counter(rule["behaviour"] for rule in gallery.behaviours.values()).items())),
    }
    (folder / README).write_text(readme(made))
    _write_json(marker, made)
    return made


def made_port(folder: Path, default: int = PORT) -> int:
    """Return the port that the addresses of a sample crawl hold; `default` where none is made."""
    marker = folder / MARKER
    return int(json.loads(marker.read_text()).get("port", default)) if marker.exists() else default


def readme(made: dict[str, Any]) -> str:
    """Return what is wrong with the crawl on purpose, for whoever meets it in a report."""
    damaged = "".join(f"- `wat/{archive_name(number)}`: {fault}.\n" for number, fault in DAMAGED.items())
    behaviours = ", ".join(f"{name} {count}" for name, count in made["behaviours"].items())
    return (
        "# The sample crawl\n\nMade by `python -m tests.sample.make`, with damage on purpose, as real crawls "
        "have it.\n\n"
        f"Two of the {made['wat_files']} archives are damaged; a run reads the rest of them, and counts them as "
        "failed:\n\n"
        f"{damaged}\nSome pages hold addresses, texts and records that must be dropped. Some of the "
        f"{made['image_urls']:,} image addresses do not give their image at once, or at all: {behaviours} "
        "(`behaviours.json`; tests/sample/host.py says what each does).\n"
    )


def archive_name(number: int) -> str:
    """Return the name of an archive."""
    return f"{CRAWL}-sample-{number:05}.warc.wat.gz"


def _version(port: int, scale: float) -> str:
    """Of everything that decides the bytes: the sources, the arguments and the library that encodes the pictures."""
    digest = hashlib.sha256(f"{port} {scale} {PIL.__version__}".encode())
    package = Path(__file__).parent
    for path in sorted([*package.glob("*.py"), *package.glob("texts/*.json")]):
        if path.name not in ("host.py", "local_host.py", "ports.py", "run.py"):  # these only use what is made
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _write_json(path: Path, value: Any) -> None:
    # Renamed at the end: a run that is killed here leaves no half of a marker, which the next run could not read.
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _write_images(folder: Path, gallery: Gallery) -> None:
    drawn: dict[str, bytes] = {}
    for path, scene in gallery.files.items():
        target, ending = folder / "images" / path, path.rpartition(".")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        key = f"{scene.serial}.{ending}"
        if key in drawn:
            target.write_bytes(drawn[key])
        else:
            draw_scene(scene).save(target, FORMATS[ending], quality=88)
            drawn[key] = target.read_bytes()
    for path, rule in gallery.behaviours.items():
        if rule["file"] == path:
            target = folder / "images" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("P", (6000, 6000), 7).save(target, "PNG", compress_level=1)
    _write_json(folder / "behaviours.json", gallery.behaviours)


def _write_entries(folder: Path) -> None:
    folder.mkdir()
    for lang in NAMES:
        name = "other" if lang == "eo" else lang
        _write_json(folder / f"{name}.json", Phrasebook(lang).entries())


def _write_archives(folder: Path, pages: list[Page], odd: list[Page]) -> int:
    """Deal the pages out to files; one more file holds no HTML, the last one is cut off."""
    folder.mkdir()
    for number in range(GALLERY_FILES + 2):
        writer = WatWriter(f"{CRAWL}-sample-{number:05}.warc.gz", CRAWL)
        if number == GALLERY_FILES:
            for kind in ("image/png", "application/pdf", "text/plain"):
                writer.add(Page(f"https://files.example/{kind}", None, content_type=kind))
        elif number < GALLERY_FILES:
            mixed = [*pages[number :: GALLERY_FILES + 1]]
            mixed[1:1] = odd[number::GALLERY_FILES]
            for page in mixed:
                writer.add(page)
        else:
            for page in pages[GALLERY_FILES :: GALLERY_FILES + 1]:
                writer.add(page)
        cut_off = number == GALLERY_FILES + 1
        (folder / archive_name(number)).write_bytes(writer.data(cut_off))
    return GALLERY_FILES + 2


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sample.make", description="Make the sample crawl.")
    parser.add_argument("folder", type=Path, help="where to; new or empty, or made before")
    parser.add_argument("--port", type=int, default=PORT, help="port of the image host that the pages name")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pages and pictures to make")
    arguments = parser.parse_args()
    try:
        made = make_sample(arguments.folder, arguments.port, arguments.scale)
    except HeadtailError as error:
        sys.exit(str(error))
    print(
        f"{arguments.folder}: {made['pages']} pages, {made['image_links_with_text']} links with text to "
        f"{made['image_urls']} image addresses, {made['image_files']} image files, {made['wat_files']} WAT files"
    )


if __name__ == "__main__":
    main()
