"""A local S3 with faults: moto's server behind a layer that counts requests and lets a share of them fail.

The shares are drawn with a seed. A bucket `many` holds any number of objects that can only be listed.
"""

import io
import logging
import os
import random
import socket
import struct
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from curation.core import storage
from tests.certificate import write_certificate
from tests.store_answers import MANY, STATUS, Answer, Environ, kind_of, listing, refusal, undeleted


@dataclass(frozen=True)
class Faults:
    """Which requests fail: shares in [0, 1] of all of them, of uploads, or of downloads, drawn with `seed`."""

    seed: int = 0
    slow_down: float = 0.0
    """Answered with 503 SlowDown; nothing is done."""
    internal_error: float = 0.0
    """The same with 500 InternalError."""
    broken_upload: float = 0.0
    """The connection is reset when half of the bytes have arrived; nothing is done."""
    lost_answer: float = 0.0
    """Of requests that change something: it is done, and the connection is reset."""
    denied: float = 0.0
    """Answered with 403 AccessDenied, as a bucket of others."""
    refused_delete: float = 0.0
    """Of requests that delete many objects: none is deleted, and the answer, 200, says so."""
    broken_download: float = 0.0
    """The connection ends after half of an object's bytes."""
    upload_seconds: float = 0.0
    """Each upload takes so long."""
    expire_after: int = 0
    """Requests after which credentials expire, 0: never."""
    renewed_after: int = 0
    """Refusals after which the file of credentials has new ones."""
    expired_status: int = 400
    down_after: int = 0
    """Requests after which all are answered with 503 SlowDown, 0: never."""


class FaultyStore:
    """The server; `requests` counts requests by kind, `sent` and `received` bytes, `failed` faults by name.

    `credentials` is a file of AWS with the credentials that are valid now.
    """

    def __init__(self, folder: Path) -> None:
        from moto.moto_server import werkzeug_app  # half a second, which other tests of a process need not wait for
        from werkzeug.serving import make_server

        self.credentials = folder / "credentials"
        self._certificate = write_certificate(folder / "certificate.pem")
        self.faults = Faults()
        self.keys: list[str] = []
        self._app = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
        self._lock = threading.Lock()
        handler = werkzeug_app.MotoRequestHandler
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.begin(Faults())

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds the server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": str(self._certificate),  # each client would read those of all authorities for 30 ms
        }

    def begin(self, faults: Faults) -> None:
        """Count anew, and fail as `faults` say from now on."""
        with self._lock:
            self.faults, self._random = faults, random.Random(faults.seed)
            self.requests: Counter[str] = Counter()
            self.failed: Counter[str] = Counter()
            self.sent = self.received = self._refused = self._with_key = 0
            self._key = getattr(self, "_key", -1)
            self._renew()

    def _renew(self) -> None:
        self._key += 1
        self._with_key = self._refused = 0
        text = f"[default]\naws_access_key_id = KEY{self._key}\naws_secret_access_key = x\naws_session_token = x\n"
        temporary = self.credentials.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self.credentials)

    def _answer(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        kind = kind_of(environ)
        fault = self._fault_of(environ, kind)
        if fault == "broken_upload":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 1000) // 2)
            return self._reset(environ)
        body = self._body(environ)
        if fault == "refused_delete":
            status, headers, content = undeleted(body)
        elif fault in STATUS:
            status, headers, content = refusal(fault, self.faults.expired_status, environ["REQUEST_METHOD"])
        elif environ["PATH_INFO"].startswith(f"/{MANY}") and kind in ("LIST", "HEAD"):
            status, headers, content = listing(self.keys, environ)
        else:
            status, headers, content = self._pass_on(environ, body)
        if fault == "lost_answer":
            return self._reset(environ)
        with self._lock:
            self.sent += len(content)
        start(status, headers)
        if fault == "broken_download" and len(content) > 1:
            return self._half(environ, content)
        return [content]

    def _fault_of(self, environ: Environ, kind: str) -> str | None:
        """Count a request, and return the name of its fault."""
        with self._lock:
            self.requests[kind] += 1
            fault = self._draw(environ, kind)
            if fault:
                self.failed[fault] += 1
            return fault

    def _draw(self, environ: Environ, kind: str) -> str | None:
        faults = self.faults
        if faults.down_after and self.requests.total() > faults.down_after:
            return "SlowDown"
        if faults.expire_after and self._is_expired(environ):
            return "ExpiredToken"
        has_body = "wsgi.input_terminated" in environ or int(environ.get("CONTENT_LENGTH") or 0) > 1
        for name, share, may in (
            ("SlowDown", faults.slow_down, True),
            ("InternalError", faults.internal_error, True),
            ("AccessDenied", faults.denied, True),
            ("refused_delete", faults.refused_delete, "delete" in environ["QUERY_STRING"]),
            ("broken_upload", faults.broken_upload, kind == "PUT" and has_body),
            ("lost_answer", faults.lost_answer, kind in ("PUT", "DELETE")),
            ("broken_download", faults.broken_download, kind == "GET"),
        ):
            if may and self._random.random() < share:
                return name
        return None

    def _is_expired(self, environ: Environ) -> bool:
        if f"Credential=KEY{self._key}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            return True
        self._with_key += 1
        if self._with_key <= self.faults.expire_after:
            return False
        self._refused += 1
        if self._refused > self.faults.renewed_after:
            self._renew()
        return True

    def _body(self, environ: Environ) -> bytes:
        size = -1 if "wsgi.input_terminated" in environ else int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] == "PUT" and self.faults.upload_seconds:
            time.sleep(self.faults.upload_seconds)
        body = environ["wsgi.input"].read(size)
        with self._lock:
            self.received += len(body)
        return body

    def _pass_on(self, environ: Environ, body: bytes) -> Answer:
        found: list[Any] = []
        environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        content = b"".join(self._app(environ, lambda status, headers, *_: found.extend((status, headers))))
        return found[0], found[1], content

    def _half(self, environ: Environ, content: bytes) -> Iterator[bytes]:
        yield content[: len(content) // 2]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)

    def _reset(self, environ: Environ) -> Iterable[bytes]:
        connection = environ["werkzeug.socket"]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError

    def __enter__(self) -> "FaultyStore":
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._thread.start()
        endpoint = self.environment["AWS_ENDPOINT_URL"]
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
        self.begin(Faults())
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@cache
def _shared_loader(path: str | None) -> Any:
    """What loads the descriptions of services, which each client and each renewal of credentials would read anew."""
    from botocore.loaders import create_loader

    return create_loader(path)


@contextmanager
def store_found_in(store: FaultyStore) -> Iterator[Any]:
    """Set the environment of this process to a server; yields a file system on it."""
    from curation.core.s3_store import S3Store  # s3fs may be missing

    others = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    before = dict(os.environ)
    S3Store.clear_instance_cache()
    try:
        for name in others:
            os.environ.pop(name, None)
        os.environ.update(store.environment)
        with mock.patch("botocore.session.create_loader", _shared_loader):
            yield storage.filesystem("s3://bucket")[0]
    finally:
        os.environ.clear()
        os.environ.update(before)
        S3Store.clear_instance_cache()
