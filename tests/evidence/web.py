"""The pages of the small web, as WAT files, and the truth about them.

A link shows a concept drawn with Zipf's law. Its text is made of the names and keywords of one language. Some links are
faulty or come again: `KINDS` lists all kinds, with their shares.
"""

import json
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from curation.core.errors import HeadtailError
from curation.core.progress import say
from tests.evidence.addresses import copy_of, gone, path_of
from tests.evidence.material import Concept, Material
from tests.evidence.sizes import WEB, Sizes
from tests.sample.pages import IDLE_TEXTS
from tests.sample.wat import Page, WatWriter

CRAWL = "CC-MAIN-2026-04"
MARKER = "web.json"
ARCHIVES, LINKS = 8, 20
"""Files, and links of a page."""
KINDS = {
    "plain": 0.72,
    "wrong": 0.06,  # the name of another concept
    "idle": 0.06,  # says nothing of the picture
    "blank": 0.06,  # no text at all
    "repeated": 0.04,  # the address and text of an earlier link
    "mirrored": 0.03,  # the same bytes and text at another address
    "gone": 0.03,
}
DECLARED = {"right": 0.6, "en": 0.1, "nothing": 0.3}
"""The language that a page declares."""
ENGLISH = (
    "a photo of a {name}", "{name}", "{name} picture", "free {name} clipart", "{name} icon", "{name}, {keyword}",
    "{keyword} {name}", "cute {name} sticker for kids", "a drawing of the {name} on a coloured background",
    "{name} no. {number}",
)  # fmt: skip
OTHERS = (
    "{name}",
    "{name}",
    "{name}, {keyword}",
    "{name} ({keyword}, {keyword2})",
    "{keyword}: {name}",
    "{name} {number}",
)


@dataclass(frozen=True)
class Link:
    """A link with its truth: what it shows, the language of its page and of its text ("" for none), and its kind."""

    path: str
    text: str
    concept: int
    lang: str
    written: str
    kind: str


def chosen_concepts(material: Material, sizes: Sizes) -> list[Concept]:
    """Return the concepts of a web, the most frequent first: the order is drawn, whatever the alphabet."""
    if sizes.concepts > len(material.concepts):
        raise HeadtailError(f"concepts={sizes.concepts}: the material has {len(material.concepts)}")
    mixed = list(material.concepts)
    Random("order of concepts").shuffle(mixed)
    return mixed[: sizes.concepts]


