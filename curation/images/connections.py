"""Connections to permitted addresses: host names are resolved and checked, sockets have a deadline and a byte limit.

The resolver returns addresses, and a connection goes to one of these addresses. It does not resolve the name again, so
a name server cannot give another answer after the check.
"""

import functools
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

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
CONNECT_SHARE = 0.5
"""Share of the time left that one address may take to connect, unless it is the last one."""


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


class _BoundedSocket(socket.socket):
    """A socket whose reads together end at `deadline` and return at most `room` bytes.

    A server that sends one byte at a time cannot pass the deadline. A server that sends headers, interim answers or
    chunk extensions without end, all of which http.client reads, cannot pass the limit. A TLS handshake does not call
    `recv_into`; the timeout of the socket bounds it.
    """

    deadline = float("inf")
    room = 0

    def recv_into(self, *arguments: Any) -> int:
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


class Response(http.client.HTTPResponse):
    """An HTTP response whose header values have no blanks around them, and are one line (RFC 9110, 5.5).

    `http.client` keeps blanks at their end, and knows no `Transfer-Encoding` but the word `chunked` alone.
    """

    def begin(self) -> None:
        """Read the status and the headers."""
        super().begin()
        fields = self.headers.items()
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers[name] = " ".join(line.strip(" \t\r") for line in value.split("\n")).strip()
        transfer = coding_names(self.headers.get_all("Transfer-Encoding", []))
        if transfer[-1:] == [CHUNKED] and not self.chunked:
            self.chunked, self.chunk_left, self.length = True, None, None


class Connection(http.client.HTTPConnection):
    """An HTTP connection to one of the given addresses, with TLS if `context` is given.

    It ends at `deadline` (of `time.monotonic`), or when more than `room` bytes have arrived.
    """

    TLS_SOCKET: ClassVar[type[ssl.SSLSocket]] = _TlsSocket
    response_class = Response

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
