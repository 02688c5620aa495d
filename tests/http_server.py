"""A real HTTP server for tests, which misbehaves like image hosts do.

The first part of a URL's path chooses the behaviour: /slow-body is `Handler.way_slow_body`. `hits` counts the requests.
"""

import functools
import gzip
import io
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from PIL import Image


def draw(
    number: int = 0, kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any
) -> bytes:
    """Return an image file; each number gives another gradient."""
    return _draw(number, kind, size, mode, **options) if options else _drawn(number, kind, size, mode)


def _draw(number: int, kind: str, size: tuple[int, int], mode: str, **options: Any) -> bytes:
    gradient = Image.linear_gradient("L").rotate(number * 37 % 360).resize(size)
    count = len(Image.new(mode, (1, 1)).getbands())
    bands = [gradient.point(lambda value, k=k: (value + (53 * k + 1) * number) % 256) for k in range(count)]
    out = io.BytesIO()
    Image.merge(mode, bands).save(out, kind, **options)
    return out.getvalue()


_drawn = functools.cache(_draw)


def many_scans(scans: int) -> bytes:
    """Return a progressive JPEG that repeats its last scan."""
    data = draw(1, progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (scans - data.count(b"\xff\xda")) + data[-2:]


def png_bomb(side: int = 30_000) -> bytes:
    """Return a PNG of some kilobytes whose header declares side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        + chunk(b"IEND", b"")
    )


@functools.cache
def packed_bomb() -> bytes:
    """Return 16 MiB of zeros, compressed; compressing more takes longer than some clients wait."""
    return gzip.compress(bytes(16 << 20), 1, mtime=0)


def webp_bomb(side: int = 9_000) -> bytes:
    """Return a WebP file of 34 bytes that holds side x side pixels of one colour."""
    # Lossless: two sizes of 14 bits and seven options, then five prefix codes of one symbol, which take no bit a pixel.
    fields = [(side - 1, 14), (side - 1, 14), (0, 7), *((0b101 | symbol << 3, 11) for symbol in (2, 1, 3, 255, 0))]
    bits = "".join(f"{value:0{size}b}"[::-1] for value, size in fields)[::-1]
    data = b"\x2f" + int(bits, 2).to_bytes(12, "little")
    return b"RIFF" + struct.pack("<I", 26) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data + b"\0"


class Handler(BaseHTTPRequestHandler):
    """Answers requests according to their path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_GET(self) -> None:
        """Call the method of the path's first part."""
        url = urlsplit(self.path)
        self.server.hits[url.path] += 1
        self.server.agents.add(self.headers.get("User-Agent", ""))
        self.close_connection = True
        if url.path in self.server.raw:
            self.wfile.write(self.server.raw[url.path])
            return
        if url.path in self.server.files:
            self.answer(self.server.files[url.path], kind="text/plain")
            return
        way, _, rest = url.path.strip("/").partition("/")
        getattr(self, f"way_{way.replace('-', '_')}", self.way_missing)(rest)

    def answer(self, body: bytes, status: int = 200, kind: str = "image/jpeg", **headers: str) -> None:
        """Send a complete answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def way_missing(self, _: str) -> None:
        self.answer(b"no such thing", 404, "text/plain")

    def way_image(self, rest: str) -> None:
        """/image/<number>.jpg, .png, .webp, .gif"""
        number, _, ext = rest.partition(".")
        kind = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF"}[ext]
        self.answer(draw(int(number), kind), kind=f"image/{kind.lower()}")

    def way_body(self, rest: str) -> None:
        """/body/<name>: `server.bodies[name]`"""
        self.answer(self.server.bodies[rest])

    def way_answer(self, rest: str) -> None:
        """/answer/<name>: `server.answers[name]`, with status line and headers, as it is"""
        self.wfile.write(self.server.answers[rest])

    def way_status(self, rest: str) -> None:
        """/status/<code>"""
        self.answer(b"sorry", int(rest), "text/plain")

    def way_busy(self, rest: str) -> None:
        """/busy/<seconds>/...: 429 with Retry-After until so long after the first request, then an image"""
        seconds = float(rest.split("/")[0])
        first = self.server.first.setdefault(rest, time.monotonic())
        if time.monotonic() - first < seconds:
            self.answer(b"later", 429, "text/plain", Retry_After=str(int(seconds)))
        else:
            self.answer(draw(1))

    def way_once(self, rest: str) -> None:
        """/once/<code>/...: this status for the first request, then an image"""
        if self.server.hits[self.path] == 1:
            self.answer(b"oops", int(rest.split("/")[0]), "text/plain")
        else:
            self.answer(draw(2))

    def way_reset(self, _: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def way_hangup(self, _: str) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def way_silent(self, _: str) -> None:
        self.server.stopping.wait(30)

    def way_slow_head(self, _: str) -> None:
        """An endless header line, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip(b"a")

    def way_slow_body(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self._drip(b"a")

    def _drip(self, data: bytes) -> None:
        try:
            while not self.server.stopping.wait(0.05):
                self.wfile.write(data)
        except OSError:
            pass

    def way_endless(self, rest: str) -> None:
        """/endless and /endless/chunked: an endless body"""
        self.send_response(200)
        if rest:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = bytes(1 << 16)
        try:
            while not self.server.stopping.is_set():
                self.wfile.write(b"10000\r\n" + chunk + b"\r\n" if rest else chunk)
        except OSError:
            pass

    def way_short(self, _: str) -> None:
        """Fewer bytes than Content-Length."""
        body = draw(3)
        self.answer(body, length=str(len(body) + 1000))

    def way_short_chunks(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"400\r\n" + bytes(10))

    def way_long(self, _: str) -> None:
        """More bytes than Content-Length: a client reads a truncated image."""
        body = draw(3)
        self.answer(body, length=str(len(body) // 2))

    def way_declared(self, rest: str) -> None:
        """/declared/<length>: this Content-Length and no body"""
        self.answer(b"", length=rest)

    def way_html(self, _: str) -> None:
        self.answer(b"<!doctype html><title>404</title>", kind="image/jpeg")

    def way_empty(self, _: str) -> None:
        self.answer(b"")

    def way_redirect(self, rest: str) -> None:
        """/redirect/<path>: to another path of this server"""
        self.answer(b"", 302, Location=f"/{rest}")

    def way_redirect_to(self, rest: str) -> None:
        """/redirect-to/<name>: to `server.targets[name]`"""
        if rest in self.server.targets:
            self.answer(b"", 301, Location=self.server.targets[rest])
        else:
            self.way_missing(rest)

    def way_loop(self, rest: str) -> None:
        self.answer(b"", 302, Location=f"/loop/{int(rest or 0) + 1}")

    def way_robots(self, rest: str) -> None:
        """/robots/<name>: an image with the X-Robots-Tag `server.robots[name]`"""
        self.answer(draw(4), X_Robots_Tag=self.server.robots[rest])

    def way_gzip(self, rest: str) -> None:
        """/gzip, /gzip/bomb, /gzip/short: compressed, although the client does not accept this"""
        packed = packed_bomb() if rest == "bomb" else gzip.compress(draw(5), 1, mtime=0)
        self.answer(packed[:-20] if rest == "short" else packed, Content_Encoding="gzip")

    def way_flood(self, rest: str) -> None:
        """/flood/<part of an answer>: this part without end, and no body"""
        line = b"X-Flood: " + b"a" * 60_000 + b"\r\n"
        begin, again = {
            "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Flood: a\r\n"),
            "long-headers": (b"HTTP/1.1 200 OK\r\n", line),
            "interim": (b"", b"HTTP/1.1 100 Continue\r\n" + line + b"\r\n"),
            "extensions": (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1;" + b"a" * 60_000 + b"\r\na\r\n",
            ),
            "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", line),
        }[rest]
        try:
            self.wfile.write(begin)
            while not self.server.stopping.is_set():
                self.wfile.write(again)
        except OSError:
            pass


class ImageServer(ThreadingHTTPServer):
    """The server, for a `with` block; `url(path)` is the URL of a path."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Handler)
        self.hits: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.first: dict[str, float] = {}
        self.bodies: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.raw: dict[str, bytes] = {}
        self.answers: dict[str, bytes] = {}
        self.targets: dict[str, str] = {}
        self.robots: dict[str, str] = {}
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def handle_error(self, *_: object) -> None:
        """Ignore clients that hang up: the tests do so."""

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