def make_links(material: Material, sizes: Sizes) -> list[Link]:
    """Draw all links, those of one language and one page side by side."""
    rng = Random(f"links {sizes.seed}")
    concepts, vendors = chosen_concepts(material, sizes), material.vendors
    languages = sizes.chosen_languages(material)
    spread = list(accumulate((rank + 1) ** -sizes.spread for rank in range(len(languages) - 1)))
    weights = list(accumulate((rank + 1) ** -sizes.exponent for rank in range(len(concepts))))
    kinds, chances = list(KINDS), list(KINDS.values())
    links: list[Link] = []
    earlier: dict[str, list[Link]] = defaultdict(list)
    for page in range(-(-sizes.links // LINKS)):
        others = len(languages) > 1 and rng.random() >= sizes.english
        lang = rng.choices(languages[1:], cum_weights=spread)[0] if others else languages[0]
        for serial in range(page * LINKS, min(sizes.links, (page + 1) * LINKS)):
            kind = rng.choices(kinds, chances)[0]
            rank = rng.choices(range(len(concepts)), cum_weights=weights)[0]
            if kind in ("repeated", "mirrored") and earlier[lang]:
                again = rng.choice(earlier[lang])
                path = again.path if kind == "repeated" else copy_of(again.path)
                links.append(Link(path, again.text, again.concept, lang, again.written, kind))
                continue
            if kind in ("repeated", "mirrored"):
                kind = "plain"
            path = path_of(rng.choice(vendors), concepts[rank].key, serial)
            # A wrong text is that of another picture: of a frequent thing more often than of a rare one.
            told = rng.choices(range(len(concepts)), cum_weights=weights)[0] if kind == "wrong" else rank
            # A concept without a name in the language is called by its English one, as on real pages.
            written = lang if lang in concepts[told].names else "en"
            text = _text(concepts[told], written, rng)
            if kind == "idle":
                text, written = rng.choice(IDLE_TEXTS).format(rng.randrange(1000, 9999)), ""
            elif kind == "blank":
                text, written = "", ""
            link = Link(gone(path) if kind == "gone" else path, text, rank, lang, written, kind)
            links.append(link)
            if kind == "plain":
                earlier[lang].append(link)
    return links


def _text(concept: Concept, lang: str, rng: Random) -> str:
    name = concept.names[lang]
    keywords = [word for word in concept.keywords[lang] if word != name] or [name]
    template = rng.choice(ENGLISH if lang == "en" else OTHERS)
    first, second = (rng.choice(keywords) for _ in range(2))
    return template.format(name=name, keyword=first, keyword2=second, number=rng.randrange(1, 100))


def make_web(material: Material, sizes: Sizes, folder: Path, port: int) -> dict[str, Any]:
    """Write the archives and `web.json`, unless they are there; returns what web.json says.

    Raises HeadtailError where the folder holds a web of other sizes.
    """
    marker = folder / MARKER
    wanted = {name: getattr(sizes, name) for name in WEB}
    if marker.exists():
        made = json.loads(marker.read_text("utf-8"))
        differing = [name for name in wanted if made["sizes"].get(name) != wanted[name]]
        if differing:
            told = ", ".join(f"{name}={made['sizes'].get(name)}" for name in differing)
            raise HeadtailError(f"{folder} holds a web with {told}: name another folder with out=")
        return made
    say("web", f"{sizes.links:,} links to pictures of {sizes.concepts:,} concepts")
    shutil.rmtree(folder / "wat", ignore_errors=True)
    (folder / "wat").mkdir(parents=True)
    links = make_links(material, sizes)
    pages = [_page(first // LINKS, links[first : first + LINKS], port) for first in range(0, len(links), LINKS)]
    for number in range(ARCHIVES):
        writer = WatWriter(f"{CRAWL}-evidence-{number:05}.warc.gz", CRAWL)
        for page in pages[number::ARCHIVES]:
            writer.add(page)
        (folder / "wat" / f"{CRAWL}-evidence-{number:05}.warc.wat.gz").write_bytes(writer.data())
    made = {"sizes": wanted, "port": port, "truth": truth(links)}
    beside = marker.with_suffix(".tmp")
    beside.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
    beside.replace(marker)
    return made


def truth(links: list[Link]) -> dict[str, Any]:
    """Count what a right curation must find."""
    told = {(link.path, link.text) for link in links if link.text}
    return {
        "pages": -(-len(links) // LINKS),
        "links": len(links),
        "kinds": dict(sorted(Counter(link.kind for link in links).items())),
        "texts": len(told),
        "images": len({path for path, _ in told}),
        "images_gone": len({link.path for link in links if link.text and link.kind == "gone"}),
        "images_copied": len({link.path for link in links if link.kind == "mirrored"}),
        "languages": len({link.lang for link in links}),
        "concepts_shown": len({link.concept for link in links if link.text}),
    }


def _page(number: int, links: list[Link], port: int) -> Page:
    lang = links[0].lang
    says = Random(f"page {number}").choices(list(DECLARED), list(DECLARED.values()))[0]
    declared = {"right": lang, "en": "en"}.get(says)
    head: dict[str, Any] = {"Metas": [{"name": "viewport", "content": "width=1000"}], "Title": f"{number}"}
    if declared:
        head["Metas"].insert(0, {"name": "HTML@/lang", "content": declared})
    images = [{"path": "IMG@/src", "url": f"http://127.0.0.1:{port}{link.path}", "alt": link.text} for link in links]
    return Page(f"http://pages.example/{number}.html", {"Head": head, "Links": images}, lang=lang)
