"""Fetching files politely: one connection, pauses, resumed where it broke off, verified where sums are published."""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from curation.core.errors import HeadtailError

_CHUNK = 1 << 20
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
Result = TypeVar("Result")


@dataclass(frozen=True)
class FetchSettings:
    """How servers are treated: `pause_seconds` between requests, waits that double with each retry of one file."""

    user_agent: str
    pause_seconds: float = 1.0
    retries: int = 5
    retry_seconds: float = 2.0
    max_wait_seconds: float = 600.0
    timeout_seconds: float = 60.0
    max_bytes: int = 200 << 30


class NotThereError(HeadtailError):
    """The server does not have the file, or does not give it: 401, 403, 404, 410."""


class _RetryError(Exception):
    """Worth another try, after so many seconds if the server said so."""

    def __init__(self, told: str, seconds: float | None = None) -> None:
        super().__init__(told)
        self.seconds = seconds


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # noqa: ANN001, ANN202
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.HTTPError(newurl, 403, "redirect to another scheme", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Fetcher:
    """Fetches files from servers that are slow, busy, break off or send the wrong bytes."""

    def __init__(self, settings: FetchSettings, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings, self._wait = settings, wait
        self._opener = urllib.request.build_opener(_SameSchemes)
        self._asked = False

    def read(self, url: str, max_bytes: int = 64 << 20) -> bytes:
        """Return a small file; raises NotThereError, or HeadtailError when the retries are used up."""

        def once() -> bytes:
            with self._open(url, {}) as answer:
                data = answer.read(max_bytes + 1)
                expected = answer.headers.get("Content-Length")
            if len(data) > max_bytes:
                raise HeadtailError(f"{url} is larger than {max_bytes:,} bytes")
            if expected and int(expected) != len(data):
                raise _RetryError(f"broke off after {len(data):,} bytes")
            return data

        return self._retried(url, once)

    def fetch(self, url: str, path: Path, checksum: tuple[str, str] | None = None) -> str:
        """Fetch a file unless it is there, and return its SHA-256 in hex.

        What a broken connection left (`<name>.part`) is gone on with where the server can do that and the file is
        the same still. `checksum` is an algorithm's name and a digest in hex; a file with another one is fetched anew
        once, then refused. Raises NotThereError, or HeadtailError when the retries are used up.
        """
        if path.exists() and (checksum is None or _digest(path, checksum[0]) == checksum[1].lower()):
            return _digest(path, "sha256")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        found = ""
        for _ in range(2):
            self._retried(url, lambda: self._fetch_once(url, part))
            _note_path(part).unlink(missing_ok=True)
            if checksum is None or (found := _digest(part, checksum[0])) == checksum[1].lower():
                os.replace(part, path)
                return _digest(path, "sha256")
            part.unlink()
        raise HeadtailError(f"{url}: {checksum[0]} is {found}, published is {checksum[1]}: try another mirror")

    def _retried(self, url: str, once: Callable[[], Result]) -> Result:
        for attempt in range(self.settings.retries + 1):
            try:
                return once()
            except (_RetryError, OSError, HTTPException) as error:
                if attempt == self.settings.retries:
                    raise HeadtailError(f"{url}: {error} ({attempt + 1} tries): try again later") from error
                seconds = getattr(error, "seconds", None)
                if seconds is None:
                    seconds = self.settings.retry_seconds * 2**attempt
                self._wait(min(seconds, self.settings.max_wait_seconds))
        raise AssertionError("unreachable")

    def _open(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        if urlsplit(url).scheme not in ("http", "https"):
            raise HeadtailError(f"{url}: only http and https are fetched")
        if self._asked:
            self._wait(self.settings.pause_seconds)
        self._asked = True
        headers = {"User-Agent": self.settings.user_agent, "Accept-Encoding": "identity", **headers}
        try:
            return self._opener.open(
                urllib.request.Request(url, headers=headers), timeout=self.settings.timeout_seconds
            )
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (401, 403, 404, 410):
                raise NotThereError(f"{url}: {error.code} {error.reason}") from error
            if error.code in _RETRIED:
                raise _RetryError(
                    f"{error.code} {error.reason}", _retry_after(error.headers.get("Retry-After"))
                ) from error
            if error.code == 416:
                raise _RetryError("nothing left to send", 0.0) from error
            raise HeadtailError(f"{url}: {error.code} {error.reason}") from error

    def _fetch_once(self, url: str, part: Path) -> None:
        start = part.stat().st_size if part.exists() else 0
        known = _read_note(part)
        headers = {"Range": f"bytes={start}-", "If-Range": known} if start and known else {}
        try:
            answer = self._open(url, headers)
        except _RetryError as error:
            if str(error) == "nothing left to send":
                part.unlink(missing_ok=True)
            raise
        with answer:
            resumed = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-")
            if answer.status == 206 and not resumed:
                part.unlink(missing_ok=True)
                raise _RetryError("sent another range than it was asked for", 0.0)
            length = answer.headers.get("Content-Length")
            expected = int(length) + (start if resumed else 0) if length and length.isdigit() else None
            if (expected or 0) > self.settings.max_bytes:
                raise HeadtailError(f"{url} has {expected:,} bytes, more than {self.settings.max_bytes:,}")
            # A weak tag does not promise the same bytes.
            tag = answer.headers.get("ETag") or ""
            tag = answer.headers.get("Last-Modified") or "" if tag.startswith("W/") or not tag else tag
            _note_path(part).write_text(json.dumps({"version": tag}))
            written = start if resumed else 0
            with open(part, "ab" if resumed else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    written += len(chunk)
                    if written > self.settings.max_bytes:
                        raise HeadtailError(f"{url} has more than {self.settings.max_bytes:,} bytes")
                    file.write(chunk)
        if expected is not None and written != expected:
            raise _RetryError(f"broke off after {written:,} of {expected:,} bytes")


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path) -> str:
    """The version that a partial file is of, empty where it is not known: then it is not gone on with."""
    try:
        return str(json.loads(_note_path(part).read_text())["version"])
    except (OSError, ValueError, KeyError):
        return ""


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
