"""Corrupted variants of real archives: nothing crashes, nothing hangs, nothing is lost that stood before the damage.

    python -m tests.fuzz.corrupt variants=100000 seed=1

A variant is a real file, gzip, zstd (with a dictionary too) or plain, after bit flips, a truncation, swapped blocks,
inserted or removed bytes, or lengths made huge. What a reader finds in the records before the first changed byte has to
come out as it was.
"""

import gzip
import io
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from curation.core.choices import Entities
from curation.extraction.urls import join_bases
from curation.sources.archives import ReadLog
from curation.sources.links import Links
from curation.sources.warc import WarcReader
from curation.sources.wat import WatReader
from tests.conftest import SHARED
from tests.fuzz.harness import command_line, time_limit
from tests.packing import skippable, trained_dictionary, zstd_frame

PACKINGS = ("gzip", "zstd", "dictionary", "plain")
Row = tuple
Reader = Callable[[io.BytesIO, ReadLog], Iterator[Links]]


@dataclass(frozen=True)
class Original:
    """A file, the ends of its records (of members or frames where it is packed), and the rows known by each."""

    name: str
    data: bytes
    ends: list[int]
    rows: list[list[Row]]
    reader: Reader


def read_wat(data: io.BytesIO, log: ReadLog) -> WatReader:
    return WatReader(data, log, Entities.auto)


def rows_of(data: bytes, reader: Reader) -> list[Row]:
    """Everything that a reader finds."""
    rows: list[Row] = []
    for links in reader(io.BytesIO(data), ReadLog()):
        pages = links.page_urls.to_pylist()
        bases = join_bases(links.page_urls, links.bases).to_pylist()
        texts = [values.to_pylist() for _, values in sorted(links.texts.items())]
        for page, url, *found in zip(links.page.tolist(), links.urls.to_pylist(), *texts, strict=True):
            rows.append((pages[page], bases[page], url, *found))
    return rows


@cache
def rows_of_record(record: bytes, reader: Reader) -> list[Row]:
    """What a reader finds in a record, however it is packed."""
    return rows_of(record, reader)


def pack(records: list[bytes], packing: str) -> tuple[bytes, list[bytes]]:
    """Return what stands before the records, and each of them packed."""
    match packing:
        case "gzip":
            return b"", [gzip.compress(record, mtime=0) for record in records]
        case "zstd":
            return b"", [zstd_frame(record) for record in records]
        case "dictionary":
            dictionary = trained_dictionary([record[:2000] for record in records])
            return skippable(dictionary), [zstd_frame(record, dictionary) for record in records]
        case _:
            return b"", records


def read_original(path: Path, reader: Reader, packing: str) -> Original:
    """Pack or unpack a real file record by record, and note what is known after each."""
    data = path.read_bytes()
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    records = [b"WARC/1.0\r\n" + rest for rest in plain.split(b"WARC/1.0\r\n")[1:]]
    front, pieces = pack(records, packing)
    ends, rows, done = [0], [[]], len(front)
    for record, piece in zip(records, pieces, strict=True):
        done += len(piece)
        ends.append(done)
        rows.append(rows[-1] + rows_of_record(record, reader))
    whole = front + b"".join(pieces)
    assert rows_of(whole, reader) == rows[-1], path
    return Original(path.name, whole, ends, rows, reader)


def corrupt(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return the kind of damage and the damaged bytes."""
    kind = rng.choice(("flip", "flips", "cut", "swap", "insert", "remove", "length", "zeros"))
    at = rng.randrange(len(data))
    size = min(rng.choice((1, 2, 10, 100, 1000, 10_000)), len(data) - at)
    damaged = bytearray(data)
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else rng.randrange(2, 50)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del damaged[at:]
    elif kind == "swap":
        other = rng.randrange(len(data))
        damaged[at : at + size], damaged[other : other + size] = data[other : other + size], data[at : at + size]
    elif kind == "insert":
        damaged[at:at] = rng.choice((rng.randbytes(size), b"\0" * size, data[:size], b'"' * size, b"\\" * size))
    elif kind == "remove":
        del damaged[at : at + size]
    elif kind == "length":
        found = data.find(b"Content-Length: ", at)
        at = found + 16 if found >= 0 else at
        damaged[at:at] = rng.choice((b"9" * 12, b"9" * 40, b"-", b"0x", b"1", b" "))
    else:
        damaged[at : at + size] = b"\0" * size
    return kind, bytes(damaged)


def check(original: Original, damaged: bytes) -> int:
    """Read a variant; returns how many rows stood before the damage. Raises AssertionError if one of them is lost."""
    size = min(len(original.data), len(damaged))
    differ = np.frombuffer(original.data, np.uint8, size) != np.frombuffer(damaged, np.uint8, size)
    same = int(differ.argmax()) if differ.any() else size
    whole = max(index for index, end in enumerate(original.ends) if end <= same)
    expected = original.rows[whole]
    found = rows_of(damaged, original.reader)
    assert found[: len(expected)] == expected
    return len(expected)


def originals(max_bytes: int) -> list[Original]:
    """The real files with links, in each packing, up to a size."""
    made = []
    for reader, pattern in ((read_wat, "wat/**/*.wat*"), (WarcReader, "warc/**/*.warc*")):
        for path in sorted(SHARED.glob(pattern)):
            if path.stat().st_size <= max_bytes and rows_of(path.read_bytes(), reader):
                made += [read_original(path, reader, packing) for packing in PACKINGS]
    return made


def main(variants: int = 1000, seed: int = 1, max_bytes: int = 200_000) -> dict[str, int]:
    """Check so many variants; returns how many of each kind of damage."""
    rng = random.Random(seed)
    files = originals(max_bytes)
    assert files
    kinds: Counter[str] = Counter()
    slowest = 0.0
    for number in range(variants):
        original = rng.choice(files)
        kind, damaged = corrupt(original.data, rng)
        started = time.perf_counter()
        try:
            with time_limit():
                kinds["rows_before_damage"] += check(original, damaged)
        except BaseException:
            print(f"variant {number} of seed {seed}: {kind} of {original.name}", file=sys.stderr)
            Path(f"variant-{seed}-{number}.bin").write_bytes(damaged)
            raise
        slowest = max(slowest, time.perf_counter() - started)
        kinds[kind] += 1
    kinds["slowest_milliseconds"] = round(slowest * 1000)
    return dict(kinds)


if __name__ == "__main__":
    command_line(main)
