"""The texts of ../shared/data, for tests and benchmarks."""

import bz2
import contextlib
import csv
import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from tests.conftest import SHARED


def captions() -> list[str]:
    """Every distinct caption, in the files' order."""
    texts = laion_captions()
    for name in ("cc3m-validation.tsv", "coco-val2017.tsv.gz"):
        texts += [line.split("\t")[0] for line in lines(SHARED / "captions" / name)]
    return list(dict.fromkeys(texts))


def laion_captions() -> list[str]:
    """The captions of 10,000 rows of LAION-400M, those that repeat as well."""
    return [text for text in pq.read_table(SHARED / "captions/laion-10000.parquet")["TEXT"].to_pylist() if text]


def wat_texts() -> list[str]:
    """Every distinct alt and title of an image in the WATs that can be read."""
    texts = []
    for path in sorted((SHARED / "wat").rglob("*.wat*")):
        for line in lines(path):
            if line.startswith("{"):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    texts += list(link_texts(json.loads(line)))
    return list(dict.fromkeys(texts))


def link_texts(record: dict) -> Iterator[str]:
    """The alts and titles of the image links of a WAT record."""
    response = record["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]
    for link in response["HTML-Metadata"]["Links"]:
        if link.get("path") == "IMG@/src":
            yield from (link[key].encode(errors="replace").decode() for key in ("alt", "title") if link.get(key))


def sentences() -> dict[str, list[str]]:
    """300 sentences in each of 69 languages."""
    found: dict[str, list[str]] = {}
    for line in lines(SHARED / "languages/ntrex-69x300.tsv.gz"):
        code, sentence = line.split("\t")
        found.setdefault(code, []).append(sentence)
    return found


def lemmas(name: str) -> list[str]:
    """The distinct lemmas of an Open Multilingual Wordnet tab file, such as `cow/wn-data-cmn`."""
    rows = csv.reader(lines(SHARED / f"wordnet/{name}.tab.gz"), delimiter="\t", quoting=csv.QUOTE_NONE)
    return list(dict.fromkeys(row[2] for row in rows if len(row) > 2 and not row[0].startswith("#")))


@functools.cache
def english_entries() -> list[str]:
    """415,854 English entries."""
    return json.loads(gzip.decompress((SHARED / "metadata/entries-en-415k.json.gz").read_bytes()))


@functools.cache
def all_lines() -> list[str]:
    """Every line of every text file of the real data, archives and dumps among them."""
    texts: list[str] = []
    for path in sorted(SHARED.rglob("*")):
        if path.is_file() and path.suffix != ".parquet" and "LICENSE" not in path.name:
            texts += lines(path)
    return list(dict.fromkeys(texts))


def lines(path: Path) -> list[str]:
    """The lines of a file, unpacked; what comes before damage is kept, bytes that are no UTF-8 become U+FFFD."""
    opener = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    data = bytearray()
    with contextlib.suppress(OSError, EOFError, ValueError), opener(path, "rb") as file:
        while block := file.read(1 << 16):
            data += block
    return data.decode(errors="replace").removesuffix("\n").split("\n")
