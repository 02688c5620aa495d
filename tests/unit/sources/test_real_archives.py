"""Real archives against the golden table, and the table against a count that shares no code with extraction."""

import gzip
import json
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from curation.core.choices import ImageAddresses, SourceKind
from curation.core.receipts import Receipt
from curation.extraction.extract import iter_pairs
from curation.sources.html_images import SOURCE_SETS, SOURCES, largest_source
from tests.conftest import SHARED, needs_shared
from tests.golden.archives import GOLDEN, counts_of, real_archives
from tests.unit.extraction.settings import ENGLISH, extraction_settings

TABLE: dict[str, dict[str, int]] = json.loads(GOLDEN.read_text())


@needs_shared
def test_the_table_names_every_archive() -> None:
    assert set(TABLE) == {str(path.relative_to(SHARED)) for path in real_archives()}


@needs_shared
@pytest.mark.parametrize("name", TABLE)
def test_counts_equal_the_table(name: str) -> None:
    assert counts_of(SHARED / name) == TABLE[name]


def naive_images(path: Path) -> list[tuple[str, dict[str, str]]]:
    """(base, link) of every image link: each line that is JSON is decoded."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    found = []
    for line in data.split(b"\n"):
        if not line.startswith(b"{"):
            continue
        envelope = json.loads(line)["Envelope"]
        html = envelope["Payload-Metadata"].get("HTTP-Response-Metadata", {}).get("HTML-Metadata", {})
        page = envelope.get("WARC-Header-Metadata", {}).get("WARC-Target-URI", "").strip("<>")
        base = urljoin(page, html.get("Head", {}).get("Base", ""))
        found += [(base, link) for link in html.get("Links", []) if link.get("path") == "IMG@/src"]
    return found


@needs_shared
@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("wat/")])
def test_the_table_equals_a_naive_count(name: str) -> None:
    images = naive_images(SHARED / name)
    texts = [(base, link["url"], link[key]) for base, link in images for key in ("alt", "title") if key in link]
    full = [(base, url, text) for base, url, text in texts if text.strip()]
    kept = set()
    data_urls = 0
    for base, url, text in full:
        if url.startswith("data:"):
            data_urls += 1
            continue
        joined = urldefrag(urljoin(base, url)).url
        assert urlsplit(joined).scheme in ("http", "https")
        kept.add((joined, " ".join(text.replace("\n", " ").replace("\t", " ").split(" ")).strip()))
    bare = sum(1 for _, link in images if "alt" not in link and "title" not in link)
    expected = Counter(
        image_links=len(images),
        candidates=len(texts) + bare,
        no_text=bare,
        blank_text=len(texts) - len(full),
        data_url=data_urls,
        pairs=len(kept),
        same_text=len(full) - data_urls - len(kept),
    )
    assert +expected == Counter({key: value for key, value in TABLE[name].items() if key in expected})


class Images(HTMLParser):
    """Another HTML parser than extraction's: the attributes of every image, and the first base."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str]] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in reversed(attrs)}
        if tag == "img":
            self.images.append(found)
        elif tag == "base" and not self.base:
            self.base = found.get("href", "")

    handle_startendtag = handle_starttag


def naive_pages(path: Path) -> list[tuple[str, list[dict[str, str]]]]:
    """(base, images) of each HTML response that FastWARC finds."""
    pages = []
    for record in ArchiveIterator(path.open("rb"), record_types=WarcRecordType.response, parse_http=True):
        if record.http_content_type and "html" in record.http_content_type:
            parser = Images()
            parser.feed(record.reader.read().decode("utf-8", "replace"))
            pages.append((urljoin(record.headers["WARC-Target-URI"].strip("<>"), parser.base), parser.images))
    return pages


@needs_shared
@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("warc/") and "image_links" in TABLE[name]])
def test_the_table_equals_another_parsers_count(name: str) -> None:
    counts: Counter[str] = Counter()
    kept = set()
    for base, images in naive_pages(SHARED / name):
        counts["pages_read"] += bool(images)
        for image in images:
            addresses = {image.get(key, "") for key in SOURCES} | {
                largest_source(image.get(key, "")) for key in SOURCE_SETS
            }
            texts = [image[key] for key in ("alt", "title", "data-image-title") if key in image]
            addresses = (addresses - {""}) or {""}
            counts["image_links"] += len(addresses)
            counts["candidates"] += len(addresses) * max(len(texts), 1)
            for url in addresses:
                full = [" ".join(text.split("\n")).strip() for text in texts if text.strip()]
                if not url.startswith("data:"):
                    kept |= {(urldefrag(urljoin(base, url)).url, text) for text in full}
    counts["pairs"] = len(kept)
    table = {key: value for key, value in TABLE[name].items() if key in counts}
    assert +counts == Counter(table)


@cache
def rows_of(path: Path, source: SourceKind, addresses: ImageAddresses) -> frozenset[tuple[str, str, str]]:
    """URL, text key and text of each pair of a file."""
    settings = extraction_settings(source=source, language=ENGLISH, rules=2, image_addresses=addresses)
    batches = iter_pairs(str(path), settings, Receipt(path.name))
    return frozenset((row["url"], row["text_key"], row["text"]) for batch in batches for row in batch.to_pylist())


