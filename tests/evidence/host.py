"""The web's image host at 127.0.0.1: it makes the picture of an address when it is asked for it."""

import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

from curation.core.errors import HeadtailError
from tests.evidence.addresses import drawing_of
from tests.evidence.renderings import encode, render


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, material: Path, port: int) -> None:
        @cache
        def drawing(vendor: str, key: str) -> Image.Image | None:
            path = material / "drawings" / vendor / f"{key}.png"
            if not path.is_file():
                return None
            with Image.open(path) as image:
                return image.convert("RGBA")

        self.drawing = drawing
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Quiet: a line a request would bury what the jobs say."""

    def do_GET(self) -> None:
        """Answer with the picture, or 404."""
        found = drawing_of(self.path)
        drawing = self.server.drawing(found.vendor, found.concept) if found else None
        if found is None or drawing is None:
            status, kind, body = 404, "text/plain", b"not found\n"
        else:
            status, kind, body = 200, "image/jpeg", encode(render(drawing, found.look))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class PictureHost:
    """Serves the pictures of a material from a thread of this process. Port 0 takes a free one.

    Raises HeadtailError where the port is taken.
    """

    def __init__(self, material: Path, port: int) -> None:
        self.material, self.port = material, port
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self.material, self.port)
        except OSError as error:
            raise HeadtailError(
                f"the image host cannot use port {self.port} of 127.0.0.1 ({error.strerror}): end what uses it, or "
                "make the web with another port="
            ) from error
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="picture host", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
