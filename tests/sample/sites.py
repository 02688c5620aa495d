"""The sites of the sample crawl and where their pages and pictures are."""

from dataclasses import dataclass

NAMES = {
    "en": "harbour-prints paper-menagerie kite-club small-colour-atlas drawn-daily meadow-archive northlight-studio "
    "classroom-walls postcard-shed tin-toy-museum orchard-notes sketchbook-lane lamp-room bright-stickers windy-hill "
    "free-clipart-barn village-gallery",
    "de": "bilder-kiste malschule-nord papierladen bergblick-galerie leuchtturm-archiv",
    "fr": "atelier-couleurs images-du-matin petite-galerie carnet-de-plage",
    "it": "bottega-colori disegni-felici galleria-del-porto",
    "es": "taller-de-color postales-del-mar dibujos-libres",
    "ru": "cvetnye-kartinki arhiv-risunkov vesely-holst",
    "ar": "alwan-gallery souwar-jamila",
    "zh": "caise-huace haibian-xiangce zhizuo-tongnian",
    "ja": "iro-ehon kaze-no-gashitsu machi-no-shashin",
    "th": "phap-suay thale-si-fa",
    "eo": "kolora-mondo",
}
"""Names of sites by language. Esperanto has no entry list of its own: its texts are for `other`."""


@dataclass(frozen=True)
class Site:
    """A site with pages in one language.

    Its pictures are at the image host. Its pages are there too (`direct`), say so in their base (`based`), or are
    elsewhere and name them in full (`linked`, `secure`); no `//host` link on a page with https.
    """

    name: str
    lang: str
    kind: str

    def page_uri(self, number: int, host: str) -> str:
        """The address of its page of this number; `host` is that of the images, with its port."""
        if self.kind == "direct":
            return f"http://{host}/{self.name}/page-{number:02}.html"
        if self.kind == "based":
            return f"http://www.{self.name}.example/pages/{number}"
        scheme = "https" if self.kind == "secure" else "http"
        return f"{scheme}://{self.name}.example/{self.lang}/gallery/{number}.html?from=list"

    @property
    def relative(self) -> bool:
        """Whether a relative link leads to the image host."""
        return self.kind in ("direct", "based")


def make_sites() -> list[Site]:
    """All sites; every twelfth is `direct`, three of twelve `based`."""
    kinds = (
        "direct",
        "linked",
        "based",
        "secure",
        "linked",
        "based",
        "secure",
        "linked",
        "based",
        "secure",
        "linked",
        "secure",
    )
    names = [(name, lang) for lang, listed in NAMES.items() for name in listed.split()]
    return [Site(name, lang, kinds[index % len(kinds)]) for index, (name, lang) in enumerate(names)]
