"""A local server that costs little, so that what is measured is the client."""

import asyncio
import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self


def with_comment(picture: bytes, number: int) -> bytes:
    """Return the JPEG with a comment that makes it a file of its own."""
    comment = b"%015d" % number
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]


class ImageHost:
    """Serves /<number>.jpg from a process of its own, for a `with` block."""

    def __init__(self, faces: list[bytes]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, faces), daemon=True)

    def url(self, number: int) -> str:
        """The URL of an image."""
        return f"http://127.0.0.1:{self._port}/{number}.jpg"

    def __enter__(self) -> Self:
        self._process.start()
        self._port = self._pipe.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()


class _Answers(asyncio.Protocol):
    faces: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        number = int(data.split(b" ", 2)[1].strip(b"/").split(b".")[0])
        body = with_comment(self.faces[number % len(self.faces)], number)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        self._transport.write(head + body)
        self._transport.close()


def _serve(pipe: Connection, faces: list[bytes]) -> None:
    _Answers.faces = faces
    asyncio.run(_listen(pipe))


async def _listen(pipe: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", 0, backlog=1024)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
