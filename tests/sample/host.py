"""The local HTTP host of the sample crawl's pictures: `python -m tests.sample.host FOLDER`.

It serves `FOLDER/images` and treats the paths of `FOLDER/behaviours.json` as told there:

- `missing`: 404; `redirect`: 302 to the file; `refused`: the file with `X-Robots-Tag: noai`
- `html`: a page where a picture is expected; `truncated`: half of the bytes that Content-Length promises
- `flaky`: 500 at the first request, the file afterwards; `slow`: the file after `seconds`
- `oversized`: the file followed by zeros, `bytes` in all; `plain`: the file
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from curation.core.errors import HeadtailError
from tests.sample.local_host import LocalHandler, LocalHost, LocalServer

PORT = 8765
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_CHUNK = bytes(2**16)


class _Server(LocalServer):
    def __init__(self, folder: Path, port: int) -> None:
        self.images = (folder / "images").resolve()
        self.behaviours: dict[str, dict[str, Any]] = json.loads((folder / "behaviours.json").read_text())
        self.lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        super().__init__(port, _Handler)


class _Handler(LocalHandler):
    server: _Server

    def do_HEAD(self) -> None:  # noqa: N802 http.server calls it so
        """Answer without a body."""
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802 http.server calls it so
        """Answer as the path's behaviour says, or with the file."""
        path = unquote(self.path.partition("?")[0]).lstrip("/")
        rule = self.server.behaviours.get(path, {"behaviour": "plain", "file": path})
        with self.server.lock:
            self.server.requests[path] += 1
            first = self.server.requests[path] == 1
        behaviour = rule["behaviour"]
        file = (self.server.images / rule["file"]).resolve()
        known = file.is_relative_to(self.server.images) and file.is_file()
        if behaviour == "missing" or not known:
            self._send(404, "text/plain", b"not found\n")
        elif behaviour == "redirect":
            self._send(302, "text/plain", b"", {"Location": f"/{rule['file']}"})
        elif behaviour == "html":
            self._send(200, "text/html", b"<!doctype html><title>Not a picture</title><p>Please log in.</p>\n")
        elif behaviour == "flaky" and first:
            self._send(500, "text/plain", b"try again\n")
        else:
            if behaviour == "slow":
                time.sleep(rule["seconds"])
            body, kind = file.read_bytes(), CONTENT_TYPES.get(file.suffix[1:], "application/octet-stream")
            if behaviour == "truncated":
                self._send(200, kind, body[: len(body) // 2], promised=len(body))
                self.close_connection = True
            elif behaviour == "oversized":
                self._send(200, kind, body, promised=rule["bytes"])
                self._pad(rule["bytes"] - len(body))
            else:
                self._send(200, kind, body, {"X-Robots-Tag": "noai"} if behaviour == "refused" else {})

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None, promised: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _pad(self, count: int) -> None:
        while count > 0 and self.command != "HEAD":
            count -= self.wfile.write(_CHUNK[: min(count, len(_CHUNK))])


class ImageHost(LocalHost[_Server]):
    """Serves a sample crawl's pictures at 127.0.0.1 from a thread of this process, which ends with the process.

    Raises HeadtailError where the folder holds no sample crawl or the port is taken. Port 0 takes a free one.

    with ImageHost(folder) as host:
        urlopen(f"http://127.0.0.1:{host.port}/kite-club/photos/red-cat-001.jpg")
    """

    def __init__(self, folder: Path, port: int = PORT) -> None:
        super().__init__(port, "end that program, or make the sample with another --port")
        self.folder = Path(folder)

    def _open(self) -> _Server:
        try:
            return _Server(self.folder, self.port)
        except FileNotFoundError as error:
            raise HeadtailError(
                f"{self.folder} holds no sample crawl: run python -m tests.sample.make first"
            ) from error

    @property
    def requests(self) -> Counter[str]:
        """Requests so far, by path without query."""
        return self._server.requests if self._server else Counter()


def main() -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sample.host", description="Serve the sample crawl's pictures."
    )
    parser.add_argument("folder", type=Path, help="the folder that sample.make made")
    parser.add_argument("--port", type=int, default=PORT, help="port at 127.0.0.1; the pages name 8765")
    arguments = parser.parse_args()
    try:
        with ImageHost(arguments.folder, arguments.port) as host:
            print(f"serving {arguments.folder} at http://127.0.0.1:{host.port}", flush=True)
            threading.Event().wait()
    except HeadtailError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
