"""Answers of image hosts with codings and with blanks around header values: the bytes of the image, or the reason."""

from collections.abc import Iterator

import pytest

from curation.images.fetch import Fetcher
from tests.http_server import ImageServer, draw
from tests.packing import PACK, packed
from tests.unit.images.settings import fetch_settings

IMAGE = draw(9)
MAX_BYTES = 1 << 20


def ok(body: bytes, *headers: str) -> bytes:
    lines = ("HTTP/1.1 200 OK", "Content-Type: image/jpeg", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: str) -> bytes:
    lines = ("HTTP/1.1 200 OK", "Content-Type: image/jpeg", *headers)
    half = len(body) // 2
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + chunks + b"0\r\nX-Sum: 1\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        yield server


@pytest.fixture(scope="module")
def fetcher() -> Fetcher:
    return Fetcher(
        fetch_settings(timeout_seconds=5, retries=0, max_bytes=MAX_BYTES, allow_private_hosts=("127.0.0.1/32",)), 2
    )


FIVE = packed(IMAGE, "gzip", "br", "raw", "zstd", "deflate")
GOOD = {
    "gzip": ok(packed(IMAGE, "gzip"), "Content-Encoding: gzip"),
    "X-GZip with blanks": ok(packed(IMAGE, "gzip"), "Content-Encoding:  \tX-GZip \t"),
    "deflate": ok(packed(IMAGE, "deflate"), "Content-Encoding: deflate"),
    "x-deflate without wrapper": ok(packed(IMAGE, "raw"), 'Content-Encoding: "x-deflate"'),
    "brotli": ok(packed(IMAGE, "br"), "Content-Encoding: br"),
    "zstd": ok(packed(IMAGE, "zstd"), "Content-Encoding: zstd"),
    **{
        f"all members of {name}": ok(
            packed(IMAGE[:99], name) + packed(IMAGE[99:], name), f"Content-Encoding: {name}"
        )
        for name in ("gzip", "zstd")
    },
    "bytes behind gzip": ok(packed(IMAGE, "gzip") + b"\0\0\r\n", "Content-Encoding: gzip"),
    "a list": ok(packed(IMAGE, "gzip", "br"), "Content-Encoding: gzip, br"),
    "a list with empty places": ok(packed(IMAGE, "gzip", "br"), "Content-Encoding: , gzip ,, br,"),
    "several fields": ok(packed(IMAGE, "gzip", "br", "zstd"), "Content-Encoding: gzip", "content-encoding: br, zstd"),
    "twice the same": ok(packed(IMAGE, "gzip", "gzip"), "Content-Encoding: gzip, gzip"),
    "five": ok(FIVE, "Content-Encoding: gzip, br, deflate", "Content-Encoding: zstd, deflate"),
    "identity and transfers": ok(packed(IMAGE, "gzip"), "Content-Encoding: aws-chunked, identity, gzip, chunked, none"),
    "named twice, done once": ok(packed(IMAGE, "gzip"), "Content-Encoding: gzip", "Content-Encoding: gzip"),
    "unknown names around": ok(packed(IMAGE, "gzip"), "Content-Encoding: utf-8, gzip, binary"),
    "the name of another": ok(packed(IMAGE, "gzip"), "Content-Encoding: deflate"),
    "gzip, called brotli": ok(packed(IMAGE, "gzip"), "Content-Encoding: br"),
    **{
        f"untrue {name}": ok(IMAGE, f"Content-Encoding: {name}")
        for name in ("gzip", "deflate", "br", "zstd", "compress", "utf-8", "", "gzip,br,zstd,gzip,br,zstd,gzip")
    },
    "chunked": chunked(IMAGE, "Transfer-Encoding: chunked"),
    "chunked with blanks": chunked(IMAGE, "Transfer-Encoding: Chunked \t"),
    "gzip as a transfer": chunked(packed(IMAGE, "gzip"), "Transfer-Encoding: gzip, chunked"),
    "transfers in two fields": chunked(packed(IMAGE, "gzip"), "Transfer-Encoding: gzip", "Transfer-Encoding: chunked "),
    "chunked and gzip": chunked(packed(IMAGE, "gzip"), "Transfer-Encoding: chunked", "Content-Encoding: gzip "),
    "a folded header": ok(packed(IMAGE, "gzip", "br"), "Content-Encoding: gzip,\r\n\t br"),
    "a length with blanks": ok(IMAGE).replace(b"\r\n\r\n", b"  \r\n\r\n", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_the_image_of_an_answer(server: ImageServer, fetcher: Fetcher, name: str) -> None:
    server.answers["x"] = GOOD[name]
    found = fetcher.fetch(server.url("answer/x"))
    assert (found.status, found.body and found.body.read()) == ("success", IMAGE), found.error
    assert found.content_type == "image/jpeg"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_an_untrue_coding_of_every_kind_of_image(server: ImageServer, fetcher: Fetcher, kind: str) -> None:
    image = draw(3, kind)
    for name in ("gzip", "br", "sdch"):
        server.answers["x"] = ok(image, f"Content-Encoding: {name}")
        found = fetcher.fetch(server.url("answer/x"))
        assert (found.status, found.body and found.body.read()) == ("success", image), found.error


@pytest.mark.parametrize(
    ("body", "coding", "status", "error"),
    [
        pytest.param(packed(IMAGE, "gzip")[:-20], "gzip", "truncated", "'gzip': the body ends", id="gzip cut off"),
        pytest.param(packed(IMAGE, "br")[:-20], "br", "truncated", "'br': ", id="brotli cut off"),
        pytest.param(packed(bytes(300_000), "zstd")[:-5], "zstd", "truncated", "'zstd': ", id="zstd cut off"),
        pytest.param(packed(IMAGE, "gzip", "br")[:-20], "gzip, br", "truncated", "'br': ", id="a list cut off"),
        pytest.param(b"\x1f\x9d\x90" + bytes(99), "compress", "coding", "'compress': its name is not", id="unknown"),
        pytest.param(packed(IMAGE, "br"), "zstd", "coding", "'zstd': the body does not begin like that", id="another"),
        pytest.param(packed(FIVE, "gzip"), "gzip, br, deflate, zstd, deflate, gzip", "coding", "6 codings", id="six"),
        *(
            pytest.param(PACK[name](bytes(MAX_BYTES + 1)), name, "too_large", f"'{name}': more than", id=f"{name} bomb")
            for name in ("gzip", "deflate", "br", "zstd")
        ),
        pytest.param(
            packed(bytes(4 << 20), "gzip", "gzip"), "gzip, gzip", "too_large", "'gzip': more", id="a bomb in gzip"
        ),
        pytest.param(packed(b"", "gzip"), "gzip", "empty", "no bytes", id="nothing packed"),
        pytest.param(packed(b"<!doctype html>", "gzip"), "gzip", "success", None, id="a page"),
    ],
)  # fmt: skip
def test_a_coding_that_cannot_be_undone(
    server: ImageServer, fetcher: Fetcher, body: bytes, coding: str, status: str, error: str | None
) -> None:
    server.answers["x"] = ok(body, f"Content-Encoding: {coding}")
    found = fetcher.fetch(server.url("answer/x"))
    assert found.status == status, found.error
    assert (error or "") in (found.error or "")


@pytest.mark.parametrize(
    "place",
    ["/image/9.jpg \t", "\t /image/9.jpg", "/image/9.jpg\r\n "],
    ids=["behind", "before", "in a line of their own"],
)
def test_blanks_around_a_location(server: ImageServer, fetcher: Fetcher, place: str) -> None:
    server.answers["x"] = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    found = fetcher.fetch(server.url("answer/x"))
    assert (found.status, found.body and found.body.read()) == ("success", IMAGE), found.error


def test_blanks_around_other_values(server: ImageServer, fetcher: Fetcher) -> None:
    server.answers["x"] = ok(IMAGE, "X-Robots-Tag: noai \t")
    assert fetcher.fetch(server.url("answer/x")).status == "opted_out"
    server.answers["x"] = ok(IMAGE).replace(b"jpeg", b"jpeg \t")
    assert fetcher.fetch(server.url("answer/x")).content_type == "image/jpeg"
