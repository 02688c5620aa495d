"""Pages that would make a huge tree give their images, and ordinary pages give what a tree of the whole page gives."""

import random
import re
import time

import pytest

from curation.sources import html_images
from curation.sources.html_images import image_links, largest_source
from curation.sources.page_scan import MAX_ATTRIBUTES, PageTags, scan_page

IMAGE = "<img src=kite.jpg alt=kite>"
N = 20_000
HUGE = {
    "formatting in paragraphs": "".join(f"<p><b a={n}>x" for n in range(N)),
    "formatting before paragraphs": "<p>" + "".join(f"<b a={n}>" for n in range(N)) + "<p>x" * N,
    "formatting in list items": "".join(f"<li><i a={n}>x" for n in range(N)),
    "long formatting": f"<font color='{'x' * 200_000}'>" + "<p>x" * N,
    "formatting that a comment seems to close": "".join(f"<p><b a={n}><!--</b>-->x" for n in range(N)),
    "formatting that a text seems to close": "".join(f"<p><b a={n}><title></b></title>x" for n in range(N)),
    "formatting that a value seems to close": "".join(f"<p><b a={n}><u a='</b>'>x" for n in range(N)),
    "formatting that a closed block seems to close": "".join(f"<div><b a={n}></div></b>x" for n in range(N)),
    "anchors in cells": "".join(f"<a b={n}><table><td><a></a></td></table><p>x" for n in range(N)),
    "formatting in the style of an svg": "<svg><style>" + "".join(f"<p><b a={n}>x" for n in range(N)) + "</style>",
    "a deep tree": "<div>" * N + "</x>" * N,
    "a deep svg": "<svg>" + "<link>" * N + "</x>" * N,
    "blocks that end tags do not close": "<span><div></span>" * N,
    "attributes": "<p " + "".join(f"a{n} " for n in range(N)) + ">",
    "attributes of the root": "".join(f"<html a{n}>" for n in range(N)),
}
ORDINARY = (
    "<div>", "</div>", "<p>", "</p>", "<img src=a{0}.jpg alt=x>", "<img src='b{0}' />", "<b>", "</b>", "<b class=x{0}>",
    "<a href={0}>", "</a>", "<td>", "<tr>", "<table>", "</table>", "<ul>", "<li>", "</ul>", "<svg>", "</svg>",
    "<path/>", "<path>", "<title>t</title>", "<style>a<img src=no></style>", "<script>'<img src=no>'</script>",
    "<!-- <img src=no> -->", "<!-->", "<!--->", "<!-- a --!>", "text &amp; ", "<image src=i{0}>", "<g>", "</g>",
    "<math>", "</math>", "<mi>x</mi>", "<select>", "</select>", "<option>", "<template>", "</template>",
    "<iframe><img src=no></iframe>", "<textarea><img src=no></textarea>", "<noscript>", "</noscript>",
    "<base href=b{0}>", "<h1>", "</h2>", "<br>", "</br>", "<i/>", "<![CDATA[<img src=c{0}>]]>", "<?x <img>",
    "</ <img>", "<>", "< img>", "<img\nsrc=n{0}\n>", "<IMG SRC=u{0} ALT='&lt;&copy=1'>", '<img src="q{0}>">', "</x>",
    "<object>", "</object>", "<form>", "</form>", "<link>", "<desc>", "</desc>", "<span>", "</span>", "<IMAGE SRC=1>",
)  # fmt: skip
OLD_CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])(?:,|\s+([^,(]*(?:\([^)]*\)[^,(]*)*)(?:,|$)|$)")


@pytest.mark.parametrize("name", HUGE)
def test_a_page_with_a_huge_tree_gives_its_images(name: str) -> None:
    """Each of these took more than a second, or gigabytes; `<style>` and `<svg>` decide what the last image is."""
    found = image_links(f"<base href=/b/>{IMAGE}{HUGE[name]}{IMAGE}")
    assert found is not None
    assert not found.fits_tree
    assert found.base == "/b/"
    assert found.links[0] == ("kite.jpg", ["kite", None, None])
    assert found.links[1:] == found.links[:1]


def test_attributes_beyond_the_limit_are_cut_off() -> None:
    many = " ".join(f"a{n}=1" for n in range(MAX_ATTRIBUTES - 2))
    assert image_links(f"<img src=a.jpg {many} alt=kite>") == ("", [("a.jpg", ["kite", None, None])], True, 0)
    assert image_links(f"<img src=a.jpg {many} b alt=kite>") == ("", [("a.jpg", [None, None, None])], False, 1)


def by_tree(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple:
    with monkeypatch.context() as patch:
        patch.setattr(html_images, "scan_page", lambda _: PageTags(scan_page(b"<img>").tags, 0, True))
        found = image_links(text)
    assert found is not None
    return found.base, found.links


def test_ordinary_pages_equal_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    fitting = 0
    for number in range(1500):
        text = "".join(rng.choices(ORDINARY, k=rng.randrange(1, 25))).format(number)
        found = image_links(text)
        assert found is not None
        fitting += found.fits_tree
        if found.fits_tree:
            assert (found.base, found.links) == by_tree(text, monkeypatch), text
    assert fitting > 1000


def test_a_srcset_in_one_pass_equals_the_expression_of_before() -> None:
    def before(source_set: str) -> str:
        best, size = "", -1.0
        for url, descriptor in OLD_CANDIDATE.findall(source_set):
            try:
                measure = float(descriptor.split()[0][:-1]) if descriptor.split() else 1.0
            except ValueError:
                measure = 0.0
            if measure > size:
                best, size = url, measure
        return best

    rng = random.Random(3)
    pieces = (
        "a.jpg",
        "b.png?w=1,2",
        " ",
        "  ",
        ",",
        ", ",
        " 1x",
        " 2.5x",
        " 300w",
        " 40h",
        " (a, b)",
        "\n",
        "data:i;b,A",
    )
    for _ in range(20_000):
        source_set = "".join(rng.choices(pieces, k=rng.randrange(1, 9)))
        assert largest_source(source_set) == before(source_set), source_set


@pytest.mark.parametrize(
    "piece",
    [",", " ", ", ", "a,", "a ,", "(", "a (", "a 1x,(", "a (,)", ")", pytest.param("9" * 99, id="digits")],
)
def test_a_hostile_srcset_takes_no_time(piece: str) -> None:
    start = time.process_time()
    largest_source(piece * 50_000)
    largest_source(piece * 50_000 + " x y (")
    assert time.process_time() - start < 2
