"""A local S3: moto's server, found through the usual environment variables."""

import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from curation.core import storage


def empty(fs: Any, bucket: str) -> None:
    """Delete all that the server of a file system holds, and make an empty bucket."""
    address = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset"
    urllib.request.urlopen(urllib.request.Request(address, method="POST")).close()
    fs.invalidate_cache()
    fs.mkdir(bucket)


@contextmanager
def s3_server(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a server with an empty bucket and set the environment to it; yields a file system on it."""
    pytest.importorskip("s3fs")
    from curation.core.s3_store import S3Store

    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        for name, value in (("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
            monkeypatch.setenv(name, value)
        S3Store.clear_instance_cache()
        fs, _ = storage.filesystem(f"s3://{bucket}")
        empty(fs, bucket)
        yield fs
    finally:
        server.stop()
        S3Store.clear_instance_cache()
