"""Fetching images from untrusted hosts.

Each request, also after a redirect, is checked: the scheme is http or https, and the address belongs to the public
internet: private, loopback and link-local addresses are refused. The address is checked after the name was resolved,
and the connection goes to this address, so a second answer of the name server has no effect. Time, redirects and bytes
are bounded. Proxies of the environment are not used, since addresses cannot be checked behind a proxy.

A connection whose answer was read wholly serves the next request to the same scheme, host, port and address. If it
fails then, the request is sent once more on a new connection, with the time that it had, and only that counts.
"""

import contextlib
import functools
import hashlib
import http.client
import ipaddress
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Self
from urllib.parse import SplitResult, urljoin, urlsplit

from curation.core.backslashes import with_slashes
from curation.core.choices import Obey
from curation.core.codings import DamagedError, TooLargeError, codings_in, undo_codings
from curation.core.errors import PROJECT, HeadtailError
from curation.core.host_names import FORBIDDEN, ascii_host, host_of_parts
from curation.images.answer_headers import opted_out, retry_after
from curation.images.connections import Connection, FetchError, Resolver, Response
from curation.images.host_connections import HostConnections
from curation.images.robots import target_of

MAX_REDIRECTS = 5
RETRY_PAUSE_SECONDS = 0.5
CHUNK_BYTES = 1 << 16
MEMORY_BYTES = 1 << 20
"""Larger bodies wait on disk: a task holds up to twice as many bodies as it has threads."""
ERROR_CHARACTERS = 200
HEAD_BYTES = 1 << 18
"""Bytes that headers and chunk frames may take beside the body."""
IMAGES = "image/*,*/*;q=0.5"
REDIRECTS = (301, 302, 303, 307, 308)
TRANSIENT_CODES = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524))
TRANSIENT = frozenset(("timeout", "dns", "connection", "truncated", "busy"))
"""Reasons that can pass: the image is tried again at once."""
RETRIED_LATER = TRANSIENT | {"private_address", "unreadable"}
"""Reasons that a later run with `retry_failed` tries again: by then a name may have another address, a network may be
allowed, a file may exist again."""


@dataclass(frozen=True)
class FetchSettings:
    """How to fetch one image.

    `timeout_seconds` bounds the total time of an image: name resolution, redirects, body, pauses and retries, but not
    the wait for one of the `connections_per_host` that a fetcher may have to a host at a time. `contact`
    is the operator's e-mail address or URL, empty if none is given; servers get it in the User-Agent header. `opt_out`
    holds the directives of X-Robots-Tag that forbid the use, in lower case; if it is empty, the header is ignored.
    `obey` are further ways to forbid it, values of `Obey`; the fetcher itself looks at tdm_reservation.
    `allow_private_hosts` are networks such as 127.0.0.1/32 that may be contacted although they are not public.
    """

    timeout_seconds: float
    retries: int
    connections_per_host: int
    max_bytes: int
    user_agent_token: str
    contact: str
    opt_out: tuple[str, ...]
    obey: tuple[str, ...]
    allow_private_hosts: tuple[str, ...]


@dataclass
class Fetched:
    """The result of one URL: `status` is success or the reason, `seconds` is the time of all attempts.

    `body` is an open file, which the caller closes. `source_bytes` and `sha256` (hex) are those of the image file
    after a Content-Encoding is undone.
    """

    status: str
    error: str | None = None
    body: IO[bytes] | None = None
    source_bytes: int | None = None
    sha256: str | None = None
    http_status: int | None = None
    content_type: str | None = None
    redirects: int = 0
    attempts: int = 0
    seconds: float = 0.0

    def keep(self, chunks: Iterable[bytes], folder: str | None = None) -> None:
        """Store a body, unless it is empty; a large one goes to an unnamed file in `folder`.

        Raises HeadtailError if it cannot be stored: a full disk is not the fault of a host.
        """
        with contextlib.ExitStack() as stack:
            body, digest = stack.enter_context(SpooledTemporaryFile(MEMORY_BYTES, dir=folder)), hashlib.sha256()
            for chunk in chunks:
                digest.update(chunk)
                try:
                    body.write(chunk)
                except OSError as error:
                    raise HeadtailError(f"a body could not be stored: {error}") from error
            if size := body.tell():
                body.seek(0)
                stack.pop_all()
                self.body, self.source_bytes, self.sha256 = body, size, digest.hexdigest()


class _StaleError(Exception):
    """A connection that was used before has failed, perhaps because the server had closed it."""


@dataclass
class _Limits:
    """When an image and its attempt must end, and whether it needs new connections since a kept one has failed.

    `waited` are the seconds in which it had no turn at its host.
    """

    image: float
    attempt: float
    fresh: bool = False
    waited: float = 0.0

    def put_off(self, seconds: float) -> None:
        """Leave out time that is not the image's."""
        self.image += seconds
        self.attempt += seconds


