"""Remote files: the HTTP client of inputs and downloads, its retry policy, and inputs that resume after a failure.

The client is the standard library's, which uses the proxies of the environment. HTTP libraries retry requests but do
not resume bodies that break, so one policy here covers both.
"""

import contextlib
import email.utils
import errno
import http.client
import io
import random
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from curation.core.errors import HeadtailError
from curation.core.host_names import ascii_host, host_of_parts, with_ascii_host
from curation.core.progress import say
from curation.core.redirects import HttpHandler, HttpsHandler, PrivateRedirectError, PublicRedirects
from curation.core.storage import filesystem, is_local, open_input
from curation.core.store_faults import store_line

TIMEOUT_SECONDS = 60.0
BUFFER_BYTES = 1 << 20
PASSING_STATUS = frozenset((403, 408, 425, 429, 500, 502, 503, 504, 520, 522, 524))
"""Status codes after which a later request may succeed. CommonCrawl sends 403 to clients that ask too often."""
MISSING_STATUS = frozenset((404, 410))
NO_NETWORK = frozenset((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN))
Result = TypeVar("Result")


class PassingError(OSError):
    """A failure after which the same request may succeed; `pause_seconds` is the server's Retry-After, or 0."""

    def __init__(self, message: str, pause_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


class UnreachableError(PassingError):
    """A failure before any server was reached: the host's name does not resolve, or no network leads to it."""


class RemoteError(OSError):
    """A request that is not tried again: because of its HTTP `status`, or (status 0) because the last try failed."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


HTTP_FAULTS = (PassingError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)
"""Errors of requests and bodies after which a further try may succeed."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and how long the pauses between tries are.

    Pauses double from `first_pause_seconds` to `max_pause_seconds`. A longer Retry-After of the server counts instead,
    up to that maximum. Each pause is longer or shorter by a random share of up to `jitter`, so that many clients do not
    return at the same moment.

    After `offline_tries` it ends early if each try was an UnreachableError: the start of a job must not wait for
    minutes on a machine without network. 0 means that it never ends early, as for work that has begun.
    """

    tries: int
    first_pause_seconds: float
    max_pause_seconds: float
    jitter: float = 0.0
    offline_tries: int = 0

    def run(
        self,
        name: str,
        action: Callable[[], Result],
        passing: tuple[type[Exception], ...] = HTTP_FAULTS,
        wait: Callable[[float], None] | None = None,
    ) -> Result:
        """Return the result of an action; it is tried again after errors of the types `passing`.

        Raises RemoteError with the name and the last error. FileNotFoundError and errors of other types are raised at
        once. Missing credentials are a HeadtailError at once.
        """
        unreached = 0
        for attempt in range(self.tries):
            try:
                return action()
            except (FileNotFoundError, HeadtailError):
                raise
            except passing as error:
                if line := store_line(error, name.partition(": ")[0]):
                    raise HeadtailError(line) from error
                if isinstance(error, PermissionError):
                    raise RemoteError(f"{name}: {error.strerror or error}") from error
                last = str(error) if isinstance(error, PassingError) else f"{type(error).__name__}: {error}"
                unreached += isinstance(error, UnreachableError)
                if unreached == attempt + 1 == self.offline_tries:
                    raise RemoteError(f"{name}: {last}: is this machine offline?") from error
                if attempt + 1 == self.tries:
                    raise RemoteError(f"{name}: given up after {self.tries} tries: {last}") from error
                pause = self.first_pause_seconds * 2**attempt * random.uniform(1 - self.jitter, 1 + self.jitter)
                pause = max(pause, getattr(error, "pause_seconds", 0.0))
                pause = min(pause, self.max_pause_seconds)
                _say_waiting(f"waits {pause:.0f} s for {name}: {last} (try {attempt + 1} of {self.tries})", pause)
                (wait or time.sleep)(pause)
        raise AssertionError("unreachable")


READING = RetryPolicy(tries=8, first_pause_seconds=1.0, max_pause_seconds=60.0, jitter=0.5)
"""The policy of inputs; the tries count anew after each byte that arrives."""
OFFLINE_TRIES = 3
STARTING = replace(READING, offline_tries=OFFLINE_TRIES)
"""The policy of what a job reads before its work begins."""
SHORT_PAUSE_SECONDS = 1.5
QUIET_SECONDS = 10.0
_said_at = -QUIET_SECONDS


def _say_waiting(message: str, pause_seconds: float) -> None:
    """Say why nothing happens, at most every ten seconds: many files of a process may wait for the same server."""
    global _said_at
    if pause_seconds >= SHORT_PAUSE_SECONDS and time.monotonic() - _said_at >= QUIET_SECONDS:
        _said_at = time.monotonic()
        say("remote", message)


ONCE = RetryPolicy(tries=1, first_pause_seconds=0.0, max_pause_seconds=0.0)
"""The policy of a look at an input that the run reads later anyway."""


def open_http(
    url: str,
    start: int = 0,
    end: int | None = None,
    headers: dict[str, str] | None = None,
    missing: Iterable[int] = MISSING_STATUS,
    timeout_seconds: float = TIMEOUT_SECONDS,
    method: str = "GET",
) -> http.client.HTTPResponse:
    """Return the response to a request, for the bytes from `start` to `end` if they are given.

    Raises FileNotFoundError for a status of `missing`, PassingError if a further try may succeed, else RemoteError.
    """
    headers = {"User-Agent": "headtail", "Accept-Encoding": "identity", **(headers or {})}
    if start or end is not None:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    try:
        request = urllib.request.Request(with_ascii_host(url), headers=headers, method=method)
        return _opener().open(request, timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"{error.code} {error.reason}"
        if error.code in missing:
            raise FileNotFoundError(f"{url}: {answer}") from None
        if error.code in PASSING_STATUS:
            raise PassingError(answer, _retry_after_seconds(error.headers.get("Retry-After", ""))) from None
        raise RemoteError(f"{url}: {answer}", error.code) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, PrivateRedirectError):
            raise RemoteError(f"{url}: {reason}") from error
        if isinstance(reason, socket.gaierror):
            raise UnreachableError(_unresolved(urlsplit(url).hostname, reason)) from error
        kind = UnreachableError if getattr(reason, "errno", None) in NO_NETWORK else PassingError
        raise kind(str(reason)) from error


def look_up_host(url: str) -> None:
    """Raise UnreachableError if the host of a URL has a name that does not resolve; never where a proxy is asked."""
    parts = urlsplit(url)
    host = ascii_host(host_of_parts(parts))
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(_unresolved(host, error)) from error


def _unresolved(host: str | None, error: Exception) -> str:
    return f"the name {host} does not resolve ({getattr(error, 'strerror', None) or error})"


def body_end(response: http.client.HTTPResponse, start: int) -> int | None:
    """Return the byte of the file at which the body of a response ends, None if the server sends no length."""
    length = response.headers.get("Content-Length", "")
    return int(length) + (start if response.status == 206 else 0) if length.isdigit() else None


@cache
def _opener() -> urllib.request.OpenerDirector:
    """Return the standard library's client without ftp and file, so that servers cannot redirect to them.

    Nor can a public server redirect into a private network.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, HttpHandler, HttpsHandler,
        urllib.request.HTTPDefaultErrorHandler, PublicRedirects, urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _retry_after_seconds(value: str) -> float:
    """Return the seconds of a Retry-After header, which holds seconds or a date; 0 if it holds neither."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def open_patiently(path: str, policy: RetryPolicy | None = None) -> BinaryIO:
    """Open an input for reading bytes, seekable; reads of a remote input are retried by `policy`, or READING.

    Raises FileNotFoundError for a missing input, RemoteError with the path and the last error for an unreadable one.
    """
    if is_local(path):
        return open_input(path)
    file = io.BufferedReader(_PatientFile(path, policy=policy), BUFFER_BYTES)
    file.peek(1)
    return file


def read_range(path: str, start: int, size: int) -> bytes:
    """Return `size` bytes of a file from `start` on, fewer where the file ends; retries as `open_patiently` does."""
    if is_local(path):
        with open_input(path) as file:
            file.seek(start)
            return file.read(size)
    if is_http(path):
        with io.BufferedReader(_PatientFile(path, start, start + size)) as file:
            return file.read(size)
    fs, inner = filesystem(path)
    action: Callable[[], bytes] = lambda: fs.cat_file(inner, start=start, end=start + size)  # noqa: E731
    return READING.run(f"{path}: byte {start}", action, (Exception,))


def is_http(path: str) -> bool:
    """Return whether a path is a URL of the web."""
    return path.startswith(("http://", "https://"))


class _PatientFile(io.RawIOBase):
    """A remote file from byte `at` to `end`; its stream is opened again at the next byte when it breaks."""

    def __init__(self, path: str, at: int = 0, end: int | None = None, policy: RetryPolicy | None = None) -> None:
        self._path, self._at, self._end, self._policy = path, at, end, policy or READING
        # Clients of object stores raise errors of many kinds.
        self._passing = HTTP_FAULTS if is_http(path) else (Exception,)
        self._stream: Any = None
        self._size: int | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self._size is None:
            raise io.UnsupportedOperation(f"the size of {self._path} is unknown")
        target = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size or 0}[whence]
        if target != self._at:
            self._close_stream()
            self._at = target
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._policy.run(f"{self._path}: byte {self._at}", lambda: self._read(len(buffer)), self._passing)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        if self._size is not None and self._at >= self._size:
            return b""
        try:
            if self._stream is None:
                self._stream, self._size = self._open()
            data = self._stream.read(size)
            if not data and self._size is not None and self._at < self._size:
                raise PassingError(f"the connection ended at byte {self._at} of {self._size}")
        except Exception:
            self._close_stream()
            raise
        return data

    def _open(self) -> tuple[Any, int | None]:
        """Return a stream from the present byte on, and the size of the file."""
        if not is_http(self._path):
            fs, inner = filesystem(self._path)
            stream = fs.open(inner, "rb")
            stream.seek(self._at)
            return stream, getattr(stream, "size", None)
        try:
            response = open_http(self._path, self._at, self._end)
        except RemoteError as error:
            if error.status == 416 and self._at:  # the file ends here
                return io.BytesIO(), self._at
            raise
        left = self._at if response.status != 206 else 0  # the server does not know ranges
        while left and (skipped := len(response.read(min(left, BUFFER_BYTES)))):
            left -= skipped
        return response, body_end(response, self._at)

    def _close_stream(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()
        self._stream = None

    def close(self) -> None:
        self._close_stream()
        super().close()
