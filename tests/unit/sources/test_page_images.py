"""The pictures of a page: one for each picture, whatever shows it again, and captions."""

import random
import re
import time
from collections.abc import Callable

import pytest

from curation.sources.captions import MAX_CAPTION_BYTES, caption_text
from curation.sources.html_images import image_links
from curation.sources.page_images import page_images
from curation.sources.page_metadata import metadata_links
from tests.unit.sources.test_page_scan import ORDINARY

DATA = "data:image/gif;base64,R0lGOD"


def images_of(text: str) -> list[tuple[str, ...]]:
    """Address and alt of each image, and the caption if there is one."""
    found = page_images(text)
    assert found is not None
    return [(url, texts[0] or "", *([texts[3]] if texts[3] is not None else [])) for url, texts in found.links]


A, B = ("a.jpg", "kite"), ("b.jpg", "boat")
PAGES: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "no image": ("<p>x", []),
    "templates": (
        "<template><img src=a.jpg alt=kite><template><img src=b.jpg alt=boat></template></template><img src=c>",
        [A, B, ("c", "")],
    ),
    "a template's variables": ("<template><img src='{{url}}' alt='{{alt}}'></template>", [("", "{{alt}}")]),
    "script, style, comment": (
        "<script>'<img src=no>'</script><style><img></style><!-- <img> --><textarea><img></textarea>", [],
    ),
    "an image in an svg": ("<svg><image href=no /><foreignObject><img src=a.jpg alt=kite></foreignObject></svg>", [A]),
    "a copy behind": ("<img data-src=a.jpg src=x.gif alt=kite><noscript><img src=a.jpg alt=kite></noscript>", [A]),
    "a copy before": (f"<noscript><img src=a.jpg alt=kite></noscript>\n<img src={DATA} class=lazy alt=''>", [A]),
    "a copy in another size": (
        "<img data-src=a-300.jpg alt=kite></a><NOSCRIPT class=x><img srcset='a-300.jpg 300w, a.jpg 1100w' alt=kite>"
        "</noscript>",
        [A],
    ),
    "a copy without an alt": ("<img data-src=a.jpg alt=kite>\n <noscript><img src=a-2.jpg></noscript>", [A]),
    "beside a counter without a size": (
        "<img src=a.jpg alt=kite><noscript><img src=//t.org/p></noscript>", [A],
    ),
    "beside another image with a text": (
        "<img src=a.jpg title=kite><noscript><img src=b.jpg alt=boat></noscript>", [("a.jpg", ""), B],
    ),
    "beside another image without an address": (
        "<noscript><img src=a.jpg alt=kite></noscript><img alt=boat>", [A, ("", "boat")],
    ),
    "a copy elsewhere": (
        "<img data-src=a.jpg alt=kite><img src=b.jpg alt=boat><p>x</p><noscript><img src=a.jpg alt=kite></noscript>",
        [A, B],
    ),
    "the copy alone has an address": ("<img class=lazy alt=kite><noscript><img src=a.jpg alt=kite></noscript>", [A]),
    "the copy alone has a text": ("<img data-src=a.jpg><noscript><img src=a.jpg alt=kite></noscript>", [A]),
    "another image in noscript": ("<img src=a.jpg alt=kite><noscript><img src=b.jpg alt=boat></noscript>", [A, B]),
    "a counter in noscript": (
        f"<img src={DATA} alt=kite><noscript><img src=//t.org/p width=1 height=1></noscript>",
        [(DATA, "kite"), ("//t.org/p", "")],
    ),
    "an image in noscript alone": ("<noscript><img src=a.jpg alt=kite></noscript><p><img src=b.jpg alt=boat>", [A, B]),
    "noscript that stays open": ("<img src=a.jpg alt=kite><noscript><p><img src=b.jpg alt=boat>", [A, B]),
    "a picture": ("<picture><source srcset='b.jpg 2000w'><img src=a.jpg alt=kite></picture>", [A]),
    "a lazy picture": (f"<picture><source data-srcset='a.jpg 9w'><img src={DATA} alt=kite></picture>", [A]),
    "a picture with a copy": (
        f"<picture><source srcset=a.jpg><img src={DATA} alt=kite><noscript><img src=a.jpg alt=kite></noscript>",
        [A],
    ),
    "a source of another picture": ("<picture><source srcset=b.jpg></picture><img alt=kite>", [("", "kite")]),
    "a source of a film": ("<video><source src=b.mp4 srcset=b.jpg></video><img alt=kite>", [("", "kite")]),
    "a picture that stays open": ("<picture><img src=a.jpg alt=kite><p><img src=b.jpg alt=boat>", [A, B]),
    "amp-img": ("<amp-img src=a.jpg alt=kite></amp-img><AMP-ANIM src=b.jpg alt=boat></AMP-ANIM>", [A, B]),
    "amp-img with its placeholder": (
        "<amp-img src=a.jpg alt=kite><amp-img placeholder src=t.jpg alt=x></amp-img>"
        "<noscript><img src=a.jpg alt=kite></noscript></amp-img><img src=b.jpg alt=boat>",
        [A, B],
    ),
    "amp-img that stay open": ("<amp-img src=a.jpg alt=kite><amp-img src=b.jpg alt=boat>", [A, B]),
    "a caption": ("<figure><a><img src=a.jpg alt=kite></a><figcaption>A <i>red</i> kite</figcaption></figure>",
                  [(*A, "A red kite")]),
    "a caption before": ("<figure><figcaption>Red</figcaption><p><img src=a.jpg alt=kite></figure>", [(*A, "Red")]),
    "a caption of two": (
        "<figure><img src=a.jpg alt=kite><img src=b.jpg alt=boat><figcaption>Both</figcaption></figure>", [A, B],
    ),
    "a caption and a copy": (
        "<figure><img data-src=a.jpg alt=kite><noscript><img src=a.jpg></noscript><figcaption>Red</figure>",
        [(*A, "Red")],
    ),
    "the nearest caption": (
        "<figure><figure><img src=a.jpg alt=kite><figcaption>Red</figcaption></figure>"
        "<figure><img src=b.jpg alt=boat></figure><figcaption>Both</figcaption></figure>",
        [(*A, "Red"), B],
    ),
    "an outer caption": (
        "<figure><figure><img src=a.jpg alt=kite></figure><figcaption>Red</figcaption></figure><img src=b.jpg alt=boat>"
        "",
        [(*A, "Red"), B],
    ),
    "a caption that stays open": ("<figure><img src=a.jpg alt=kite><figcaption>Red</figure><p>x", [(*A, "Red")]),
    "a figure that stays open": ("<figure><img src=a.jpg alt=kite><figcaption>Red &amp; big", [(*A, "Red & big")]),
    "a caption without a figure": ("<img src=a.jpg alt=kite><figcaption>Red</figcaption>", [A]),
    "two captions": (
        "<figure><img src=a.jpg alt=kite><figcaption>1</figcaption><figcaption>2</figcaption></figure>", [(*A, "1")],
    ),
    "ends of nothing": ("</figure></figcaption></picture></noscript></amp-img><img src=a.jpg alt=kite>", [A]),
    "entities": ("<img src='a.jpg' alt='k&#105;te'>", [A]),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_one_image_of_each_picture(name: str) -> None:
    text, images = PAGES[name]
    assert images_of(text) == images


