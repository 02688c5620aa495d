"""Real archives against the golden table, and the table against a count that shares no code with extraction."""

import gzip
import json
from collections import Counter
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from tests.conftest import SHARED, needs_shared
from tests.golden.archives import GOLDEN, counts_of, real_archives

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
