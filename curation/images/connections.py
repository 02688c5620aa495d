"""Names, addresses and connections: which hosts may be contacted, and for how long."""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, ClassVar

from curation.core.addresses import is_literal, is_public

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SocketAddress = tuple[int, tuple]
"""A family and what `socket.connect` takes."""

REMEMBER_SECONDS = 300.0
CONNECT_SHARE = 0.5
"""A dead address leaves this share of the time to the host's next one."""


class FetchError(Exception):
    """An image that cannot be had: `status` is the reason as counted; `retry_after` in seconds, 0 if not said."""

    def __init__(self, status: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class Resolver:
    """Resolves names to addresses that may be contacted, in threads of its own: the system's call knows no timeout.

    Answers are remembered for five minutes; a failure is when it happened twice, so that a retry asks again.
    """

    def __init__(self, allowed_networks: Sequence[str], threads: int) -> None:
        self._allowed: list[Network] = [ipaddress.ip_network(network) for network in allowed_networks]
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._known: dict[tuple[str, int], tuple[float, list[SocketAddress] | FetchError]] = {}
        self._failed: set[tuple[str, int]] = set()

    def close(self) -> None:
        """Let the threads end without waiting for name servers."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def resolve(self, host: str, port: int, deadline: float) -> list[SocketAddress]:
        """Return the host's permitted addresses; raises FetchError (dns, private_address) or TimeoutError."""
        known = self._known.get((host, port))
        if known is None or known[0] < time.monotonic():
            if is_literal(host):
                answer = self._look_up(host, port)
            else:
                future = self._threads.submit(self._look_up, host, port)
                try:
                    answer = future.result(max(0.0, deadline - time.monotonic()))
                except FutureTimeoutError:
                    future.cancel()
                    raise FetchError("dns", "the name server took too long") from None
            known = (time.monotonic() + REMEMBER_SECONDS, answer)
            if not isinstance(answer, FetchError) or answer.status != "dns" or (host, port) in self._failed:
                self._known[host, port] = known
            else:
                self._failed.add((host, port))
        if isinstance(known[1], FetchError):
            raise FetchError(known[1].status, str(known[1]))
        return known[1]

    def _look_up(self, host: str, port: int) -> list[SocketAddress] | FetchError:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return FetchError("dns", f"{host}: {error}")
        permitted = [(family, address) for family, _, _, _, address in answers if self.permits(address[0])]
        return permitted or FetchError("private_address", f"{host} is {answers[0][4][0]}")

    def permits(self, text: str) -> bool:
        """Whether an address as text (a scope id after % is allowed) may be contacted."""
        address = ipaddress.ip_address(text.split("%")[0])
        return any(address in network for network in self._allowed) or is_public(address)


class _Bounded:
    """Mixed into a socket: all reads together may take until `deadline` and bring `room` bytes.

    So neither drops of data can hold it, nor can a flood of headers, interim answers or chunk extensions, which
    http.client reads without end, cost more than a large image does.
    """

    # A TLS handshake does not read through here: the socket's own timeout bounds it.
    deadline = float("inf")
    room = 0

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(remaining(self.deadline))
        count = super().recv_into(*arguments)
        self.room -= count
        if self.room < 0:
            raise FetchError("too_large", "headers or chunks without end")
        return count


class _PlainSocket(_Bounded, socket.socket):
    pass


class _TlsSocket(_Bounded, ssl.SSLSocket):
    pass


def remaining(deadline: float) -> float:
    """Return the seconds left (at most an hour: sockets take no infinity); raises TimeoutError if there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, 3600.0)


class Connection(http.client.HTTPConnection):
    """An HTTP connection, with TLS if a context is given, to one of the given addresses, until a deadline.

    `room`: bytes that may arrive in all.
    """

    TLS_SOCKET: ClassVar[type[ssl.SSLSocket]] = _TlsSocket

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
            self.default_port = http.client.HTTPS_PORT  # else `Host:` would name the port, which some servers mind

    def connect(self) -> None:
        """Connect to the first address that answers; raises OSError of the last one, TimeoutError."""
        failure: OSError = OSError("no address")
        for index, (family, address) in enumerate(self._addresses):
            share = 1.0 if index == len(self._addresses) - 1 else CONNECT_SHARE
            try:
                sock = _PlainSocket(family, socket.SOCK_STREAM)
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

    def _wrap(self, sock: _PlainSocket) -> Any:
        if self._context is None:
            return sock
        sock.settimeout(remaining(self._deadline))
        return self._context.wrap_socket(sock, server_hostname=self.host)
