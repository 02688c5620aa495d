"""Concepts with names in many languages, a drawing of each by every vendor, and a picture for the exam.

A folder of material holds `concepts.json`, `drawings/<vendor>/<concept>.png`, `exam/<concept>.png` (RGBA, 64 pixels),
and `NOTICE.md`. `from_packages` makes it of npm packages, `tests.evidence.sketches` of nothing.
"""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from curation.core.languages import language_of
from tests.evidence.packages import DRAWINGS, EXAM, NAMES, PACKAGES, fetch, members

SIDE = 64
LOCALES = {"fil": "tl"}
"""A locale of CLDR that Wikipedia calls otherwise, and no alias of language_of."""
MIN_SHARE = 0.5
"""A language counts if it names this share of the concepts."""


@dataclass(frozen=True)
class Concept:
    """A thing that is drawn. Names and keywords are by Wikipedia's code of their language; all have an English name."""

    key: str
    names: dict[str, str]
    keywords: dict[str, list[str]]


@dataclass(frozen=True)
class Material:
    """A folder of material and its concepts."""

    folder: Path
    concepts: tuple[Concept, ...]

    @property
    def vendors(self) -> list[str]:
        """Those who drew the concepts."""
        return sorted(path.name for path in (self.folder / "drawings").iterdir())

    @property
    def languages(self) -> list[str]:
        """The languages that name enough of the concepts, in alphabetical order."""
        found = sorted({lang for concept in self.concepts for lang in concept.names})
        least = MIN_SHARE * len(self.concepts)
        return [lang for lang in found if sum(lang in concept.names for concept in self.concepts) >= least]


def read_material(folder: Path) -> Material:
    """Open a folder of material."""
    listed = json.loads((folder / "concepts.json").read_text("utf-8"))
    return Material(folder, tuple(Concept(**fields) for fields in listed))


def write_concepts(folder: Path, concepts: list[Concept], notices: list[str]) -> Material:
    """Write the list of concepts, after their pictures: a folder with this list is whole."""
    (folder / "NOTICE.md").write_text("\n".join(f"- {notice}" for notice in notices) + "\n", "utf-8")
    beside = folder / "concepts.tmp"
    text = json.dumps([asdict(concept) for concept in concepts], ensure_ascii=False, indent=1)
    beside.write_text(text + "\n", "utf-8")
    beside.replace(folder / "concepts.json")
    return read_material(folder)


def write_lists(material: Material, languages: list[str], folder: Path) -> None:
    """Write an entry list of each language: the names and keywords of all concepts, in alphabetical order."""
    folder.mkdir(parents=True, exist_ok=True)
    for lang in languages:
        words = {
            word.strip()
            for concept in material.concepts
            if lang in concept.names
            for word in (concept.names[lang], *concept.keywords[lang])
        }
        text = json.dumps(sorted(words), ensure_ascii=False, indent=1) + "\n"
        path = folder / f"{lang}.json"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def from_packages(folder: Path, cache: Path) -> Material:
    """Make the material of the emoji that all vendors drew and CLDR names in English, unless it is there."""
    if (folder / "concepts.json").exists():
        return read_material(folder)
    archives = {package: fetch(package, cache) for package in PACKAGES}
    names, keywords = _annotations(archives[NAMES])
    pictures = {}
    for vendor, package in DRAWINGS.items():
        pictures[vendor] = dict(members(archives[package], f"img/{vendor}/64/"))
    exam = {_plain(path.removesuffix(".webp")): data for path, data in members(archives[EXAM], "assets/")}
    described = json.loads(next(members(archives[DRAWINGS["google"]], "emoji.json"))[1])
    concepts, seen = [], set()
    for emoji in sorted(described, key=lambda emoji: emoji["unified"]):
        key, image = _plain(emoji["unified"].lower()), emoji["image"]
        sign = "".join(chr(int(code, 16)) for code in key.split("-"))
        named = {lang: found[sign] for lang, found in names.items() if sign in found}
        drawn = key in exam and all(image in found for found in pictures.values())
        if not drawn or "en" not in named or named["en"] in seen:
            continue
        seen.add(named["en"])
        concepts.append(Concept(key, named, {lang: keywords[lang][sign] for lang in named}))
        for vendor, found in pictures.items():
            _write_picture(folder / "drawings" / vendor / f"{key}.png", found[image])
        _write_picture(folder / "exam" / f"{key}.png", exam[key])
    return write_concepts(folder, concepts, [package.notice for package in PACKAGES])


def _annotations(archive: Path) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, list[str]]]]:
    """Return names and keywords by language and sign; of languages that have a list of entries of their own."""
    names: dict[str, dict[str, str]] = {}
    keywords: dict[str, dict[str, list[str]]] = {}
    for path, data in members(archive, "annotations/"):
        locale = path.split("/")[0]
        language = language_of(LOCALES.get(locale, locale))
        if language is None or language.list_code != language.code:
            continue
        signs = json.loads(data)["annotations"].get("annotations", {})
        named = {sign.replace("\ufe0f", ""): told for sign, told in signs.items() if "tts" in told}
        names[language.code] = {sign: told["tts"][0] for sign, told in named.items()}
        keywords[language.code] = {sign: told.get("default", []) for sign, told in named.items()}
    return names, keywords


def _plain(codes: str) -> str:
    """Code points without the selector of presentation, which vendors write or leave out.

    >>> _plain("261d-fe0f")
    '261d'
    """
    return "-".join(code for code in codes.split("-") if code != "fe0f")


def _write_picture(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path)
