"""The address that is taken of all that an image offers: tables of cases, and source sets against a dumb choice."""

import random

import pytest

from curation.sources.image_choice import MIN_WIDTH, choose_address

DATA = "data:image/gif;base64,R0lGOD"
CASES: dict[str, tuple[dict[str, str | None], str]] = {
    "nothing": ({"alt": "x"}, ""),
    "src": ({"src": "a.jpg"}, "a.jpg"),
    "only a data URL": ({"src": DATA}, DATA),
    "only a stand-in": ({"src": "/blank.gif"}, "/blank.gif"),
    "smallest wide enough": ({"src": "s", "srcset": "a 320w, b 1024w, c 1600w, d 2048w"}, "b"),
    "order of a set": ({"srcset": "d 2048w, c 1600w, a 320w"}, "c"),
    "largest of small ones": ({"src": "a", "srcset": "a 320w, b 1023w, c 640w"}, "b"),
    "the first of equals": ({"srcset": "a 1200w, b 1200w"}, "a"),
    "densities without a width": ({"src": "a", "srcset": "b 2x, c 3x"}, "c"),
    "densities with a width": ({"src": "a", "srcset": "b 2x, c 3x", "width": "600"}, "b"),
    "densities of a small image": ({"src": "a", "srcset": "b 2x, c 3x", "width": "100px"}, "c"),
    "density 1 is src": ({"src": "a", "srcset": "b 1.5x, c 2x", "width": "1024"}, "a"),
    "a width in percent": ({"src": "a", "srcset": "b 2x", "width": "100%"}, "b"),
    "heights": ({"srcset": "a 500h, b 700h, c 900h", "width": "300", "height": "200"}, "b"),
    "a descriptor that is none": ({"srcset": "a wide, b 300w"}, "b"),
    "a long density": ({"srcset": "a 1.3333333333333333x, b .5x"}, "a"),
    "an address without a dot": ({"src": "a.jpg", "data-src": "show?id=5"}, "show?id=5"),
    "a set named as a stand-in": ({"src": "lazy.jpg", "srcset": "lazy.jpg 300w, lazy-900.jpg 900w"}, "lazy-900.jpg"),
    "an address of a stand-in elsewhere": ({"src": DATA, "data-fallback": "/x/placeholder.png"}, DATA),
    "a set whose commas are spelt": ({"src": "a", "srcset": "a%2C b 2x%2C c 3x"}, "a"),
    "descriptors that Python takes for numbers": ({"srcset": "a nanw, b infw, c 1_000_000w, d -5w, e 7w"}, "e"),
    "a data URL in a set": ({"srcset": f"{DATA} 4000w, a 300w", "src": "s"}, "a"),
    "a set of data URLs": ({"srcset": f"{DATA} 1x", "src": "s"}, "s"),
    "a lazy address before its stand-in": ({"src": "/img/spinner.gif", "data-src": "a.jpg"}, "a.jpg"),
    "a lazy address before a blurred image": ({"src": "a-20px.jpg", "data-original": "a.jpg"}, "a.jpg"),
    "a lazy set": ({"src": DATA, "data-src": "s.jpg", "data-srcset": "s.jpg 300w, m.jpg 1100w, l.jpg 4000w"}, "m.jpg"),
    "a lazy set before a set": ({"srcset": "blur.jpg 20w", "data-srcset": "a.jpg 300w"}, "a.jpg"),
    "lazy densities": ({"data-src": "a.jpg", "data-srcset": "b.jpg 2x", "width": "2000"}, "a.jpg"),
    "a set of one address": ({"srcset": "blur.jpg", "data-src": "a.jpg"}, "a.jpg"),
    "WordPress": ({"src": "a-300.jpg", "data-orig-file": "a.jpg", "data-large-file": "a-1024.jpg"}, "a-1024.jpg"),
    "WordPress, the original only": ({"src": "a-300.jpg", "data-orig-file": "a.jpg"}, "a.jpg"),
    "a lazy attribute that is a switch": ({"src": "a.jpg", "data-lazy": "true"}, "a.jpg"),
    "a lazy attribute that is empty": ({"src": "a.jpg", "data-src": "", "data-lazy-src": " "}, "a.jpg"),
    "a lazy attribute with JSON": ({"src": "a.jpg", "data-src": '{"u": "b.jpg"}'}, "a.jpg"),
    "a width to fill in": ({"data-src": "a_{width}x.jpg", "data-widths": "[180, 540, 1080, 1296]"}, "a_1080x.jpg"),
    "a width to fill in, without widths": ({"data-src": "a_{width}x.jpg"}, "a_1024x.jpg"),
    "a template": ({"src": "{{ image.url }}", "data-src": "${url}.jpg"}, ""),
    "another attribute": ({"data-anything": "a.jpg", "alt": "x"}, "a.jpg"),
    "another attribute beside a stand-in": ({"src": "/1x1.gif", "data-anything": "/b/a.webp?w=3"}, "/b/a.webp?w=3"),
    "another attribute beside an image": ({"src": "/a.gif", "data-anything": "/b/a.webp"}, "/a.gif"),
    "an address without an ending": ({"data-picture": "https://cdn.h.org/3f2a"}, "https://cdn.h.org/3f2a"),
    "the address of a page": ({"data-permalink": "https://h.org/a/", "data-img-href": "//h.org/b"}, ""),
    "a name": ({"data-image-name": "kite.jpg", "data-title": "kite.png"}, ""),
    "a set in another attribute": ({"data-sizes-x": "a.jpg 300w, b.jpg 1200w, c.jpg 3000w"}, "b.jpg"),
    "words in another attribute": ({"data-text": "see a.jpg and b.jpg 2 times"}, ""),
    "the largest by its name": ({"data-small": "/s.jpg", "data-medium": "/m.jpg", "data-zoom": "/l.jpg"}, "/l.jpg"),
    "attributes without a value": ({"src": None, "data-src": None, "srcset": None, "data-x": None}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_address_of_all(name: str) -> None:
    tag, address = CASES[name]
    assert choose_address([tag]) == address


@pytest.mark.parametrize(
    ("image", "sources", "address"),
    [
        pytest.param({"src": "a.jpg"}, [{"srcset": "b.jpg 2000w"}], "a.jpg", id="the image has one"),
        pytest.param({"src": DATA}, [{"srcset": "b.jpg 500w, c.jpg 1500w, d.jpg 3000w"}], "c.jpg", id="sizes"),
        pytest.param({}, [{"data-srcset": "b.jpg"}], "b.jpg", id="no address at all"),
        pytest.param({}, [{"srcset": "b.avif", "type": "image/avif"}, {"srcset": "c.webp"}], "c.webp", id="types"),
        pytest.param({}, [{"srcset": "b.avif", "type": "image/avif"}], "b.avif", id="a rare type only"),
        pytest.param({"data-x": "a.jpg"}, [{"srcset": "b.jpg"}], "b.jpg", id="before other attributes"),
        pytest.param({}, [{"src": "film.mp4"}], "", id="the source of a film"),
    ],
)
def test_sources_stand_in(image: dict[str, str | None], sources: list[dict[str, str | None]], address: str) -> None:
    assert choose_address([image], sources) == address


def test_source_sets_equal_a_dumb_choice() -> None:
    rng = random.Random(4)
    for _ in range(2500):
        widths = [rng.choice((1, 500, 1023, MIN_WIDTH, 1025, 4000)) for _ in range(rng.randrange(1, 6))]
        unit, width = rng.choice("wx"), rng.choice((None, 1, 400))
        source_set = rng.choice((", ", ",\n ")).join(f"{n}.jpg {size}{unit}" for n, size in enumerate(widths))
        pixels = [size * (width or 1) if unit == "x" else size for size in widths]
        urls = [f"{n}.jpg" for n in range(len(widths))]
        if unit == "x":
            pixels, urls = [*pixels, width or 1], [*urls, "src.jpg"]
        best = min(range(len(pixels)), key=lambda n: (pixels[n] < MIN_WIDTH, abs(pixels[n] - MIN_WIDTH), n))
        tag = {"src": "src.jpg", "srcset": source_set, "width": None if width is None else str(width)}
        assert choose_address([tag]) == urls[best], source_set
