"""The pages of the sample crawl: which pictures they show, with which texts and links."""

from collections import defaultdict
from random import Random
from typing import Any

from tests.sample.odd import odd_links
from tests.sample.phrases import Phrasebook
from tests.sample.pictures import Gallery, Picture
from tests.sample.sites import Site
from tests.sample.subjects import SUBJECTS
from tests.sample.wat import Page

LINKS = (13, 22)
"""Fewest and most links to pictures on a page, without the site's own new ones."""
DATA_SHARE, MISSING_ALT_SHARE, BLANK_ALT_SHARE, TITLE_SHARE = 0.19, 0.12, 0.22, 0.12
RELATIVE_SHARE, HOST_SHARE = 0.58, 0.07
"""Of the links where such a form is possible: 14% and 4% of all."""
OWN_SHARE = 0.5
"""Links to pictures of the own site; the others go to what is popular everywhere."""
CARELESS_SHARE = 0.93
"""Of the texts of a careless picture, those that say nearly nothing."""
IDLE_SHARE = 0.08
"""Of the alts that are there: those that hold no entry of any list, and say nothing of the picture."""
IDLE_TEXTS = (
    "Untitled",
    "Homepage banner",
    "Click here to enlarge",
    "Download our brochure",
    "IMG_{}.JPG",
    "DSC{}.JPG",
)
_DATA_URL = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmci"


class PageMaker:
    """Writes pages for the pictures of a gallery; `host` is where the pictures are, with its port."""

    def __init__(self, gallery: Gallery, sites: list[Site], host: str, seed: str) -> None:
        self.host, self.seed, self.number = host, seed, 0
        self.books = {site.lang: Phrasebook(site.lang) for site in sites}
        self.own: dict[str, list[Picture]] = defaultdict(list)
        for picture in gallery.pictures:
            self.own[picture.site].append(picture)
        self.popular = list(gallery.pictures)
        Random(f"{seed}:popular").shuffle(self.popular)
        ranks = {subject: rank for rank, subject in enumerate(SUBJECTS)}
        self.weights = [
            1 / (rank + 40) / (ranks[picture.scene.subject] + 2) for rank, picture in enumerate(self.popular)
        ]
        self.odd = list(odd_links(self.address(gallery.pictures[0])).values())

    def address(self, picture: Picture) -> str:
        """The absolute URL of a picture."""
        return f"http://{self.host}/{picture.path}"

    def make(self, site: Site, index: int, count: int) -> Page:
        """Page `index` of the `count` of a site; together they show each of the site's pictures at least once."""
        rng = Random(f"{self.seed}:{site.name}:{index}")
        own = self.own[site.name]
        shown = own[index::count]
        for _ in range(rng.randrange(*LINKS)):
            if own and rng.random() < OWN_SHARE:
                shown.append(rng.choice(own))
            else:
                shown += rng.choices(self.popular, self.weights)
        book, uri = self.books[site.lang], site.page_uri(index, self.host)
        links = [self._link(site, uri, picture, book, rng) for picture in shown]
        links.append(self._logo(site, book))
        links.insert(rng.randrange(len(links)), self.odd[self.number % len(self.odd)])
        self.number += 1
        links = [self._anchor(site, book, rng), *links, self._anchor(site, book, rng)]
        head = {
            "Metas": [{"name": "HTML@/lang", "content": site.lang}, {"name": "viewport", "content": "width=1000"}],
            "Title": book.logo(site.name),
            "Link": [{"path": "LINK@/href", "url": "/static/site.css", "rel": "stylesheet", "type": "text/css"}],
            "Scripts": [{"path": "SCRIPT@/src", "url": "/static/site.js"}],
        }
        if site.kind == "based":
            head["Base"] = f"http://{self.host}/{site.name}/"
        headers = {"Set-Cookie": ["s=1; path=/", "t=2; path=/"]} if index % 2 else {"Set-Cookie": "s=1; path=/"}
        return Page(uri, {"Head": head, "Links": links}, lang=site.lang, headers=headers)

    def _link(self, site: Site, uri: str, picture: Picture, book: Phrasebook, rng: Random) -> dict[str, Any]:
        link: dict[str, Any] = {"path": "IMG@/src"}
        if rng.random() < DATA_SHARE:
            link["url"] = f"{_DATA_URL}{rng.randrange(10**6):06}"
        else:
            link["url"] = self._reference(site, uri, picture, rng)
        fate = rng.random()
        if fate < BLANK_ALT_SHARE:
            link["alt"] = rng.choice(("", "", "", " ", "\u00a0"))
        elif fate < 1 - MISSING_ALT_SHARE:
            careless = picture.careless and rng.random() < CARELESS_SHARE
            link["alt"] = book.text(picture.scene, careless, rng)
            if rng.random() < IDLE_SHARE:
                link["alt"] = rng.choice(IDLE_TEXTS).format(f"{rng.randrange(10**5):05}")
        if rng.random() < TITLE_SHARE:
            link["title"] = book.text(picture.scene, False, rng)
        return link

    def _reference(self, site: Site, uri: str, picture: Picture, rng: Random) -> str:
        if site.relative and rng.random() < RELATIVE_SHARE:
            inside = picture.path.removeprefix(f"{site.name}/")
            if inside != picture.path:
                return rng.choice((inside, f"./{inside}", f"/{picture.path}"))
            return rng.choice((f"../{picture.path}", f"/{picture.path}"))
        if uri.startswith("http:") and rng.random() < HOST_SHARE:
            return f"//{self.host}/{picture.path}"
        return self.address(picture)

    def _logo(self, site: Site, book: Phrasebook) -> dict[str, Any]:
        own = self.own[site.name] or self.popular
        return {"path": "IMG@/src", "url": self.address(own[0]), "alt": book.logo(site.name)}

    def _anchor(self, site: Site, book: Phrasebook, rng: Random) -> dict[str, Any]:
        picture = rng.choice(self.popular)
        link = {"path": "A@/href", "url": f"/{site.lang}/{picture.scene.subject}"}
        if rng.random() < 0.4:
            link["title"] = book.text(picture.scene, False, rng)
        return {**link, "text": book.text(picture.scene, False, rng)}
