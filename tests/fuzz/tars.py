"""Crafted tars: headers with right checksums and false sizes, kinds and names.

python -m tests.fuzz.tars variants=100000 seed=1
"""

import io
import random

from curation.core.tar_writer import BLOCK
from curation.sources.archives import ReadLog
from curation.sources.webdataset import ShardReader
from tests.fuzz.harness import command_line, run_variants
from tests.unit.extraction.settings import table_columns

COLUMNS = table_columns(texts=(("txt", "txt"), ("caption", "caption")), carry=(("note", "note"),))
GROWTH_BYTES = 1 << 29
NAMES = [
    b"a.jpg",
    b"a.txt",
    b"a.json",
    b"a.png",
    b"b.jpg",
    b"b",
    b"../x.jpg",
    b"/etc/passwd",
    b"a." + b"x" * 90,
    b"",
    b"\xff.txt",
]
KINDS = b"0001257xxLLKgS\0\xff"
SIZES = [
    b"%011o" % 7,
    b"%011o" % 7,
    b"%011o" % 600,
    b"0" * 11,
    b"7" * 11,
    b"-0000000001",
    b"\x80" + b"\xff" * 11,
    b" ",
    b"9",
]
FIELDS = [
    b"path=c.jpg",
    b"size=7",
    b"size=" + b"9" * 18,
    b"size=-1",
    b"GNU.sparse.major=1",
    b"mtime=1e999",
    b"a=",
    b"path=" + b"d" * 300,
]
DATA = [
    b"",
    b"\xff\xd8\xff",
    b'{"url": "http://h.org/a.jpg", "caption": "a"}',
    b"[" * 900,
    b"text",
    b"\xff\xfe",
    b"\0" * 600,
]


def header(name: bytes, size: bytes, kind: bytes) -> bytes:
    """Return the header of a member with a right checksum."""
    block = bytearray(BLOCK)
    block[: len(name[:100])] = name[:100]
    block[124 : 124 + len(size)], block[156:157], block[257:263] = size, kind, b"ustar\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def make(rng: random.Random) -> tuple[str, bytes]:
    """Return name and bytes of a tar."""
    out = b""
    for name, data in ((b"c.jpg", DATA[1]), (b"c.txt", b"kite"), (b"c.json", DATA[2])):
        out += header(name, b"%011o" % len(data), b"0") + data + bytes(-len(data) % BLOCK)
    for _ in range(rng.choice((0, 1, 3, 8))):
        kind = bytes([rng.choice(KINDS)]) if rng.random() < 0.5 else b"0"
        data = rng.choice(DATA)
        if kind == b"x":
            fields = rng.choices(FIELDS, k=rng.randrange(4))
            data = b"".join(b"%d %s\n" % (rng.choice((len(f) + 4, 5, 99999)), f) for f in fields)
        size = b"%011o" % len(data) if rng.random() < 0.7 else rng.choice(SIZES)
        out += header(rng.choice(NAMES), size, kind) + data + bytes(-len(data) % BLOCK)
    damaged = bytearray(out + bytes(rng.choice((0, 600, 1024, 1024, 5000))))
    for _ in range(rng.choice((0, 0, 1, 4))):
        if damaged:
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.choice((0, 1, 1, 600))] = rng.randbytes(rng.choice((0, 1, 512)))
    return "a.tar", bytes(damaged)


def read(_: str, data: bytes) -> str:
    """Read a tar and return what came of it."""
    log = ReadLog(max_bytes=1 << 28)
    reader = ShardReader(io.BytesIO(data), log, COLUMNS)
    rows = sum(len(links) for links in reader)
    assert rows + reader.drops.total() == reader.counts["records_read"]
    faults = "with" if log.faults or reader.drops else "without"
    return f"{'samples' if rows else 'none'}_{faults}_faults"


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns the outcomes."""
    return run_variants(make, read, variants, seed, GROWTH_BYTES)


if __name__ == "__main__":
    command_line(main)
