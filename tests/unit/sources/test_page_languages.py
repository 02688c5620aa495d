"""The language that a page declares: in HTML, in HTTP headers, and in the records of a WAT."""

import io
import json
import random

import numpy as np
import pytest

from curation.core.choices import Entities
from curation.sources import wat
from curation.sources.archives import ReadLog
from curation.sources.links import Links
from curation.sources.page_languages import tag_of_html, tag_of_metadata, tags_of_wat
from curation.sources.warc import WarcReader
from curation.sources.wat import WatReader


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        pytest.param('<!doctype html>\n<html lang="de-AT">', b"", "de-AT", id="lang"),
        pytest.param("<HTML class=x\nLANG=fr>", b"", "fr", id="no quotes, capitals"),
        pytest.param("<html xml:lang='sv'>", b"", "sv", id="xml:lang"),
        pytest.param('<html data-lang="no" hreflang="no">', b"", "", id="other attributes"),
        pytest.param('<html><meta content="it" http-equiv="Content-Language">', b"", "it", id="meta"),
        pytest.param('<html lang="da"><meta http-equiv=content-language content=it>', b"", "da", id="lang before meta"),
        pytest.param("<p>", b"HTTP/1.1 200 OK\r\nContent-Language: pt-BR\r\n\r\n<p>", "pt-BR", id="header"),
        pytest.param("<p>", b"HTTP/1.1 200 OK\r\n\r\nContent-Language: pt\r\n", "", id="header in the body"),
        pytest.param('<html lang=""><p>', b"", "", id="empty"),
        pytest.param("<html " * 200_000, b"", "", id="hostile"),
        pytest.param("<html lang=" + "x" * 99, b"", "", id="too long"),
    ],
)
def test_html(text: str, message: bytes, expected: str) -> None:
    assert tag_of_html(text, message) == expected


def random_response(rng: random.Random) -> dict:
    metas = [
        {"name": "viewport", "content": "HTML@/lang"},
        {"name": "HTML@/lang", "content": rng.choice(["de", "fr-CA", ""])},
        {"content": "x}y", "name": "description"},
        {"http-equiv": rng.choice(["Content-Language", "content-language"]), "content": "it"},
        {"content": "es", "http-equiv": "Content-Language"},
    ]
    metas = rng.sample(metas, rng.randrange(len(metas)))
    response = {
        "Headers": {rng.choice(["Content-Language", "content-language", "X-language", "Server"]): "sv"},
        "HTML-Metadata": {"Head": {"Metas": metas}, "Links": [{"path": "A@/href", "url": "/a-language"}] * 3},
    }
    return dict(rng.sample(list(response.items()), 2))


@pytest.mark.parametrize("blank", ["", " "])
def test_the_scan_of_a_wat_equals_decoding(blank: str) -> None:
    rng = random.Random(5)
    for _ in range(50):
        responses = [random_response(rng) for _ in range(rng.randrange(1, 5))]
        bodies, data = [], b"WARC/1.0"
        for response in responses:
            body = json.dumps(response, separators=("," + blank, ":" + blank)).encode()
            bodies.append((len(data), len(data) + len(body)))
            data += body
        found = tags_of_wat(np.frombuffer(data, np.uint8), np.array(bodies))
        assert found == [tag_of_metadata(response) for response in responses]


def wat_page(uri: str, tag: str, links: list[dict]) -> bytes:
    html = {"Head": {"Metas": [{"name": "HTML@/lang", "content": tag}]}, "Links": links}
    page = {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": html}}}}
    body = json.dumps(page).encode()
    head = f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: {uri}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n\r\n"


def pages_of(batches: list[Links]) -> dict[str, set[tuple[int, int, str | None]]]:
    """Batch, document and tag of the links of each page."""
    found: dict[str, set[tuple[int, int, str | None]]] = {}
    for number, links in enumerate(batches):
        assert links.documents is not None
        assert links.languages is not None
        uris = links.page_urls.take(links.page).to_pylist()
        for row in zip(uris, links.documents.tolist(), links.languages.to_pylist(), strict=True):
            found.setdefault(row[0], set()).add((number, *row[1:]))
    return found


def test_pages_of_a_wat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wat, "WINDOW_BYTES", 1 << 12)
    image = {"path": "IMG@/src", "url": "a.jpg", "alt": "kite"}
    odd = {"path": "IMG@/src", "url": ["a.jpg"], "alt": "kite"}  # a link that has to be decoded
    data = b"".join(
        wat_page(f"http://h.org/{number}", "de" if number % 2 else "fr", [image] * 9 + [odd] * (number % 3 == 0))
        for number in range(40)
    )
    found = pages_of(list(WatReader(io.BytesIO(data), ReadLog(), Entities.auto, languages=True)))
    assert {uri: len(places) for uri, places in found.items()} == {f"http://h.org/{number}": 1 for number in range(40)}
    assert len({place[:2] for places in found.values() for place in places}) == 40
    for uri, places in found.items():
        assert {tag for *_, tag in places} == {"de" if int(uri.rpartition("/")[2]) % 2 else "fr"}


def test_a_page_of_a_warc_is_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.sources.warc.BATCH_LINKS", 10)
    monkeypatch.setattr("curation.sources.html_images.PIECE_CHARS", 300)
    records = []
    for number in range(3):
        body = f"<html lang=d{'eak'[number]}>" + "".join(f"<img src={i}.jpg alt=kite>" for i in range(40))
        message = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}".encode()
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://h.org/{number}\r\n"
        records.append(f"{head}Content-Length: {len(message)}\r\n\r\n".encode() + message + b"\r\n\r\n")
    data = b"".join(records)
    found = pages_of(list(WarcReader(io.BytesIO(data), ReadLog(), languages=True)))
    assert {uri: len(places) for uri, places in found.items()} == {f"http://h.org/{number}": 1 for number in range(3)}
    assert [tag for places in found.values() for *_, tag in places] == ["de", "da", "dk"]
    plain = list(WarcReader(io.BytesIO(data), ReadLog()))
    assert all(links.languages is None and links.documents is None for links in plain)
    assert len(plain) > 3