class Fetcher:
    """Fetches URLs, called by many threads, in a `with` block.

    The threads share resolved addresses, connections and the waiting times of hosts.
    Large bodies are unnamed files in `folder`, by default in the temporary folder of the system. `accept` is the Accept
    header. `resolver` may be one that others use, too; its networks are those of the settings.
    """

    def __init__(
        self,
        settings: FetchSettings,
        threads: int,
        folder: str | None = None,
        accept: str = IMAGES,
        resolver: Resolver | None = None,
    ) -> None:
        self.settings, self._folder, self._accept = settings, folder, accept
        self._resolver = resolver or Resolver(settings.allow_private_hosts, threads)
        self._connections = HostConnections(settings.connections_per_host, threads)
        self._not_before: dict[str, float] = {}
        self._tls = _tls_context()
        contact = f"; contact {settings.contact}" if settings.contact else ""
        self._agent = f"Mozilla/5.0 (compatible; {settings.user_agent_token}; +{PROJECT}{contact})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()

    def fetch(self, url: str) -> Fetched:
        """Fetch one URL; raises nothing because of a host or a URL: `status` says why it failed."""
        start = time.monotonic()
        limits = _Limits(start + self.settings.timeout_seconds, start)
        result = Fetched("timeout")
        for attempt in range(self.settings.retries + 1):
            left = self.settings.retries + 1 - attempt
            # The attempts share the time, so an attempt that hangs leaves time for the next one.
            limits.attempt = time.monotonic() + (limits.image - time.monotonic()) / left
            result = Fetched("timeout", attempts=attempt + 1)
            try:
                self._attempt(url, limits, result)
                result.status = "success"
                break
            except FetchError as error:
                result.status, result.error = error.status, str(error)[:ERROR_CHARACTERS] or None
                pause = max(RETRY_PAUSE_SECONDS, error.retry_after)
                if error.status not in TRANSIENT or left == 1 or time.monotonic() + pause >= limits.image:
                    break
                time.sleep(pause)
        result.seconds = time.monotonic() - start - limits.waited
        return result

    def _attempt(self, url: str, limits: _Limits, result: Fetched) -> None:
        with _as_fetch_error():
            for hop in range(MAX_REDIRECTS + 1):
                result.redirects = hop
                location = self._request(url, limits, result)
                if location is None:
                    return
                url = urljoin(url, with_slashes(location))
            raise FetchError("redirects", f"more than {MAX_REDIRECTS} redirects")

    def _request(self, url: str, limits: _Limits, result: Fetched) -> str | None:
        """Return the location of a redirect, or None if `result` has the body."""
        parts = urlsplit(with_slashes(url))
        if parts.scheme not in ("http", "https"):
            raise FetchError("scheme", f"{parts.scheme or 'no'} URL")
        host, port = host_to_ask(host_of_parts(parts)), parts.port or (443 if parts.scheme == "https" else 80)
        key = f"{host.removesuffix('.')}:{port}"
        self._check_pause(key)
        addresses = self._resolver.resolve(host, port, limits.attempt)
        room, tls = self.settings.max_bytes + HEAD_BYTES, self._tls if parts.scheme == "https" else None
        with self._connections.turn(key) as waited:
            limits.put_off(waited)
            limits.waited += waited
            self._check_pause(key)
            new = Connection(host, port, addresses, limits.attempt, room, tls)
            kept = self._connections.take(key, new, limits.fresh)
            if kept is None:
                return self._ask(new, parts, key, result)
            start, before = time.monotonic(), (result.http_status, result.content_type)
            try:
                kept.reuse(new)
                return self._ask(kept, parts, key, result)
            except _StaleError:
                limits.fresh = True
            limits.put_off(time.monotonic() - start)
            result.http_status, result.content_type = before
            new = Connection(host, port, addresses, limits.attempt, room, tls)
            return self._ask(new, parts, key, result)

    def _check_pause(self, key: str) -> None:
        wait = self._not_before.get(key, 0.0) - time.monotonic()
        if wait > 0:
            raise FetchError("busy", "host asked to be left alone", retry_after=wait)

    def _ask(self, connection: Connection, parts: SplitResult, key: str, result: Fetched) -> str | None:
        """Send a request and take its answer, as `_request` does; keep the connection if it can serve another one.

        Raises _StaleError if a connection was used before and fails, unless an answer has begun and takes too long.
        """
        response: Response | None = None
        whole = False
        try:
            headers = {"User-Agent": self._agent, "Accept": self._accept, "Accept-Encoding": "identity"}
            connection.request("GET", target_of(parts), headers=headers)
            response = connection.getresponse()
            if connection.reused and _may_be_late(response):
                raise _StaleError
            result.http_status = response.status
            if response.status in REDIRECTS and (location := response.getheader("Location")):
                # http.client decodes headers as Latin-1, but some servers send UTF-8 here.
                with contextlib.suppress(UnicodeError):
                    location = location.encode("latin-1").decode()
                whole = True
                return location
            self._read(response, key, result)
            whole = True
        except (OSError, http.client.HTTPException, FetchError) as error:
            whole = isinstance(error, FetchError) and error.status == "http_error"
            if connection.reused and (response is None or _has_broken(error)):
                raise _StaleError from error
            raise
        finally:
            if whole and response and response.leaves_open():
                self._connections.keep(key, connection)
            else:
                connection.close()
                if response:  # which has the socket if the server is to close it
                    response.close()
        return None

    def _read(self, response: http.client.HTTPResponse, key: str, result: Fetched) -> None:
        result.content_type = (response.getheader("Content-Type") or "")[:100] or None
        if not 200 <= response.status < 300:
            wait = retry_after(response.getheader("Retry-After"))
            if response.status in (429, 503) and wait:
                self._not_before[key] = max(self._not_before.get(key, 0.0), time.monotonic() + wait)
            status = "busy" if response.status in TRANSIENT_CODES else "http_error"
            raise FetchError(status, f"HTTP {response.status}", wait)
        headers = response.headers
        tags = headers.get_all("X-Robots-Tag", [])
        if opted_out(tags, self.settings.user_agent_token, self.settings.opt_out):
            raise FetchError("opted_out", "X-Robots-Tag")
        # The header of the W3C community group's TDM Reservation Protocol (TDMRep): 1 reserves the rights to mining.
        if Obey.tdm_reservation in self.settings.obey and headers.get("tdm-reservation", "").strip() == "1":
            raise FetchError(Obey.tdm_reservation.value, "tdm-reservation: 1")
        chunks = _bounded(response, self.settings.max_bytes)
        codings = codings_in([*headers.get_all("Content-Encoding", []), *headers.get_all("Transfer-Encoding", [])])
        if codings:  # although the request allows none
            chunks = self._decoded(chunks, codings)
        result.keep(chunks, self._folder)
        if not result.body:
            raise FetchError("empty", "no bytes")

    def _decoded(self, chunks: Iterable[bytes], codings: Sequence[str]) -> Iterator[bytes]:
        """Yield a body without its codings; raises FetchError: coding, too_large, truncated."""
        whole = Fetched("")
        whole.keep(chunks, self._folder)
        if whole.body is None:
            return
        try:
            body, fault = undo_codings(whole.body, codings, self.settings.max_bytes, self._new_file)
        except OSError as error:
            raise HeadtailError(f"a body could not be stored: {error}") from error
        with body:
            if isinstance(fault, DamagedError):
                raise FetchError("truncated", f"Content-Encoding: {fault}")
            if isinstance(fault, TooLargeError):
                raise FetchError("too_large", f"Content-Encoding: {fault}")
            if fault:
                raise FetchError("coding", f"Content-Encoding: {fault}")
            while chunk := body.read(CHUNK_BYTES):
                yield chunk

    def _new_file(self) -> IO[bytes]:
        return SpooledTemporaryFile(MEMORY_BYTES, dir=self._folder)