def test_the_first_base_outside_of_templates() -> None:
    found = page_images("<template><base href=/t/></template><base target=x><base href=''><base href=/b/><img src=a>")
    assert found is not None
    assert found.base == ""
    assert page_images("<base><base href=/b&amp;c/><img src=a>").base == "/b&c/"  # type: ignore[union-attr]


def test_images_without_a_tree_are_those_of_a_tree() -> None:
    rng = random.Random(8)
    pieces = [piece for piece in ORDINARY if not re.search("template|noscript|select|image", piece, re.IGNORECASE)]
    compared = 0
    for number in range(1500):
        text = "".join(rng.choices(pieces, k=rng.randrange(1, 20))).format(number)
        tree, tags = image_links(text), page_images(text)
        assert tree is not None
        assert tags is not None
        if tree.fits_tree:
            compared += len(tree.links)
            assert (tags.base, [(url, texts[:3]) for url, texts in tags.links]) == (tree.base, tree.links), text
    assert compared > 500


CAPTIONS = {
    "nothing": ("", ""),
    "white space": (" \n a\t b ", "a b"),
    "inline elements": ("a<b>b</b>c", "abc"),
    "lines": ("a<br>b<p>c</p><li>d", "a b c d"),
    "entities": ("x &lt;b&gt; &amp;amp; &copy2020 a &nosuch; 1 < 2 <3", "x <b> &amp; ©2020 a &nosuch; 1 < 2 <3"),
    "comments": ("a<!-- > -->b<!-->c<!--->d<!-- e", "abcd"),
    "raw text": ("a<script>'</b>'</script>b<SVG><title>no</title></sVg >c<style>d", "abc"),
    "quotes": ("<a title='>' href=\">\">x</a ><a b='", "x"),
    "characters by number": ("a&#10;&#160;b&#x0;", "a \xa0b\ufffd"),
    "a tag that comes of another": ("<<i></i>b>x", "<b>x"),
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_the_text_of_a_caption(name: str) -> None:
    markup, text = CAPTIONS[name]
    assert caption_text(markup.encode()) == text


def test_a_caption_is_bounded() -> None:
    assert len(images_of(f"<figure><img><figcaption>{'x' * 10**6}")[0][2]) == MAX_CAPTION_BYTES


def test_metadata() -> None:
    page = """<meta property="og:title" content="A page"><meta property="og:image" content="o.jpg">
        <meta property="og:image:secure_url" content="https://o.jpg"><meta name="og:image:alt" content="k&amp;te">
        <meta property="OG:IMAGE" content="p.jpg"><meta property="og:title" content="no"><meta content=x>
        <script type="application/LD+json; charset=utf-8">{"@graph": [
            {"@type": "ImageObject", "url": "page.html", "contentUrl": "c.jpg", "caption": "Red", "name": 7},
            {"@type": ["Thing", "http://schema.org/ImageObject"], "url": ["d.jpg"], "description": ["Big", "x"]},
            {"image": {"@type": "ImageObject", "name": "no address"}, "url": "e.jpg", "@type": "Article"}]}
        </script><script type="application/ld+json">{"@type": "ImageObject", "url": </script>
        <script>{"@type": "ImageObject", "url": "no.jpg", "name": "x"}</script>"""
    assert metadata_links(page) == [
        ("o.jpg", ["k&te", "A page", None, None, None]),
        ("p.jpg", [None, None, None, None, None]),
        ("c.jpg", [None, None, "Red", None, None]),
        ("d.jpg", [None, None, None, "Big", None]),
    ]


BYTES = 50_000
"""Each takes up to a quarter of a second; work that grows with the square of the page takes a minute."""
LARGE_SET = f"srcset='{'a 1w,' * 5_000}'"
HOSTILE = {
    "open figures": "<figure><figcaption>x" * (BYTES // 20),
    "an open picture": f"<picture><img {LARGE_SET}>" + "<img src=b>" * (BYTES // 11),
    "an open amp-img": f"<amp-img {LARGE_SET}>" + "<img src=b>" * (BYTES // 11),
    "an open noscript": f"<img {LARGE_SET}><noscript>" + "<img src=b>" * (BYTES // 11),
    "copies without end": "<img src=a><noscript>" + "<img src=a>" * (BYTES // 11),
    "sources": "<picture>" + "<source srcset='a 1w'>" * (BYTES // 22) + "<img>" * 500,
    "quotes in a caption": ("<figure><img><figcaption>" + "<a '" * 3000 + "</figure>") * 8,
    "raw text in a caption": ("<figure><img><figcaption>" + "<svg>" * 3000 + "</figure>") * 7,
    "digits": "<figure><img><figcaption>&#" + "9" * 15_000 + ";</figcaption></figure>",
    "data attributes": ("<img " + " ".join(f"data-a{n}=a{n}.jpg" for n in range(500)) + ">") * 11,
    "widths": f"<img data-src='{'{width}' * 4500}' data-widths='{'999999 ' * 4500}'>",
    "deep JSON": "<script type=application/ld+json>" + "[" * BYTES + "</script>",
    "titles": f"<meta property=og:title content={'x' * 50_000}>" + "<meta property=og:image content=a>" * 1500,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", [page_images, metadata_links])
def test_hostile_pages_take_no_time(name: str, read: Callable) -> None:
    start = time.process_time()
    assert read(HOSTILE[name]) is not None
    assert time.process_time() - start < 2
