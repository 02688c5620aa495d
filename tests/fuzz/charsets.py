"""Runs pages in every legacy charset through the WARC reader: every alt is right, or its page is counted as a guess.

    python -m tests.fuzz.charsets variants=100000 seed=1

A variant is a WARC of up to five pages. Each has a charset, one of its labels, a place where that is declared (or not
at all), things in front of the `<meta>` that look like one, other declarations that do not count, and a transfer or
content coding. Alts are drawn from all characters of the charset; some hold a byte that means nothing, which becomes
U+FFFD.
"""

import gzip
import html
import io
import json
import random
import sys
import time
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from curation.sources.archives import ReadLog
from curation.sources.encodings import ENCODING_OF_LABEL, ENCODINGS, REPLACEMENT, decode
from curation.sources.warc import WarcReader
from tests.encoders import encode, repertoire

READABLE = [encoding for encoding in ENCODINGS if encoding != REPLACEMENT]
LABELS = {encoding: [label for label, name in ENCODING_OF_LABEL.items() if name == encoding] for encoding in ENCODINGS}
SECONDS, SECONDS_PER_BYTE = 2.0, 20e-6
"""The most CPU time of a variant: 100 times what the slowest takes on an idle machine."""
PADS = (
    "",
    "<script>/* <meta charset={other}> {x} */</script>",
    "<!-- <meta charset={other}> {x} -->",
    "<style>{x}</style><link rel=x href=y><base target=_top>",
    "<title><meta charset={other}>{x}</title>",
    "<link title='<meta charset={other}>{x}'>",
    "<meta name=description content='charset={other} {x}'><meta charset=unknown>",
    "<noscript><img></noscript><body><p>{x}",
    "</meta charset={other}><!doctype {x}><?php charset={other} ?>",
)
METAS = (
    "<meta charset={0}>",
    "<META  CharSet = '{0}' />",
    '<meta data-x=">" charset="  {0} ">',
    "<meta http-equiv='Content-Type' content='text/html; charset={0}'>",
    '<meta content="text/html;charset={0}"\nhttp-equiv=content-type>',
    "<meta name=x content=\"charset=none\"/><meta/charset={0}>",
)  # fmt: skip
XML = ("<?xml version='1.0' encoding='{0}'?>", '\n<?xml version="1.0" encoding = "{0}" standalone="no" ?>')
PLACES = ("header", "meta", "xml", "none")
CODINGS = ("", "gzip", "deflate", "raw deflate", "untrue", "chunked", "gzip chunked")


@dataclass(frozen=True)
class Page:
    """A page as it was made: its record, its URL, the alts that it must give, and whether they can only be guessed."""

    record: bytes
    url: str
    alts: list[str]
    is_guess: bool


@lru_cache
def characters(encoding: str) -> list[str]:
    """The characters beyond ASCII that an alt can hold: letters, figures, marks and symbols of the encoding."""
    if encoding.startswith("utf"):
        found = [each for name in ("big5", "euc-kr", "windows-1256", "koi8-u") for each in repertoire(name)]
    else:
        found = [*repertoire("euc-jp" if encoding == "iso-2022-jp" else encoding)]
    if encoding == "iso-2022-jp":
        found = [each for each in found if repertoire("euc-jp")[each][0] != 0x8E]  # half-width katakana
    kinds = "LNPSC" if encoding == "x-user-defined" else "LNPS"
    return sorted({each for each in found if not each.isascii() and unicodedata.category(each)[0] in kinds})


def drawn_alt(rng: random.Random, encoding: str) -> str:
    every = characters(encoding)
    drawn = [every[rng.randrange(len(every))] for _ in range(rng.randrange(4, 30))]
    return "".join(drawn) + rng.choice(("", " 12 & <b>", ' "kite"', "'"))


def damage(rng: random.Random, encoding: str) -> bytes:
    """A byte that means nothing in an encoding, wherever a character may begin; none if there is no such byte."""
    bad = [byte for byte in range(0x80, 256) if decode(bytes([byte]) + b"  ", encoding) == "\ufffd  "]
    return bytes([bad[-1] if len(bad) > 1 and 0xFF in bad else rng.choice(bad)]) if bad else b""


