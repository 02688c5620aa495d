"""Extraction against the published tools, on one core, in one run: `make bench NAME=extract`.

Both sides read the same synthetic WAT (tests/benchmarks/generate_wat.py) and are taken in turn; the fastest of each
counts. Ours is: inflate, parse, URL and text rules at their defaults, uid, Arrow batches; no language, no
deduplication. The others are cc2dataset's `process_wat(path, "image")` and, as the published demo does it, gzip lines
with json.loads, urljoin and SHA-224. `with_language` is all that extraction does (`language.rule=published`, beside it
`with_careful_language`); `ratio_inflate` compares it with
inflating alone, `ratio_json_lines_with_language` with the demo's way and its call of fastText for each alt. The last
line is one JSON object.

Arguments: rounds=3 megabytes=500 links_per_wat=9300000
"""

import gzip
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import fasttext
from cc2dataset.main import process_wat
from fastwarc.stream_io import GzipReader
from loguru import logger

from curation.core.choices import LanguageRule
from curation.core.receipts import Receipt
from curation.extraction.candidates import candidates
from curation.extraction.extract import iter_pairs
from curation.extraction.language import DEFAULT_MODEL, path_of_model
from curation.sources.archives import ReadLog
from curation.sources.wat import WatReader
from tests.benchmarks.generate_wat import write_wat
from tests.unit.extraction.settings import extraction_settings, language_rules

Pair = tuple[str, str]


def headtail_pairs(path: str) -> Iterator[tuple]:
    """Our candidates, as Arrow batches."""
    settings, receipt = extraction_settings(), Receipt(path)
    with open(path, "rb") as file:
        for links in WatReader(file, ReadLog(), settings.entities):
            yield candidates(links, settings, receipt)


def json_lines_pairs(path: str) -> Iterator[tuple[str, str, str]]:
    """The demo's way: every line that looks like JSON is decoded as a whole."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith("{"):
                continue
            envelope = json.loads(line)["Envelope"]
            html = envelope["Payload-Metadata"].get("HTTP-Response-Metadata", {}).get("HTML-Metadata", {})
            if "Links" not in html:
                continue
            base = envelope["WARC-Header-Metadata"]["WARC-Target-URI"]
            base = urljoin(base, html.get("Head", {}).get("Base", base))
            for link in html["Links"]:
                if link.get("path") == "IMG@/src" and link.get("alt", "").strip():
                    url = urljoin(base, link["url"])
                    if url.startswith(("http://", "https://")):
                        yield hashlib.sha224(url.encode()).hexdigest()[:24], url, link["alt"]


def inflate(path: str) -> Iterator[int]:
    """Nothing but inflating."""
    with open(path, "rb") as file:
        reader = GzipReader(file, fsspec_args=False)
        while piece := reader.read(1 << 22):
            yield len(piece)


def with_language(path: str) -> Iterator[object]:
    """Everything that extraction does, deduplication and language included."""
    return iter_pairs(path, extraction_settings(language=language_rules(rule=LanguageRule.published)), Receipt(path))


def with_careful_language(path: str) -> Iterator[object]:
    """The same under the careful rule of languages."""
    return iter_pairs(path, extraction_settings(language=language_rules(rule=LanguageRule.careful)), Receipt(path))


def json_lines_with_language(path: str) -> Iterator[object]:
    """The demo's way with the language of each alt."""
    model = fasttext.load_model(path_of_model(DEFAULT_MODEL))
    return (model.predict(alt.replace("\n", " ")) for _, _, alt in json_lines_pairs(path))


def seconds_of(side: Callable[[str], Iterator[object]], path: str) -> float:
    """CPU seconds of one pass; of this thread alone, so that a busy machine counts less."""
    started = time.process_time()
    for _ in side(path):
        pass
    return time.process_time() - started


def pairs_of(path: str) -> dict[str, set[Pair]]:
    """(url, text) by side, ours without titles; texts stripped, which the others leave to later stages."""
    ours = set()
    for batch in headtail_pairs(path):
        rows = zip(*(batch[name].to_pylist() for name in ("url", "text", "text_key")), strict=True)
        ours |= {(url, text) for url, text, key in rows if key == "alt"}
    cc2 = {(url, alt.strip()) for _, url, alt, _, _ in process_wat(path, "image") if alt.strip()}
    lines = {(url, alt.strip()) for _, url, alt in json_lines_pairs(path)}
    return {"headtail": ours, "cc2dataset": cc2, "json_lines": lines}


def main(rounds: int = 3, megabytes: int = 500, links_per_wat: int = 9_300_000) -> None:
    """Make the input, compare the pairs, then time each side."""
    logger.remove()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.wat.gz")
        counts = write_wat(Path(path), megabytes)
        print(f"input: {counts}, {counts['plain_bytes'] / counts['links']:.0f} plain bytes a link")
        small = str(Path(folder) / "small.wat.gz")
        write_wat(Path(small), min(megabytes, 50))
        pairs = pairs_of(small)
        missed = {name: len(pairs[name] - pairs["headtail"]) for name in ("cc2dataset", "json_lines")}
        extra = {name: len(pairs["headtail"] - pairs[name]) for name in ("cc2dataset", "json_lines")}
        print(f"pairs of theirs that we miss: {missed}; alts of ours that they miss: {extra}")
        sides = {
            "inflate": inflate,
            "headtail": headtail_pairs,
            "cc2dataset": lambda name: process_wat(name, "image"),
            "json_lines": json_lines_pairs,
            "with_language": with_language,
            "with_careful_language": with_careful_language,
            "json_lines_with_language": json_lines_with_language,
        }
        for side in ("headtail", "with_language", "with_careful_language"):
            seconds_of(sides[side], small)  # kernels are compiled, the model is loaded
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                times[name].append(seconds_of(side, path))
                print(f"{name}: {times[name][-1]:.2f} s")
    best = {name: min(values) for name, values in times.items()}
    scale = links_per_wat / counts["links"]
    result = {
        "ratio_cc2dataset": round(best["cc2dataset"] / best["headtail"], 2),
        "ratio_json_lines": round(best["json_lines"] / best["headtail"], 2),
        "ratio_json_lines_with_language": round(best["json_lines_with_language"] / best["with_language"], 2),
        "ratio_inflate": round(best["with_language"] / best["inflate"], 2),
        "ratio_inflate_careful": round(best["with_careful_language"] / best["inflate"], 2),
        "core_seconds_per_wat": round(best["with_language"] * scale, 1),
        "inflate_seconds_per_wat": round(best["inflate"] * scale, 1),
        "pairs_missed": sum(missed.values()),
        "plain_megabytes": round(counts["plain_bytes"] / 1e6),
        "rounds": rounds,
        "seconds": {name: round(value, 2) for name, value in best.items()},
        "peak_rss_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(**{name: int(value) for name, value in (argument.split("=") for argument in sys.argv[1:])})