def _may_be_late(response: Response) -> bool:
    """Whether an answer may come from a server that was about to close: it had waited for long, or stopped writing."""
    return response.status == http.client.REQUEST_TIMEOUT or (response.length is None and not response.chunked)


def _has_broken(error: Exception) -> bool:
    """Whether a connection has ended within an answer."""
    if isinstance(error, FetchError):
        return error.status == "truncated"
    return not isinstance(error, TimeoutError)


@contextlib.contextmanager
def _as_fetch_error() -> Iterator[None]:
    """Turn the errors of sockets, TLS, HTTP and URLs into a FetchError with the reason."""
    try:
        yield
    except TimeoutError:
        raise FetchError("timeout", "took too long") from None
    except ssl.SSLCertVerificationError as error:
        raise FetchError("tls", error.verify_message) from None
    except http.client.IncompleteRead:
        raise FetchError("truncated", "the body ended early") from None
    except (http.client.InvalidURL, UnicodeError) as error:
        raise FetchError("bad_url", str(error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise FetchError("connection", f"{type(error).__name__}: {error}") from None
    except ValueError as error:  # urlsplit and urljoin, for hosts such as `[1` and ports such as `80a`
        raise FetchError("bad_url", str(error)) from None


def _bounded(response: http.client.HTTPResponse, max_bytes: int) -> Iterator[bytes]:
    """Yield the body in chunks; raises FetchError if it is too large or truncated."""
    declared, total = response.length, 0
    if declared is not None and declared > max_bytes:
        raise FetchError("too_large", f"{declared} bytes declared")
    while chunk := response.read(CHUNK_BYTES):
        total += len(chunk)
        if total > max_bytes:
            raise FetchError("too_large", f"more than {max_bytes} bytes")
        yield chunk
    if declared is not None and total < declared:
        raise FetchError("truncated", f"{total} of {declared} bytes")


def host_to_ask(host: str) -> str:
    """Return the host that a name is looked up by and that servers are asked for, however it is spelt."""
    if not host:
        raise FetchError("bad_url", "no host")
    if ":" in host:
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(host))
        return host
    name = ascii_host(host)
    if not name.isascii() or FORBIDDEN.search(name):
        raise FetchError("bad_url", f"{host[:100]!r} is no host")
    return name


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """One for all fetchers of a process: the certificates of authorities take 30 ms to read."""
    context = ssl.create_default_context()
    context.sslsocket_class = Connection.TLS_SOCKET
    return context
