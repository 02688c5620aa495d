"""Dump to counts, beside the wikitext library alone and bz2 alone on the same real pages.

`python -m tests.benchmarks.metadata`; the last line is one JSON object. Sizes are MB of wikitext, speeds of one core.
`growth` compares four times the pages, three quarters of which hold words that the first quarter has not, with four
times the time of that quarter.
"""

import bz2
import html
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mwparserfromhell
import pyarrow.parquet as pq
import wikitextparser

from metadata.sources.articles import CountTask, count_file
from tests.conftest import SHARED
from tests.dump_data import dump, multistream
from tests.unit.metadata.settings import dump_settings

ROUNDS = 3
_WORD = re.compile(r"\b(?!references|gallery|nowiki|category|templat)[a-z]{6,}\b")
_PAGE = re.compile(r"<page>\s*<title>(.*?)</title>.*?</page>", re.DOTALL)
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)
_VOWELS = str.maketrans("aeiou", "eioua")


def main() -> None:
    """Time all sides in turn and print the result."""
    source = SHARED / "wikidump" / "enwiki-206-pages.xml.bz2"
    if not source.exists():
        sys.exit(f"{source} is not here: the benchmark needs the real pages")
    pages = articles(source)
    larger = [(f"{title} {copy}", other_words(text, copy)) for copy in range(4) for title, text in pages]
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "1.xml.bz2"), Path(folder, "4.xml.bz2")
        for path, some in ((small, pages), (large, larger)):
            data = dump(some)
            path.write_bytes(multistream(data, range(3_000_000, len(data), 3_000_000)))
        words = count(small)  # compiles the kernels
        texts = [text for _, text in pages]
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda: count(small),
            "library": lambda: [wikitextparser.parse(text).plain_text() for text in texts],
            "bz2": lambda: bz2.decompress(small.read_bytes()),
            "large": lambda: count(large),
        }
        seconds = {name: float("inf") for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                seconds[name] = min(seconds[name], timed(side))
        seconds["mwparserfromhell"] = timed(lambda: [mwparserfromhell.parse(text).strip_code() for text in texts])
    size = sum(len(text.encode()) for text in texts) / 1e6
    growth_size = sum(len(text.encode()) for _, text in larger) / 1e6
    result = {
        "benchmark": "metadata",
        "pages": len(pages),
        "wikitext_mb": round(size, 2),
        "words": words,
        "mb_per_second": round(size / seconds["ours"], 2),
        "large_mb_per_second": round(growth_size / seconds["large"], 2),
        "library_mb_per_second": round(size / seconds["library"], 2),
        "mwparserfromhell_mb_per_second": round(size / seconds["mwparserfromhell"], 2),
        "bz2_mb_per_second": round(size / seconds["bz2"], 2),
        "ratio_library": round(seconds["ours"] / seconds["library"], 3),
        "ratio_bz2": round(seconds["ours"] / seconds["bz2"], 2),
        "growth": round(seconds["large"] / (4 * seconds["ours"]), 3),
    }
    print(json.dumps(result))


def articles(path: Path) -> list[tuple[str, str]]:
    """Title and wikitext of the pages that are no redirects."""
    found = []
    for page in _PAGE.finditer(bz2.decompress(path.read_bytes()).decode()):
        text = _TEXT.search(page[0])
        if text and "<redirect" not in page[0] and "<ns>0</ns>" in page[0]:
            found.append((html.unescape(page[1]), html.unescape(text[1])))
    return found


def other_words(text: str, copy: int) -> str:
    """The text with the vowels of its longer words turned, so that it holds other words of the same lengths."""

    def turn(word: re.Match[str]) -> str:
        turned = word[0]
        for _ in range(copy):
            turned = turned.translate(_VOWELS)
        return turned

    return _WORD.sub(turn, text)


def count(path: Path) -> int:
    """Count a dump as a task does; returns its number of words."""
    output = str(path.with_suffix(".parquet"))
    task = CountTask(str(path), "en", 0, None, output)
    receipt = count_file(task, dump_settings()).check()
    assert receipt.rows_out == receipt.rows_in, receipt.drops
    assert pq.read_metadata(output).num_rows > 0
    return receipt.facts["words"]


def timed(side: Callable[[], object]) -> float:
    """Processor seconds, which a loaded machine stretches less than the clock's."""
    start = time.process_time()
    side()
    return time.process_time() - start


if __name__ == "__main__":
    main()
