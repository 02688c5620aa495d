"""Inputs that lie elsewhere: read in a stream, taken up again where a connection broke, with growing pauses."""

import contextlib
import http.client
import io
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO

from curation.core.storage import filesystem, is_local, open_input

TRIES = 8
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
TIMEOUT_SECONDS = 60.0
BUFFER_BYTES = 1 << 20
PASSING_STATUS = frozenset((403, 408, 425, 429, 500, 502, 503, 504, 520, 522, 524))
"""Answers that mean: later. CommonCrawl says 403 to those who ask too often."""


class PassingError(OSError):
    """A failure after which the same request may succeed; `pause` is what the server asked for, in seconds."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


def open_patiently(path: str) -> BinaryIO:
    """Open an input for reading bytes, seekable; what is remote is tried TRIES times at every place.

    Raises FileNotFoundError where there is none, OSError with the path and the last answer where it cannot be had.
    """
    if is_local(path):
        return open_input(path)
    opener = _open_http if path.startswith(("http://", "https://")) else _open_elsewhere
    file = io.BufferedReader(_PatientFile(path, opener), BUFFER_BYTES)
    file.peek(1)
    return file


def read_range(path: str, start: int, size: int) -> bytes:
    """Return so many bytes of a file from `start` on, fewer where it ends; what is remote is tried TRIES times.

    Raises OSError with the path and the last answer where they cannot be had.
    """
    if is_local(path):
        with open_input(path) as file:
            file.seek(start)
            return file.read(size)
    if path.startswith(("http://", "https://")):
        return _patiently(path, start, lambda: _read_http(path, start, size))
    fs, inner = filesystem(path)
    return _patiently(path, start, lambda: _passing(lambda: fs.cat_file(inner, start=start, end=start + size)))


def _read_http(url: str, start: int, size: int) -> bytes:
    stream, end = _open_http(url, start, start + size)
    with contextlib.closing(stream):
        data = stream.read(size)
    if end is not None and len(data) < min(size, end - start):
        raise PassingError(f"the connection ended at byte {start + len(data)} of {end}")
    return data


def _passing(action: Callable[[], Any]) -> Any:
    """What an action of any file system gives; its errors, whatever they are called, are passing ones."""
    try:
        return action()
    except FileNotFoundError:
        raise
    except Exception as error:
        raise PassingError(f"{type(error).__name__}: {error}") from error


def _patiently(path: str, at: int, action: Callable[[], Any], failed: Callable[[], None] = lambda: None) -> Any:
    """What an action gives, tried TRIES times with growing pauses; `failed` is called after each that did not work."""
    tries = 0
    while True:
        try:
            return action()
        except FileNotFoundError:
            raise
        except (PassingError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            failed()
            tries += 1
            if tries == TRIES:
                raise OSError(f"{path}: given up at byte {at} after {TRIES} tries: {error}") from error
            pause = FIRST_PAUSE_SECONDS * 2 ** (tries - 1) * random.uniform(0.5, 1.5)
            pause = max(pause, getattr(error, "pause", 0.0))
            time.sleep(min(pause, LONGEST_PAUSE_SECONDS))


class _PatientFile(io.RawIOBase):
    def __init__(self, path: str, opener: Callable[[str, int], tuple[Any, int | None]]) -> None:
        self._path, self._opener = path, opener
        self._stream: Any = None
        self._size: int | None = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self._size is None:
            raise io.UnsupportedOperation(f"{self._path}: its size is not known")
        target = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size or 0}[whence]
        if target != self._at:
            self._close_stream()
            self._at = target
        return self._at

    def readinto(self, buffer: Any) -> int:
        return _patiently(self._path, self._at, lambda: self._read_once(buffer), self._close_stream)

    def _read_once(self, buffer: Any) -> int:
        if self._stream is None:
            if self._size is not None and self._at >= self._size:
                return 0
            self._stream, self._size = self._opener(self._path, self._at)
        data = self._stream.read(len(buffer))
        if not data and self._size is not None and self._at < self._size:
            raise PassingError(f"the connection ended at byte {self._at} of {self._size}")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _close_stream(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
        self._stream = None

    def close(self) -> None:
        self._close_stream()
        super().close()


def _open_http(url: str, at: int, end: int | None = None) -> tuple[Any, int | None]:
    """Return the response from a byte on, or to `end`, and where it ends if the server tells."""
    request = urllib.request.Request(url, headers={"User-Agent": "headtail", "Accept-Encoding": "identity"})
    if at or end:
        request.add_header("Range", f"bytes={at}-{end - 1 if end else ''}")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"{error.code} {error.reason}"
        if error.code in (404, 410):
            raise FileNotFoundError(f"{url}: {answer}") from None
        if error.code == 416 and at:
            return io.BytesIO(), at
        if error.code in PASSING_STATUS:
            after = error.headers.get("Retry-After", "")
            raise PassingError(answer, float(after) if after.isdigit() else 0.0) from None
        raise OSError(f"{url}: {answer}") from None
    except (urllib.error.URLError, OSError) as error:
        raise PassingError(str(getattr(error, "reason", error))) from error
    length = response.headers.get("Content-Length", "")
    size = int(length) + (at if response.status == 206 else 0) if length.isdigit() else None
    if at and response.status != 206:  # the server knows no ranges
        left = at
        while left and (skipped := len(response.read(min(left, BUFFER_BYTES)))):
            left -= skipped
    return response, size


def _open_elsewhere(path: str, at: int) -> tuple[Any, int | None]:
    """Return a file of any other file system from a byte on, and its size."""
    fs, inner = filesystem(path)
    stream = _passing(lambda: fs.open(inner, "rb"))
    _passing(lambda: stream.seek(at))
    return _Translated(stream), getattr(stream, "size", None)


class _Translated:
    """A stream whose errors are passing ones."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return _passing(lambda: self._stream.read(size))

    def close(self) -> None:
        self._stream.close()