def make_page(rng: random.Random, encoding: str, alts: list[str], url: str, place: str, damaged_share: float) -> Page:
    """Make a page in an encoding that is declared at `place`; a share of the alts ends with a bad byte."""
    label = rng.choice(LABELS[encoding])
    label = rng.choice((label, label.upper(), label.title()))
    other = rng.choice([name for name in LABELS if name not in (encoding, REPLACEMENT)])
    if encoding == "x-user-defined" or encoding.startswith("utf-16"):
        place = "header"  # elsewhere they mean another one
    fills = {"other": other, "x": "x" * rng.choice((0, 900, 1500, 20_000))}
    head = rng.choice(PADS).format(**fills) if place in ("header", "meta") else ""
    later = rng.choice(METAS).format(other) if place in ("header", "meta", "xml") and rng.random() < 0.3 else ""
    header = rng.choice(("charset={0}", ' charset="{0}"', "x=y;Charset = {0} ", "charset='{0}'")).format(label)
    match place:
        case "header":
            head += later
        case "meta":
            head, header = head + rng.choice(METAS).format(label) + later, rng.choice(("", "charset=unknown"))
        case "xml":
            head, header = rng.choice(XML).format(label), rng.choice(("", "charset="))
        case _:
            header = ""
    parts, expected = [encode(head, encoding)], []
    for number, alt in enumerate(alts):
        bad = damage(rng, encoding) if rng.random() < damaged_share and not encoding.startswith("utf-16") else b""
        expected.append(alt + ("\ufffd" if bad else ""))
        image = encode(f'<p><img src={number}.jpg alt="{html.escape(alt)}', encoding)
        parts.append(image + bad + encode('">', encoding))
    body = b"".join(parts)
    if encoding.startswith("utf") and place != "none" and rng.random() < 0.3:
        body, header = encode("\ufeff", encoding) + body, rng.choice((header, f"charset={other}"))
    is_guess = place == "none" and not (body.isascii() and b"\x1b" not in body)
    return Page(record(rng, body, f"text/html;{header}" if header else "text/html", url), url, expected, is_guess)


def record(rng: random.Random, body: bytes, content_type: str, url: str) -> bytes:
    """Return a response whose body has a coding."""
    coding = rng.choice(CODINGS)
    if "gzip" in coding:
        body = gzip.compress(body, 1, mtime=0)
    elif coding == "deflate":
        body = zlib.compress(body, 1)
    elif coding == "raw deflate":
        packer = zlib.compressobj(1, wbits=-15)
        body = packer.compress(body) + packer.flush()
    if "chunked" in coding:
        size = rng.choice((1, 7, 1000)) if len(body) < 5000 else 1000
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    fields = [f"Content-Type: {content_type}"]
    fields += ["Content-Encoding: gzip"] if coding in ("untrue", "gzip", "gzip chunked") else []
    fields += ["Content-Encoding: deflate"] if "deflate" in coding else []
    fields += ["Transfer-Encoding: chunked"] if "chunked" in coding else []
    rng.shuffle(fields)
    message = "\r\n".join(("HTTP/1.1 200 OK", *fields, "", "")).encode() + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Length: {len(message)}\r\n\r\n"
    return head.encode() + message + b"\r\n\r\n"


def check(pages: list[Page]) -> Counter[str]:
    """Read the pages; returns counts. Raises AssertionError if an alt is wrong and not counted as a guess."""
    log = ReadLog()
    found: dict[str, list[str]] = {}
    reader = WarcReader(io.BytesIO(b"".join(page.record for page in pages)), log)
    started = time.process_time()
    for links in reader:
        for url, alt in zip(links.page_urls.take(links.page).to_pylist(), links.texts["alt"].to_pylist(), strict=True):
            if alt is not None:
                found.setdefault(url, []).append(alt)
    seconds, size = time.process_time() - started, sum(len(page.record) for page in pages)
    assert seconds < SECONDS + SECONDS_PER_BYTE * size, f"{size} bytes took {seconds:.1f} seconds"
    counts: Counter[str] = Counter(pages=len(pages), guessed=sum(page.is_guess for page in pages))
    assert reader.counts["guessed_charsets"] == counts["guessed"]
    for page in pages:
        alts = found.get(page.url, [])
        counts["alts"] += len(page.alts)
        counts["guessed_right"] += page.is_guess and alts == page.alts
        assert page.is_guess or alts == page.alts, (page.url, alts, page.alts)
    assert not log.faults
    return counts


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns counts."""
    counts: Counter[str] = Counter()
    for number in range(variants):
        rng = random.Random(f"{seed}-{number}")
        pages = []
        for at in range(rng.randrange(1, 6)):
            encoding = rng.choice(READABLE)
            alts = [drawn_alt(rng, encoding) for _ in range(rng.randrange(1, 6))]
            pages.append(make_page(rng, encoding, alts, f"http://h.org/{encoding}/{at}", rng.choice(PLACES), 0.1))
        try:
            counts += check(pages)
        except BaseException:
            print(f"variant {number} of seed {seed}", file=sys.stderr)
            raise
    return dict(counts)


if __name__ == "__main__":
    print(json.dumps(main(**{name: int(value) for name, value in (word.split("=") for word in sys.argv[1:])})))
