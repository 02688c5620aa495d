"""A host at 127.0.0.1 that runs in a thread of this process: the base of the hosts that serve pictures."""

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from curation.core.errors import HeadtailError
from tests.sample.ports import holder


class LocalServer(ThreadingHTTPServer):
    """Answers with a handler, in a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, handler: type["LocalHandler"]) -> None:
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


class LocalHandler(BaseHTTPRequestHandler):
    """Answers requests, and writes no line for each."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: Any) -> None:
        """Quiet: a line a request would bury what the jobs say."""


Server = TypeVar("Server", bound=LocalServer)


class LocalHost(ABC, Generic[Server]):
    """Serves from a thread that ends with the block; port 0 takes a free one.

    `cure` ends the HeadtailError that is raised where the port is taken.
    """

    def __init__(self, port: int, cure: str) -> None:
        self.port, self._cure = port, cure
        self._server: Server | None = None

    @abstractmethod
    def _open(self) -> Server:
        """Return the server; raises OSError where the port is taken."""

    def __enter__(self) -> Self:
        try:
            self._server = self._open()
        except OSError as error:
            by = f", by {found}" if (found := holder(self.port)) else ""
            raise HeadtailError(
                f"the image host cannot use port {self.port} of 127.0.0.1 ({error.strerror}{by}): {self._cure}"
            ) from error
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="image host", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
