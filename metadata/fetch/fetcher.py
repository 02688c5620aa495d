"""Downloads files politely: one at a time, with pauses, resumed after failures, checked against published checksums."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from curation.core.errors import HeadtailError
from curation.core.remote import (
    HTTP_FAULTS,
    PassingError,
    RemoteError,
    Result,
    RetryPolicy,
    body_end,
    open_http,
)

MAX_WAIT_SECONDS = 600.0
OFFLINE_TRIES = 2
MISSING_STATUS = frozenset((401, 403, 404, 410))
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FetchSettings:
    """How requests are sent: `pause_seconds` between them, waits that double from `retry_seconds` with each retry."""

    user_agent: str
    pause_seconds: float
    retries: int
    retry_seconds: float
    timeout_seconds: float
    max_bytes: int = 200 << 30


class MissingError(HeadtailError):
    """The server does not have the file, or refuses it: status 401, 403, 404 or 410."""


class Fetcher:
    """Downloads files from servers that are slow or busy, close connections early or send wrong bytes.

    `written_bytes` are those of the present file that have arrived, `file_bytes` is its size, None if it is unknown.
    """

    written_bytes: int
    file_bytes: int | None

    def __init__(self, settings: FetchSettings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings, self._wait = settings, wait
        self._policy = RetryPolicy(settings.retries + 1, settings.retry_seconds, MAX_WAIT_SECONDS)
        self._first_policy = replace(self._policy, offline_tries=OFFLINE_TRIES)
        self._has_asked = self._has_reached = False
        self.written_bytes, self.file_bytes = 0, None

    def read(self, url: str, max_bytes: int = 64 << 20) -> bytes:
        """Return a small file; raises MissingError, or HeadtailError when the retries are used up."""

        def read_once() -> bytes:
            with self._open(url) as response:
                data = response.read(max_bytes + 1)
                end = body_end(response, 0)
            if len(data) > max_bytes:
                raise HeadtailError(f"{url} is larger than {max_bytes:,} bytes")
            if end not in (None, len(data)):
                raise PassingError(f"broke off after {len(data):,} bytes")
            return data

        return self._retried(url, read_once)

    def size(self, url: str) -> int | None:
        """Return the bytes of a file by its head, None if the server does not tell. It is asked once."""
        try:
            with self._open(url, method="HEAD") as response:
                return body_end(response, 0)
        except (FileNotFoundError, RemoteError, *HTTP_FAULTS):
            return None

    def fetch(self, url: str, path: Path, checksum: tuple[str, str] | None = None) -> str:
        """Download a file unless it exists, and return its SHA-256 in hex.

        A partial file (`<name>.part`) of an earlier run is resumed if the server supports it and its file is unchanged.
        `checksum` is the name of an algorithm and a digest in hex. A file with another digest is downloaded once more,
        then refused. Raises MissingError, or HeadtailError when the retries are used up.
        """
        self.written_bytes, self.file_bytes = 0, None
        algorithm, published = checksum or ("sha256", "")
        if path.exists() and (not published or _digest(path, algorithm) == published.lower()):
            return _digest(path, "sha256")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        found = ""
        for _ in range(2):
            self._retried(url, lambda: self._fetch_once(url, part))
            _version_path(part).unlink(missing_ok=True)
            if not published or (found := _digest(part, algorithm)) == published.lower():
                os.replace(part, path)
                return _digest(path, "sha256")
            part.unlink()
        raise HeadtailError(f"{url}: {algorithm} is {found}, published is {published}: try another mirror")

    def _retried(self, url: str, action: Callable[[], Result]) -> Result:
        """Run an action by the policy; a machine without network is known before any server has been reached."""
        policy = self._policy if self._has_reached else self._first_policy
        try:
            result = policy.run(url, action, wait=self._wait)
        except FileNotFoundError as error:
            self._has_reached = True
            raise MissingError(str(error)) from error
        except RemoteError as error:
            raise HeadtailError(str(error)) from error
        self._has_reached = True
        return result

    def _open(
        self, url: str, start: int = 0, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> HTTPResponse:
        if urlsplit(url).scheme not in ("http", "https"):
            raise HeadtailError(f"{url}: only http and https are fetched")
        if self._has_asked:
            self._wait(self.settings.pause_seconds)
        self._has_asked = True
        headers = {"User-Agent": self.settings.user_agent, **(headers or {})}
        timeout = self.settings.timeout_seconds
        return open_http(url, start, headers=headers, missing=MISSING_STATUS, timeout_seconds=timeout, method=method)

    def _fetch_once(self, url: str, part: Path) -> None:
        """Download to a partial file, from its end on if the server still has the version that it is of."""
        version = _version_path(part).read_text() if part.exists() and _version_path(part).exists() else ""
        start = part.stat().st_size if version else 0
        try:
            response = self._open(url, start, {"If-Range": version} if start else {})
        except RemoteError as error:
            if error.status == 416:  # the partial file is as long as the server's file, or longer
                part.unlink(missing_ok=True)
                raise PassingError(str(error)) from error
            raise
        with response:
            if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                part.unlink(missing_ok=True)
                raise PassingError("the server sent another range than the requested one")
            end = body_end(response, start)
            if (end or 0) > self.settings.max_bytes:
                raise HeadtailError(f"{url} has {end:,} bytes, more than {self.settings.max_bytes:,}")
            _version_path(part).write_text(_version(response))
            written = start if response.status == 206 else 0
            self.written_bytes, self.file_bytes = written, end
            with open(part, "ab" if written else "wb") as file:
                while chunk := response.read(_CHUNK_BYTES):
                    self.written_bytes = written = written + len(chunk)
                    if written > self.settings.max_bytes:
                        raise HeadtailError(f"{url} has more than {self.settings.max_bytes:,} bytes")
                    file.write(chunk)
        if end not in (None, written):
            raise PassingError(f"broke off after {written:,} of {end:,} bytes")


def _version_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _version(response: HTTPResponse) -> str:
    """Return the tag or date by which If-Range can name the version of a file, empty if there is neither."""
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
