"""Crafted pages and dumps: markup that is open, nested or repeated, XML and bz2 that are damaged.

python -m tests.fuzz.wikitext variants=100000 seed=1
"""

import bz2
import random
import tempfile
from pathlib import Path

from curation.core.receipts import Receipt
from metadata.sources.articles import read_articles
from tests.dump_data import article, dump
from tests.fuzz.harness import command_line, run_variants
from tests.unit.metadata.settings import dump_settings

GROWTH_BYTES = 1 << 29
MARKUP = [
    "[[", "]]", "[", "]", "{{", "}}", "{", "}", "{{{", "}}}", "{|", "|}", "|-", "||", "|", "!", "!!", "''", "'''",
    "'''''", "<", "<b>", "</b>", "<ref>", "</ref>", "<ref", "<!--", "-->", "<nowiki>", "</nowiki>", "&amp;", "&",
    "http://a ", "[http://a ", "[http://a", "mailto:a", "[//a b]", "__A", "__TOC__", " ", "\n", "a", "==", "\n*",
    ":", "#",
    "[[a|", "[[a|b]]", "[[a:", "[[:", "{{a|", "{{#if:", "{{PAGENAME:", "\0", "_", "\u200b", "[[File:a|", "-{", "}-",
    "-{zh-hans:", ";zh-hant:", "-{A|", "=>", "|", "-{H|", '<ref name="', "<nowiki/>", "&shy;", "\u200c", "\ufdd0",
    "#REDIRECT ", "<br/>", "<a b='", '"', "é", "\n{|", "\n|", "\n!", "colspan=99999999|",
]  # fmt: skip
XML = [
    b"<page>", b"</page>", b"<text>", b"</text>", b"<revision>", b"</revision>", b"<ns>", b"</ns>", b"<title>",
    b"</mediawiki>", b"<mediawiki ", b"<siteinfo>", b"</siteinfo>", b"&bomb;", b"\x02", b"\xff", b"<a>",
    b"<a b=''>", b"]]>",
    b"<![CDATA[", b"<!DOCTYPE a>", b"BZh91AY&SY", b"x" * 500,
]  # fmt: skip


def make(rng: random.Random) -> tuple[str, bytes]:
    """Return name and bytes of a dump."""
    pages = []
    for number in range(rng.randrange(1, 4)):
        pieces = [rng.choice(MARKUP) * rng.choice((1, 1, 1, 2, 10, 300)) for _ in range(rng.randrange(25))]
        pages.append((f"Page {number}", article("".join(pieces).replace("\0", ""))))
    data = bytearray(dump(pages, rng.choice(("enwiki", "zhwiki"))))
    for _ in range(rng.choice((0, 0, 1, 5))):
        at = rng.randrange(len(data))
        data[at : at + rng.choice((0, 3, 40))] = rng.choice(XML) * rng.choice((1, 1, 50))
    if rng.random() < 0.5:
        return "a.xml", bytes(data)
    packed = bytearray(bz2.compress(data, 1) + bz2.compress(b"", 1) + bz2.compress(bytes(data[:100]), 1))
    for _ in range(rng.choice((0, 0, 1, 3))):
        at = rng.randrange(len(packed))
        packed[at : at + rng.choice((0, 1, 30))] = rng.choice((b"BZh91AY&SY" * 3, rng.randbytes(9), b""))
    return "a.xml.bz2", bytes(packed)


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns the outcomes."""
    with tempfile.TemporaryDirectory() as folder:

        def read(name: str, data: bytes) -> str:
            path = Path(folder) / name
            path.write_bytes(data)
            receipt = Receipt(name)
            texts = list(read_articles(str(path), 0, None, dump_settings(max_page_bytes=1 << 20), receipt))
            assert len(texts) == receipt.check().rows_out
            return "faults" if receipt.failures or receipt.drops else "articles" if texts else "empty"

        return run_variants(make, read, variants, seed, GROWTH_BYTES)


if __name__ == "__main__":
    command_line(main)
