"""A local Wikimedia that serves real files and misbehaves, for tests of downloads.

`faults` holds the faults of the next requests of a path, one a request: `503`, `429` (with Retry-After), `break` (close
after half), `no_length`, `ignore_range`, `wrong_range`, `garbage` (other bytes of the same length), `weak` (a weak
tag), `slow` (no answer in time), `redirect_file`. Other requests are served well.
"""

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class SourceServer:
    """Serves `files` by path; `requests` are (path, Range) in order."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str]] = []
        self.heads, self.headed = True, list[str]()
        self.agents: Counter[str] = Counter()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self)

            def do_HEAD(self) -> None:
                server.answer_head(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Any) -> None:
        """Serve one request, with the next fault of its path."""
        asked = request.headers.get("Range", "")
        self.requests.append((request.path, asked))
        self.agents[request.headers["User-Agent"]] += 1
        fault = (self.faults.get(request.path) or [""]).pop(0)
        data = self.files.get(request.path)
        if fault in ("503", "429") or data is None:
            return self._send(request, int(fault or 404), b"", {"Retry-After": "7"} if fault == "429" else {})
        if fault == "redirect_file":
            return self._send(request, 302, b"", {"Location": "file:///etc/passwd"})
        if fault == "slow":
            time.sleep(1.5)
        if fault == "garbage":
            data = bytes(len(data))
        headers = {"ETag": f'W/"{len(data)}"' if fault == "weak" else f'"{len(data)}"'}
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "ignore_range" else 0
        if start and request.headers.get("If-Range") == headers["ETag"]:
            if start >= len(data):
                return self._send(request, 416, b"", {})
            shown = start + 1 if fault == "wrong_range" else start
            headers["Content-Range"] = f"bytes {shown}-{len(data) - 1}/{len(data)}"
            return self._send(request, 206, data[start:], headers, fault)
        return self._send(request, 200, data, headers, fault)

    def answer_head(self, request: Any) -> None:
        """Tell the size of a file, unless `heads` is false: then the server refuses the question."""
        self.headed.append(request.path)
        data = self.files.get(request.path)
        request.send_response(405 if not self.heads else 404 if data is None else 200)
        request.send_header("Content-Length", str(len(data or b"") if self.heads else 0))
        request.end_headers()

    @staticmethod
    def _send(request: Any, status: int, data: bytes, headers: dict[str, str], fault: str = "") -> None:
        try:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            if fault != "no_length":
                request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data[: len(data) // 2] if fault == "break" else data)
            if fault in ("break", "no_length", "slow"):
                request.close_connection = True
        except OSError:
            request.close_connection = True
