"""Pages in random codings and transfers: every alt right, or the page counted.

    python -m tests.fuzz.codings variants=100000 seed=1

A variant is a page between two plain ones, packed by up to five codings that its header names in any spelling, with
names that mean no coding between them, in one field or several, in chunks or not. Some are untrue, cut off, or damaged:
then the alts before the damage are right, the page is counted, and no other is lost.
"""

import io
import random

from curation.sources.archives import ReadLog
from curation.sources.warc import WarcReader
from tests.fuzz.corrupt import corrupt
from tests.fuzz.harness import command_line, run_variants
from tests.packing import PACK, packed

GROWTH_BYTES = 1 << 29
MIN_BYTES = 100
"""Fewer coded bytes can look like text, which is taken for a body without coding."""
NAMES = {
    "gzip": ("gzip", "x-gzip", "GZip", '"gzip"'),
    "deflate": ("deflate", "DEFLATE", "x-deflate"),
    "raw": ("deflate", " deflate "),
    "br": ("br", "BR", "brotli", "br;q=1"),
    "zstd": ("zstd", "Zstd"),
}
CHECKED = {"gzip", "deflate"}
"""Codings with a checksum; brotli and raw deflate have none, and Arrow writes none into frames of zstd."""
NOTHING = ("identity", "chunked", "", "aws-chunked", "none")
ALTS = [f"good {number}" for number in range(40)]
PAGE = b"<!doctype html>" + b"".join(
    b"<p>%d<img src=%d.jpg alt='%s'>" % (n**5, n, alt.encode()) for n, alt in enumerate(ALTS)
)


def record(message: bytes) -> bytes:
    """Return a response record."""
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://h.org/\r\nContent-Length: %d\r\n\r\n"
    return head % len(message) + message + b"\r\n\r\n"


PLAIN = record(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE)


def fields(rng: random.Random, name: str, values: list[str]) -> bytes:
    """Return the values in one field or several, with blanks and empty places."""
    lines: list[list[str]] = [[]]
    for value in values:
        if rng.random() < 0.3:
            lines.append([])
        if rng.random() < 0.2:
            lines[-1].append(rng.choice(NOTHING))
        lines[-1].append(value)
    blank = rng.choice(("", " ", "\t"))
    return b"".join(f"{name}:{blank}{f'{blank},{blank}'.join(line)}{blank}\r\n".encode() for line in lines)


def chunks(rng: random.Random, body: bytes) -> bytes:
    """Return a body in chunks of random sizes, with extensions and trailers."""
    made, at = b"", 0
    while at < len(body):
        size = rng.choice((1, 10, 1000, 1 << 20))
        line = rng.choice((b"%x", b"%X", b"00%x ", b"%x;a=b", b'%x; c="d e"')) % len(body[at : at + size])
        made += line + b"\r\n" + body[at : at + size] + b"\r\n"
        at += size
    return made + rng.choice((b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", b"000;x\r\n\r\n", b""))


def make(rng: random.Random) -> tuple[str, bytes]:
    """Return a variant and its kind: `whole`, `untrue`, `damaged`, or `changed` where no checksum shows it."""
    codings = rng.choices(list(PACK), k=rng.randrange(6))
    kind = rng.choice(("whole", "whole", "untrue", "damaged"))
    body = PAGE if kind == "untrue" else packed(PAGE, *codings)  # without codings, nothing is untrue or damaged
    if kind == "damaged" and codings and rng.random() < 0.5:
        body = body[: rng.randrange(MIN_BYTES, len(body))]
    elif kind == "damaged" and codings:
        body = corrupt(body, rng)[1]
        kind = kind if codings[-1] in CHECKED and len(body) >= MIN_BYTES else "changed"
    of_transfer = rng.randrange(len(codings) + 1) if rng.random() < 0.2 else len(codings)
    spelt = [rng.choice(NAMES[coding]) for coding in codings]
    head = fields(rng, rng.choice(("Content-Encoding", "content-encoding")), spelt[:of_transfer])
    if of_transfer < len(codings) or rng.random() < 0.3:
        head += fields(rng, "Transfer-Encoding", [*spelt[of_transfer:], rng.choice(("chunked", "Chunked"))])
        body = chunks(rng, body) if rng.random() < 0.9 or kind != "untrue" else body
    message = b"HTTP/1.1 200 OK\r\n" + head + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body
    return kind, PLAIN + record(message) + PLAIN


def read(kind: str, data: bytes) -> str:
    """Read a variant and return what came of it; raises AssertionError if an alt is wrong or lost without a count."""
    log = ReadLog()
    reader = WarcReader(io.BytesIO(data), log)
    alts = [alt for links in reader for alt in links.texts["alt"].to_pylist()]
    assert alts[:40] == alts[-40:] == ALTS
    assert not log.faults
    found = alts[40:-40]
    if kind in ("whole", "untrue"):
        assert found == ALTS
        assert not log.record_faults
        return kind
    if log.faulty_records:
        return "damaged, counted"
    assert found == ALTS or kind == "changed"
    return "damaged, all read" if found == ALTS else "changed"


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns the outcomes."""
    return run_variants(make, read, variants, seed, GROWTH_BYTES)


if __name__ == "__main__":
    command_line(main)
