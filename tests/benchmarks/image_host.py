"""A local server that costs little, so that what is measured is the client."""

import asyncio
import multiprocessing
import ssl
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

HOSTS = 8
"""Ports that the server listens on: clients take each for a host of its own."""


@dataclass(frozen=True)
class Manners:
    """How the server answers: `delay` seconds after the request, over TLS with the `certificate`, a PEM file.

    A `closing` server ends the connection after each answer. Others do so for clients that ask for it.
    """

    delay: float = 0.0
    certificate: Path | None = None
    closing: bool = False


def with_comment(picture: bytes, number: int) -> bytes:
    """Return the JPEG with a comment that makes it a file of its own."""
    comment = b"%015d" % number
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]


class ImageHost:
    """Serves /<number>.jpg from a process of its own, for a `with` block."""

    def __init__(self, faces: list[bytes], manners: Manners = Manners()) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._scheme = "https" if manners.certificate else "http"
        self._process = context.Process(target=_serve, args=(theirs, faces, manners), daemon=True)

    def url(self, number: int) -> str:
        """The URL of an image."""
        return f"{self._scheme}://127.0.0.1:{self._ports[number % HOSTS]}/{number}.jpg"

    def __enter__(self) -> Self:
        self._process.start()
        self._ports = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()


class _Answers(asyncio.Protocol):
    faces: list[bytes]
    manners: Manners

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        number = int(data.split(b" ", 2)[1].strip(b"/").split(b".")[0])
        body = with_comment(self.faces[number % len(self.faces)], number)
        closing = self.manners.closing or b"connection: close" in data.lower()
        asked = b"Connection: close\r\n" if closing else b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n%sContent-Length: %d\r\n\r\n" % (asked, len(body))
        if self.manners.delay:
            asyncio.get_running_loop().call_later(self.manners.delay, self._send, head + body, closing)
        else:
            self._send(head + body, closing)

    def _send(self, answer: bytes, closing: bool) -> None:
        self._transport.write(answer)
        if closing:
            self._transport.close()


def _serve(pipe: Connection, faces: list[bytes], manners: Manners) -> None:
    _Answers.faces, _Answers.manners = faces, manners
    asyncio.run(_listen(pipe, manners))


async def _listen(pipe: Connection, manners: Manners) -> None:
    context = None
    if manners.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(manners.certificate)
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Answers, "127.0.0.1", 0, backlog=1024, ssl=context) for _ in range(HOSTS)]
    pipe.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.gather(*(server.serve_forever() for server in servers))
