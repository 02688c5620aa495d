"""The web's image host at 127.0.0.1: it makes the picture of an address when it is asked for it."""

from functools import cache
from pathlib import Path

from PIL import Image

from tests.evidence.addresses import drawing_of
from tests.evidence.renderings import encode, render
from tests.sample.local_host import LocalHandler, LocalHost, LocalServer


class _Server(LocalServer):
    def __init__(self, material: Path, port: int) -> None:
        @cache
        def drawing(vendor: str, key: str) -> Image.Image | None:
            path = material / "drawings" / vendor / f"{key}.png"
            if not path.is_file():
                return None
            with Image.open(path) as image:
                return image.convert("RGBA")

        self.drawing = drawing
        super().__init__(port, _Handler)


class _Handler(LocalHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 http.server calls it so
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


class PictureHost(LocalHost[_Server]):
    """Serves the pictures of a material from a thread of this process. Port 0 takes a free one.

    Raises HeadtailError where the port is taken.
    """

    def __init__(self, material: Path, port: int) -> None:
        super().__init__(port, "end what uses it, or make the web with another port=")
        self.material = material

    def _open(self) -> _Server:
        return _Server(self.material, self.port)
