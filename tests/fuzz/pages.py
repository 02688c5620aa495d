"""Pages and WARCs by a grammar of nasty pieces: nothing crashes, nothing takes long, every fault is counted.

    python -m tests.fuzz.pages variants=100000 seed=1

A variant is a WARC of good pages around hostile ones. Hostile pages are random pieces, each repeated up to thousands of
times: unclosed and misnested elements, attributes, comments, raw text, foreign content, source sets, pictures and their
copies, figures, metadata, charsets, odd headers and lengths, codings that are untrue or damaged. The good pages have to
come out as they are, and the time and memory of a variant stay below a limit for each byte.
"""

import io
import random
import resource
import sys
import time
from collections import Counter
from contextlib import suppress

from curation.core.choices import ImageAddresses
from curation.sources.archives import ReadLog
from curation.sources.warc import WarcReader
from tests.fuzz.corrupt import corrupt
from tests.fuzz.harness import command_line, time_limit
from tests.packing import PACK, packed

SECONDS, SECONDS_PER_BYTE = 2.0, 20e-6
"""The most that a variant may take: 20 times what the slowest takes on an idle machine."""
GROWTH_BYTES = 1 << 30
"""The most memory that all variants together may add to the process."""
MAX_PIECE_BYTES = 60_000
ELEMENTS = (
    "b", "i", "font", "a", "nobr", "div", "p", "span", "li", "ul", "table", "tr", "td", "caption", "svg", "math", "mi",
    "desc", "foreignObject", "template", "select", "option", "button", "form", "title", "style", "script", "textarea",
    "iframe", "noscript", "h1", "object", "marquee", "html", "body", "head", "frameset", "img", "image", "base", "br",
    "plaintext", "xmp", "dd", "x-y", "annotation-xml", "ruby", "rt", "picture", "source", "figure", "figcaption",
    "amp-img", "amp-anim", "meta",
)  # fmt: skip
TEXTS = (
    "x", "&amp", "&#x0;", "<", ">", "</", "<!", "<!--", "-->", "<!---->", "<!-->", "--!>", "<![CDATA[", "]]>", "<?",
    "\0", "\ufffd", "'", '"', "=", "/", "<img src=a alt=b>", "<img srcset='{0} 1x, b 2x' alt=c>", "</p>", "</br>",
    "<base href='/{0}/'>", "\u202e", "WARC/1.0\r\n", "\r\n\r\n", "<img data-src=a{0} src=1x1.gif data-x=b.jpg alt=d>",
    "<img src={0} alt=e><noscript><img src={0} alt=e></noscript>", "<noscript><img src={0}></noscript><img>",
    "<picture><source srcset='{0} 9w, b 2000w'><img alt=f>", "<figure><img src={0}><figcaption>g <b a='", "</figure>",
    "<amp-img src={0} alt=h><amp-img placeholder src=i>", "<img data-src='{{width}}.jpg' data-widths='[{0}, 9]'>",
    "<meta property=og:image content={0}>", "<meta property=og:title content='{0}'>",
    "<script type=application/ld+json>[[{{\"@type\": \"ImageObject\", \"url\": \"{0}\"}},", "</script>", "&#9", "&#x",
)  # fmt: skip
SETS = (",", " ", ", ", "(", ")", "a", "1x", " 9w,", "\n", "a (")
CHARSETS = (
    "utf-8",
    "undefined",
    "zlib",
    "idna",
    "utf-16",
    "iso-2022-jp",
    "gb18030",
    "x-user-defined",
    "",
    "\xff",
    "a" * 999,
)
CODINGS = (*PACK, "gzip", "br", "identity", "compress", "chunked", "", "utf-8")
TYPES = ("text/html", "text/html; charset={0}", "", "TEXT/HTML;charset='{0}'", "image/png", "application/xhtml+xml")


