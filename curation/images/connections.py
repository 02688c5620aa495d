"""Connections to permitted addresses: host names are resolved and checked, sockets have a deadline and a byte limit.

The resolver returns addresses, and a connection goes to one of these addresses. It does not resolve the name again, so
a name server cannot give another answer after the check.
"""

import functools
import http.client
import io
import ipaddress
import re
import select
import socket
import ssl
import time
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, cast

from curation.core.addresses import is_literal, is_public
from curation.core.codings import CHUNKED, coding_names
from curation.images.lookups import Lookups

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SocketAddress = tuple[int, tuple]
"""An address family, and an address of this family as `socket.connect` takes it."""

CACHE_SECONDS = 60.0
MAX_NAMES = 1 << 16
"""Host names that a cache holds; it loses the older half beyond that."""
GIVE_UP_SECONDS = 10.0
BODILESS = (204, 304)
"""Answers without a body, behind which some servers send one."""
CONNECT_SHARE = 0.5
"""Share of the time left that one address may take to connect, unless it is the last one."""
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*(:.*)", re.DOTALL)
_UNREADABLE = b"Malformed:"
"""In place of a header line without a name that can be read: lines that continue it belong to no other header."""


class FetchError(Exception):
    """A failed attempt. `status` is the reason as receipts count it; `retry_after` is in seconds, 0 if not given."""

    def __init__(self, status: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class Resolver:
    """Resolves host names to permitted addresses, in its own threads, since `getaddrinfo` has no timeout.

    Answers are cached for a minute, and only permitted addresses are: a name that turns to another address gains
    nothing. A name that does not resolve is cached after the second failure, so that one
    retry asks the name server again. A look-up that a URL has left goes on, and its answer serves the next attempt;
    after GIVE_UP_SECONDS the name counts as one that does not resolve until the answer comes.
    """

    def __init__(self, allowed_networks: Sequence[str], threads: int) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(each, strict=False) for each in allowed_networks]
        self._lookups: Lookups[list[SocketAddress] | FetchError] = Lookups(threads, self._keep)
        self._cached: dict[Hashable, tuple[float, list[SocketAddress] | FetchError]] = {}
        self._failed: set[Hashable] = set()

    def resolve(self, host: str, port: int, deadline: float) -> list[SocketAddress]:
        """Return the host's permitted addresses; raises FetchError: dns or private_address."""
        cached = self._cached.get((host, port))
        if cached is not None and cached[0] >= time.monotonic():
            answer = cached[1]
        elif is_literal(host):
            answer = self._look_up(host, port)
            self._keep((host, port), answer)
        else:
            try:
                answer = self._lookups.find((host, port), lambda: self._look_up(host, port), deadline)
            except TimeoutError:
                answer = FetchError("dns", "the name server took too long")
                if self._lookups.open_seconds((host, port)) > GIVE_UP_SECONDS:
                    self._store((host, port), answer)
        if isinstance(answer, FetchError):
            raise FetchError(answer.status, str(answer))
        return answer

    def _keep(self, name: Hashable, answer: list[SocketAddress] | FetchError) -> None:
        """Cache an answer; that a name does not resolve only after the second failure."""
        if not isinstance(answer, FetchError) or answer.status != "dns" or name in self._failed:
            self._failed.discard(name)
            self._store(name, answer)
        else:
            if len(self._failed) >= MAX_NAMES:
                self._failed.clear()
            self._failed.add(name)

    def _store(self, name: Hashable, answer: list[SocketAddress] | FetchError) -> None:
        self._cached.pop(name, None)  # the youngest is last
        if len(self._cached) >= MAX_NAMES:
            for old in list(self._cached)[: MAX_NAMES // 2]:
                self._cached.pop(old, None)  # another thread may have done it
        self._cached[name] = (time.monotonic() + CACHE_SECONDS, answer)

    def _look_up(self, host: str, port: int) -> list[SocketAddress] | FetchError:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return FetchError("dns", f"{host}: {error}")
        permitted: list[SocketAddress] = [
            (family, address) for family, _, _, _, address in answers if self.permits(str(address[0]))
        ]
        return permitted or FetchError("private_address", f"{host} is {answers[0][4][0]}")

    def permits(self, text: str) -> bool:
        """Whether an address, given as text with or without a scope id after %, may be contacted."""
        address = ipaddress.ip_address(text.split("%")[0])
        return any(address in network for network in self._allowed) or is_public(address)


@functools.cache
def shared_resolver(allowed_networks: tuple[str, ...], threads: int) -> Resolver:
    """Return the resolver of this process for these networks: the lists that it fetches share the answers."""
    return Resolver(allowed_networks, threads)


class SealedError(OSError):
    """More bytes are wanted than have been read from a sealed socket."""


class _BoundedSocket(socket.socket):
    """A socket whose reads together end at `deadline` and return at most `room` bytes.

    A server that sends one byte at a time cannot pass the deadline. A server that sends headers, interim answers or
    chunk extensions without end, all of which http.client reads, cannot pass the limit. A TLS handshake does not call
    `recv_into`; the timeout of the socket bounds it. While it is `sealed`, reads raise SealedError.
    """

    deadline = float("inf")
    room = 0
    sealed = False

    def recv_into(self, *arguments: Any) -> int:
        if self.sealed:
            raise SealedError
        self.settimeout(remaining(self.deadline))
        count = super().recv_into(*arguments)
        self.room -= count
        if self.room < 0:
            raise FetchError("too_large", "headers or chunks without end")
        return count


class _TlsSocket(_BoundedSocket, ssl.SSLSocket):
    pass


def remaining(deadline: float) -> float:
    """Return the seconds until the deadline, at most an hour since sockets take no infinity; raises TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, 3600.0)


class _Reader(io.BufferedReader):
    """The bytes of one answer. When it is closed, `surplus` says whether bytes were read that follow the answer.

    `http.client` reads no header behind a line that is none, so while it reads the head, it gets the lines as headers.
    `is_mended` says whether one of them was another.
    """

    surplus = is_mended = in_head = in_fields = False

    def __init__(self, raw: io.RawIOBase, sock: _BoundedSocket) -> None:
        super().__init__(raw)
        self._socket = sock

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line."""
        line = super().readline(size)
        if not self.in_head:
            return line
        is_field = self.in_fields and line.strip(b"\n") not in (b"", b"\r")
        self.in_fields = is_field or not self.in_fields  # an interim answer has a status and fields, too
        mended = _as_fields(line) if is_field and line.endswith(b"\n") else line
        self.is_mended |= mended != line
        return mended

    def close(self) -> None:
        """Drop the bytes that are left."""
        if not self.closed:
            self._socket.sealed = True
            try:
                self.surplus = bool(self.peek(1))
            except SealedError:
                self.surplus = False
            except OSError:  # the socket has timed out
                self.surplus = True
            finally:
                self._socket.sealed = False
        super().close()


def _as_fields(line: bytes) -> bytes:
    r"""Return a line of a head with names that `http.client` can read, without the blanks behind them.

    >>> _as_fields(b"X-Robots-Tag : noai\r\n"), _as_fields(b"Powered by x\r\n")
    (b'X-Robots-Tag: noai\r\n', b'Malformed:\r\n')
    """
    fields = []
    for text in filter(None, line.rstrip(b"\r\n").split(b"\r")):  # http.client takes each for the end of a line
        field = _FIELD.match(text)
        fields.append(text if text[:1] in b" \t" else b"%s%s" % field.groups() if field else _UNREADABLE)
    return b"\r\n".join(fields or [_UNREADABLE]) + (b"\r\n" if line.endswith(b"\r\n") else b"\n")


class Response(http.client.HTTPResponse):
    """An HTTP response whose header values have no blanks around them, and are one line (RFC 9110, 5.5).

    Headers behind malformed lines are read, too: they may forbid the use of an image. `http.client` drops these, keeps
    blanks at the end of values, and knows no `Transfer-Encoding` but the word `chunked` alone.
    """

    def __init__(self, sock: _BoundedSocket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self._socket = sock
        self.fp = self._reader = _Reader(self.fp.detach(), sock)

    def begin(self) -> None:
        """Read the status and the headers."""
        self._reader.in_head = True
        super().begin()
        self._reader.in_head = False
        fields = self.headers.items()
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers[name] = " ".join(line.strip(" \t\r") for line in value.split("\n")).strip()
        transfer = coding_names(self.headers.get_all("Transfer-Encoding", []))
        if transfer[-1:] == [CHUNKED] and not self.chunked:
            self.chunked, self.chunk_left, self.length = True, None, None

    def leaves_open(self) -> bool:
        """Whether the connection can take another request, as all of this answer has arrived, and nothing else has.

        Call it while no read of the answer has failed. What has arrived of the body is read.
        """
        lengths, transfers = (self.headers.get_all(name, []) for name in ("Content-Length", "Transfer-Encoding"))
        # An end of the body that two readers may take for different ones is no end.
        bounded = not lengths and len(transfers) == 1 if self.chunked else len(lengths) == 1 and not transfers
        bounded &= not self._reader.is_mended
        if self.will_close or self.version != 11 or not bounded or self.status < 200 or self.status in BODILESS:
            return False
        self._socket.sealed = True
        try:
            while self.read(1 << 16):
                pass
        except (OSError, http.client.HTTPException):
            return False
        finally:
            self._socket.sealed = False
        return self.isclosed() and not self.length and not self._reader.surplus


class Connection(http.client.HTTPConnection):
    """An HTTP connection to one of the given addresses, with TLS if `context` is given.

    A request ends at `deadline` (of `time.monotonic`), or when more than `room` bytes have arrived. `reused` says
    whether the request is a further one.
    """

    TLS_SOCKET: ClassVar[type[ssl.SSLSocket]] = _TlsSocket
    response_class = Response
    sock: Any
    """A _BoundedSocket once it is connected, else None."""

    def __init__(
        self,
        host: str,
        port: int,
        addresses: list[SocketAddress],
        deadline: float,
        room: int,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port)
        self._addresses, self._deadline, self._room, self._context = addresses, deadline, room, context
        self._connected: SocketAddress | None = None
        self.reused = False
        if context:
            self.default_port = http.client.HTTPS_PORT  # else `Host:` names the port, and some servers refuse that

    def connect(self) -> None:
        """Connect to the first address that answers; raises the OSError of the last one, or TimeoutError."""
        failure: OSError = OSError("no address")
        for index, (family, address) in enumerate(self._addresses):
            share = 1.0 if index == len(self._addresses) - 1 else CONNECT_SHARE
            try:
                sock = _BoundedSocket(family, socket.SOCK_STREAM)
            except OSError as error:  # a machine without IPv6
                failure = error
                continue
            try:
                sock.settimeout(remaining(self._deadline) * share)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sock = self._wrap(sock)
                self.sock.deadline, self.sock.room = self._deadline, self._room
                self._connected = family, address
                return
            except OSError as error:
                sock.close()
                failure = error
        raise failure

    def _wrap(self, sock: _BoundedSocket) -> Any:
        if self._context is None:
            return sock
        sock.settimeout(remaining(self._deadline))
        # Certificates and server names of TLS have no dot at the end (RFC 6066, section 3).
        return self._context.wrap_socket(sock, server_hostname=self.host.removesuffix("."))

    def getresponse(self) -> Response:
        """Return the answer, whose body is still to be read."""
        return cast(Response, super().getresponse())

    def leads_to(self, other: "Connection") -> bool:
        """Whether this connection leads to an address of the other one, with the same scheme, host and port."""
        ours, theirs = ((each.host, each.port, each._context is None) for each in (self, other))
        return ours == theirs and self._connected in other._addresses

    def is_quiet(self) -> bool:
        """Whether the open connection has not ended, and nothing has arrived since the last answer."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        pending = self._context is not None and self.sock.pending()
        return not pending and not poll.poll(0)

    def reuse(self, other: "Connection") -> None:
        """Take over deadline and room of a connection that this one, which is open, serves instead of."""
        self.reused = True
        self.sock.deadline, self.sock.room = other._deadline, other._room
        self.sock.settimeout(min(max(1e-3, other._deadline - time.monotonic()), 3600.0))  # 0 would mean: do not wait