@needs_shared
@pytest.mark.parametrize(
    ("wat", "warc", "counts"),
    [
        ("dolma__sample-0000.warc.wat.gz", "dolma/sample-0000.warc.gz", (64, 82)),
        ("dolma__sample-0001.warc.wat.gz", "dolma/sample-0001.warc.gz", (66, 71)),
        ("webarchive_commons__IAH-urls-wget.warc.wat.gz", "webarchive_commons/IAH-urls-wget.warc.gz", (14, 14)),
        (
            "webarchive_commons__link-extraction-test.warc.wat.gz",
            "webarchive_commons/link-extraction-test.warc",
            (0, 4),
        ),
        ("whirlwind__whirlwind.warc.wat.gz", "whirlwind/whirlwind.warc.gz", (7, 12)),
    ],
    ids=["dolma 0", "dolma 1", "IAH", "link extraction", "whirlwind"],
)
def test_a_warc_with_all_addresses_gives_at_least_what_its_wat_gives(
    wat: str, warc: str, counts: tuple[int, int]
) -> None:
    less, more = (
        {(url, text) for url, _, text in rows_of(path, source, ImageAddresses.all)}
        for path, source in (
            (SHARED / "wat" / "extracted" / wat, SourceKind.wat),
            (SHARED / "warc" / warc, SourceKind.warc),
        )
    )
    assert less <= more
    assert (len(less), len(more)) == counts  # docs/extraction.md says where the others come from


class Pictures(HTMLParser):
    """The attributes of every image, with the text of its figure's caption: by a stack of figures, without bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
        self.base = ""
        self.figures: list[dict[str, Any]] = []
        self.in_caption = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in reversed(attrs)}
        if tag == "img":
            self.images.append((found, list(self.figures)))
            for figure in self.figures:
                figure["images"] += 1
        elif tag == "base":
            self.base = self.base or found.get("href", "")
        elif tag == "figure":
            self.figures.append({"images": 0, "caption": None})
        elif tag == "figcaption" and self.figures:
            self.in_caption, self.figures[-1]["caption"] = True, ""

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self.in_caption &= tag not in ("figcaption", "figure")
        if tag == "figure" and self.figures:
            self.figures.pop()

    def handle_data(self, data: str) -> None:
        if self.in_caption:
            self.figures[-1]["caption"] += data


def naive_choice(image: dict[str, str]) -> str:
    """The address by the rules of docs/extraction.md, for what these pages have: one site spells its commas `%2C`."""
    sizes = [
        (float(size) if unit == "w" else float(size) * float(image.get("width") or 1), url)
        for url, size, unit in re.findall(r"(\S+)\s+([\d.]+)([wx])(?:,|$)", image.get("srcset", ""))
        if "%2C " not in image["srcset"]
    ]
    if sizes and image["srcset"].rstrip()[-1] == "x":
        sizes.append((float(image.get("width") or 1), image["src"]))
    if wide := sorted(size for size in sizes if size[0] >= 1024):
        return wide[0][1]
    return max(sizes)[1] if sizes else image.get("data-large-file") or image.get("src", "")


@needs_shared
@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("warc/") and "pairs" in TABLE[name]])
def test_one_address_equals_another_parsers_choice(name: str) -> None:
    expected: dict[tuple[str, str], str] = {}
    for record in ArchiveIterator((SHARED / name).open("rb"), record_types=WarcRecordType.response, parse_http=True):
        if not record.http_content_type or "html" not in record.http_content_type:
            continue
        parser = Pictures()
        text = record.reader.read().decode("utf-8", "replace")
        parser.feed(re.sub(r"\r\n[0-9a-f]{1,6}\r\n", "", text))  # FastWARC leaves sizes of some chunks in
        base = urljoin(record.headers["WARC-Target-URI"].strip("<>"), parser.base)
        for image, figures in parser.images:
            texts = {key: image[key] for key in ("alt", "data-image-title", "title") if key in image}
            captioned = [figure for figure in figures if figure["caption"] is not None]
            if captioned and captioned[-1]["images"] == 1:
                texts["figcaption"] = re.sub(r"[ \t\n\r\f]+", " ", captioned[-1]["caption"])
            url = naive_choice(image)
            if not url.startswith("data:"):
                for key in sorted(texts):
                    if text := " ".join(texts[key].split("\n")).strip():
                        expected.setdefault((urldefrag(urljoin(base, url)).url, text), key)
    found = rows_of(SHARED / name, SourceKind.warc, ImageAddresses.one)
    assert found == {(url, key, text) for (url, text), key in expected.items()}
    own = {text for _, key, text in found if key != "figcaption"}
    assert own == {text for _, _, text in rows_of(SHARED / name, SourceKind.warc, ImageAddresses.all)}


@needs_shared
def test_a_picture_in_five_sizes_counts_once() -> None:
    """All text pairs of the archives, and what a caption adds."""
    names = [SHARED / name for name in TABLE if name.startswith("warc/") and "pairs" in TABLE[name]]
    many, one = (
        [row for path in names for row in rows_of(path, SourceKind.warc, addresses)]
        for addresses in (ImageAddresses.all, ImageAddresses.one)
    )
    assert (len(many), len(one), sum(key == "figcaption" for _, key, _ in one)) == (183, 165, 8)
    assert (len({url for url, _, _ in many}), len({url for url, _, _ in one})) == (166, 150)


@needs_shared
def test_the_genuine_wat_of_2015_has_its_88_alts() -> None:
    images = naive_images(SHARED / "wat" / "commoncrawl-2015-18.wat")
    assert len(images) == 108
    assert sum("alt" in link for _, link in images) == 106
    assert sum(bool(link.get("alt", "").strip()) for _, link in images) == 88
    counts = TABLE["wat/commoncrawl-2015-18.wat"]
    titles = sum("title" in link for _, link in images)
    full_titles = sum(bool(link.get("title", "").strip()) for _, link in images)
    assert counts["candidates"] == 106 + titles + counts["no_text"]
    assert counts["pairs"] + counts["same_text"] == 88 + full_titles