def piece(rng: random.Random) -> str:
    """Return a nasty piece, repeated up to MAX_PIECE_BYTES characters."""
    element, number = rng.choice(ELEMENTS), rng.randrange(1000)
    kind = rng.randrange(7)
    if kind == 0:
        made = f"<{element}>"
    elif kind == 1:
        made = f"</{element}>"
    elif kind == 2:
        made = (
            "<"
            + element
            + "".join(f" {rng.choice('abc')}{n}={rng.choice(TEXTS)}" for n in range(rng.randrange(5)))
            + ">"
        )
    elif kind == 3:
        made = rng.choice(TEXTS).format(number)
    elif kind == 4:
        made = f"<img srcset='{''.join(rng.choices(SETS, k=5)) * rng.choice((1, 50, 2000))}' alt=x>"
    elif kind == 5:
        made = f"<{element} " + " ".join(f"a{n}" for n in range(rng.choice((10, 600, 6000)))) + ">"
    else:
        made = f"<{element} a={{0}}>{rng.choice(TEXTS)}"
        count = min(rng.choice((1, 30, 3000)), MAX_PIECE_BYTES // len(made))
        return "".join(made.replace("{0}", str(n)) for n in range(count))
    return made * min(rng.choice((1, 1, 30, 3000)), MAX_PIECE_BYTES // len(made) + 1)


def coded(rng: random.Random, body: bytes) -> bytes:
    """Return header fields of codings and a body that has these, others or none, and may be damaged."""
    names = rng.choices(CODINGS, k=rng.choice((0, 0, 1, 1, 2, 5, 9)))
    fields = b"".join(f"Content-Encoding: {name}\r\n".encode() for name in names)
    for name in names if rng.random() < 0.7 else rng.choices(CODINGS, k=2):
        body = packed(body, name) if name in PACK else body
    if rng.random() < 0.3:
        size = rng.choice((1, 100, 5000))
        lines = rng.choice((b"%x\r\n", b"%x;a\n", b"0%x \r\n", b"1%x\r\n"))
        body = b"".join(
            lines % len(body[at : at + size]) + body[at : at + size] + b"\r\n" for at in range(0, len(body), size)
        )
        fields += b"Transfer-Encoding: chunked\r\n"
    return fields + b"\r\n" + (corrupt(body, rng)[1] if body and rng.random() < 0.5 else body)


def record(rng: random.Random, body: bytes) -> bytes:
    """Return a response with odd headers around a body."""
    kind = rng.choice(TYPES).format(rng.choice(CHARSETS)).encode("latin-1")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\n"
    message = head + coded(rng, body)
    length = rng.choice((len(message),) * 6 + (0, len(message) + 5, 10**9, 10**15))
    extra = rng.choice((b"", b"", b"X: " + b"y" * rng.choice((10, 300_000)) + b"\r\n", b"WARC/1.0\r\n" * 999))
    target = b"http://h.org/" + rng.choice((b"", b"<>", b"\xff", b"x" * 9000))
    return (
        b"WARC/1.0\r\nWARC-Type: response\r\n%sWARC-Target-URI: %s\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n"
        % (extra, target, length, message)
    )  # fmt: skip


def good_page(number: int) -> bytes:
    """Return a page that every reader understands."""
    body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p><img src={number}.jpg alt='good {number}'>".encode()
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://good.org/\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    return head + body + b"\r\n\r\n"


def check(rng: random.Random) -> tuple[int, float, ReadLog]:
    """Read a variant; return its bytes, the seconds and the log. Raises AssertionError if a good page is lost."""
    pages = ["".join(piece(rng) for _ in range(rng.randrange(1, 8))).encode() for _ in range(rng.randrange(1, 4))]
    data = b"".join(good_page(n) + record(rng, page) for n, page in enumerate(pages)) + good_page(len(pages))
    started, log, found = time.process_time(), ReadLog(), Counter()
    for links in WarcReader(io.BytesIO(data), log, rng.choice(list(ImageAddresses)), rng.random() < 0.5):
        for part in links.slices(100_000):
            found.update(part.texts["alt"].to_pylist())
    seconds = time.process_time() - started
    assert all(found[f"good {number}"] for number in range(len(pages) + 1)), found.most_common(5)
    assert seconds < SECONDS + SECONDS_PER_BYTE * len(data), f"{len(data)} bytes took {seconds:.1f} seconds"
    return len(data), seconds, log


def main(variants: int = 1000, seed: int = 1) -> dict[str, float]:
    """Check so many variants; returns counts, and the slowest time of a megabyte."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    with suppress(AssertionError):  # too slow where it compiles the kernels
        check(random.Random(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(variants):
        try:
            with time_limit():
                size, seconds, log = check(random.Random(f"{seed}-{number}"))
        except BaseException:
            print(f"variant {number} of seed {seed}", file=sys.stderr)
            raise
        counts += Counter(bytes=size, faults=len(log.faults) + log.more_faults, record_faults=log.faulty_records)
        slowest = max(slowest, seconds / (size + 100_000))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < GROWTH_BYTES, f"the process has grown by {grown >> 20} MiB"
    return {**counts, "seconds_per_megabyte": round(slowest * 1e6, 2), "grown_megabytes": grown >> 20}


if __name__ == "__main__":
    command_line(main)
