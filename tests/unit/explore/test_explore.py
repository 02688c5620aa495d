"""The explorer over a finished run: what it finds, against loops over whole tables, and who may read it."""

import functools
import io
import re
import shutil
import tarfile
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from werkzeug.serving import BaseWSGIServer

from conf.schema.jobs import ExploreConfig
from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.core.errors import HeadtailError
from curation.core.schemas import CURATED, MATCHES
from curation.explore.explored_run import ExploredRun, files_of
from curation.explore.guard import TOKEN, new_token
from curation.explore.language_entries import Band, LanguageEntries
from curation.explore.pages import make_app, web
from curation.explore.scan import Found, Place, Search, equal, find_rows, holding, on_host, within
from curation.matching.entry_store import EntryStore
from curation.shards.indexes import TarIndex
from jobs import explore
from tests.accessible import faults
from tests.golden.finished_run import lay_out

PORT = 8123
HOSTILE = "<script>alert(1)</script>\u202e\x00" + "x" * 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the table of entries, and pictures of its first samples."""
    laid = tmp_path_factory.mktemp("finished")
    lay_out(laid)
    run = laid / "run"
    store = EntryStore.open(str(laid / "crawl/entries"))
    counts = pq.read_table(run / "entry_counts/part-00000/entry_counts.parquet").to_pylist()
    for lang in {row["lang"] for row in counts}:
        of_lang = {row["entry_id"]: row["count"] for row in counts if row["lang"] == lang}
        save_array(f"{laid}/counts/{lang}.npy", np.array([of_lang.get(n, 0) for n in range(max(of_lang) + 1)]))
    write_entries(str(run / "entries"), Words.of_lists(store, []), EntryNumbers(CountFiles(f"{laid}/counts")))
    side_car = pq.read_table(run / "shards/00000.parquet")
    write_tar(run / "shards/00000.tar", side_car.slice(0, 5).to_pylist())
    scores = np.where(np.arange(len(side_car)) == 1, 0.9, 0.1)
    pq.write_table(side_car.append_column("nsfw_score", pa.array(scores)), run / "shards/00000.parquet")
    return run


def write_tar(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a tar with a picture in a colour of its own for each row, and its index for all but the last one."""
    index = TarIndex()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, row in enumerate(rows):
            data = io.BytesIO()
            Image.new("RGB", (40, 30), (number * 40, 0, 0)).save(data, "PNG")
            for name, content in (("txt", b"text"), (row["ext"], data.getvalue())):
                info = tarfile.TarInfo(f"{row['uid']}.{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
                if number < len(rows) - 1:
                    index.add(info.name, info.size)
    index.write(str(path))


@pytest.fixture(scope="module")
def run(folder: Path) -> ExploredRun:
    return ExploredRun(str(folder))


@pytest.fixture(scope="module")
def client(run: ExploredRun) -> FlaskClient:
    """A browser that has opened the address that was printed."""
    token = new_token()
    client = make_app(run, token, PORT, hide_above=0.5).test_client()
    assert get(client, f"/?{TOKEN}={token}").status_code == 302
    return client


def get(client: FlaskClient, path: str, host: str = f"127.0.0.1:{PORT}") -> Any:
    return client.get(path, headers={"Host": host})


@functools.cache
def rows_of(run: ExploredRun, table: str) -> list[dict[str, Any]]:
    files = files_of(run.curated if table == "curated" else run.matches)
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def all_pages(files: list[str], schema: pa.Schema, searches: list[Search], limit: int, seconds: float) -> list[Found]:
    """Search a whole table page by page."""
    pages = [find_rows(files, schema, searches, Place(), limit, seconds=seconds)]
    while pages[-1].after:
        pages.append(find_rows(files, schema, searches, Place.parse(str(pages[-1].after)), limit, seconds=seconds))
    return pages


@pytest.mark.parametrize("seconds", [60.0, 0.0], ids=["without limit", "no time"])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_images_of_an_entry_are_those_of_a_loop(run: ExploredRun, limit: int, seconds: float) -> None:
    rows = rows_of(run, "matches")
    lang, entry_id = max(
        {(text["lang"], entry_id) for row in rows for text in row["texts"] for entry_id in text["entry_ids"]}
    )
    for wanted_lang, wanted_id in ((lang, entry_id), ("en", 0), ("de", 1), ("en", 999_999), ("xx", 0)):
        wanted = [
            row["uid"]
            for row in rows
            if any(text["lang"] == wanted_lang and wanted_id in text["entry_ids"] for text in row["texts"])
        ]
        pages = all_pages(files_of(run.matches), MATCHES, holding(wanted_id, wanted_lang), limit, seconds)
        assert [row["uid"] for page in pages for row in page.rows] == wanted
        assert sum(page.looked for page in pages) == len(rows)
        assert all(len(page.rows) <= limit for page in pages)


def test_filters_are_those_of_a_loop(run: ExploredRun) -> None:
    rows = rows_of(run, "curated")
    host = rows[0]["url"].split("/")[2].split(":")[0]
    searches = [on_host(host), equal("lang", "en"), within("keep_probability", 0.2, 0.9)]
    wanted = [
        row["uid"]
        for row in rows
        if row["url"].split("/")[2].split(":")[0] == host
        and row["lang"] == "en"
        and 0.2 <= row["keep_probability"] <= 0.9
    ]
    (page,) = all_pages(files_of(run.curated), CURATED, searches, 10_000, 60)
    assert wanted
    assert [row["uid"] for row in page.rows] == wanted


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("example.org", [0, 1, 2]), ("a.example.org", [1]), ("EXAMPLE.org", [0, 1, 2]), ("xample.org", []), (".*", []),
        ("\u0939\u093f.org", [4]), ("\U0001f600.org", []),
    ],
    ids=["host", "below", "capitals", "end of a name", "pattern", "vowel sign", "emoji"],
)  # fmt: skip
def test_a_host_has_the_hosts_below_it(host: str, found: list[int]) -> None:
    urls = [
        "http://example.org/a",
        "https://a.example.org:80/b",
        "http://example.org?example.com",
        "http://example.com/",
        "http://\u0939\u093f.org/",
    ]
    search = on_host(host)
    assert np.flatnonzero(search.accepts(pa.table({"url": urls}))).tolist() == found


def test_numbers_of_entries_are_those_of_the_counts(run: ExploredRun, folder: Path) -> None:
    counts = {
        (row["lang"], row["entry_id"]): row["count"]
        for row in pq.read_table(folder / "entry_counts/part-00000/entry_counts.parquet").to_pylist()
    }
    t = run.thresholds["en"]
    found, total = run.entries_of("en").find("", False, Band.all, 0, 10_000)
    assert total == len(found) > 0
    assert [entry.count for entry in found] == sorted((entry.count for entry in found), reverse=True)
    for entry in found:
        assert entry.count == counts.get(("en", entry.entry_id), 0)
        assert entry.probability == (1 if not entry.count else min(1, t / entry.count))
    bands = {band: run.entries_of("en").find("", False, band, 0, 10_000)[1] for band in Band}
    assert bands[Band.head] + bands[Band.tail] + bands[Band.none] == bands[Band.all]
    assert bands[Band.head] == sum(count >= t for (lang, _), count in counts.items() if lang == "en")
    at_t = LanguageEntries("en", run.entries_of("en").rows, float(found[0].count))  # of the head, as in the report
    assert found[0].entry in [entry.entry for entry in at_t.find("", False, Band.head, 0, 100)[0]]
    assert found[0].entry not in [entry.entry for entry in at_t.find("", False, Band.tail, 0, 10_000)[0]]
    word = found[0].entry
    assert word in [entry.entry for entry in run.entries_of("en").find(word[1:].upper(), False, Band.all, 0, 100)[0]]
    begun = run.entries_of("en").find(word[:2], True, Band.all, 0, 100)[0]
    assert begun
    assert all(entry.entry.lower().startswith(word[:2].lower()) for entry in begun)


def test_an_image_is_where_its_tables_have_it(run: ExploredRun, folder: Path) -> None:
    matched = {row["uid"]: row for row in rows_of(run, "matches")}
    curated = {row["uid"]: row for row in rows_of(run, "curated")}
    statuses = {row["uid"]: row for file in run.status_files for row in pq.read_table(file).to_pylist()}
    samples = pq.read_table(folder / "shards/00000.parquet")["uid"].to_pylist()
    for uid in [*list(matched)[::7], *samples[:3], samples[-1], "0" * 24, "f" * 24]:
        state = run.image(uid)
        assert state.matched == matched.get(uid)
        assert state.curated == curated.get(uid)
        assert state.download == statuses.get(uid)
        assert (samples.index(uid) if uid in samples else None) == (state.sample.place if state.sample else None)


def test_every_page_answers(client: FlaskClient, run: ExploredRun, folder: Path) -> None:
    samples = pq.read_table(folder / "shards/00000.parquet").to_pylist()
    kept, hidden = samples[0]["uid"], samples[1]["uid"]
    curated = {row["uid"] for row in rows_of(run, "curated")}
    dropped = next(row["uid"] for row in rows_of(run, "matches") if row["uid"] not in curated)
    assert get(client, "/static/explore.css").status_code == 200
    for path, words in {
        "/": "threshold t",
        "/entries?lang=en&band=tail&mode=prefix&q=a&first=0": "entries",
        "/images?where=downloads&status=success": "looked at",
        "/images?where=samples&min_nsfw_score=0.5": "hidden: <bdi>nsfw_score 0.9</bdi>",
        "/images?where=matched&host=127.0.0.1&from=x": "Further images",
        f"/image/{kept}": "sample 1 of 00000.tar",
        f"/image/{hidden}": "<summary>hidden: <bdi>nsfw_score 0.9</bdi></summary>",
        f"/image/{dropped}": "no text was drawn",
    }.items():
        answer = get(client, path)
        assert answer.status_code == 200, path
        assert words in answer.text, path
        assert faults(answer.text) == [], path
        assert str(folder) not in answer.text
        assert not re.search(r"(?:src|href|action)=\"(?!/|http)", answer.text)
    for path in (
        "/image/x",
        f"/image/{'0' * 24}",
        "/entry/en/999999",
        "/entry/en/x",
        "/nothing",
        f"/picture/{dropped}",
    ):
        answer = get(client, path)
        assert (answer.status_code, faults(answer.text)) == (404, [])


def test_pictures_come_from_the_tar(client: FlaskClient, folder: Path) -> None:
    samples = pq.read_table(folder / "shards/00000.parquet").to_pylist()
    for number in range(5):  # the last one is not in the index
        answer = get(client, f"/picture/{samples[number]['uid']}")
        with Image.open(io.BytesIO(answer.data)) as image:
            assert (image.format, image.size) == ("JPEG", (40, 30))
            assert abs(image.getpixel((5, 5))[0] - number * 40) < 8
    assert get(client, f"/picture/{samples[5]['uid']}").status_code == 404


def test_texts_stay_texts() -> None:
    shown = str(web(HOSTILE))
    assert len(shown) < 3000
    assert "<script" not in shown
    assert "\x00" not in shown
    assert shown.startswith("<bdi>&lt;script&gt;")


def test_only_who_has_the_address_may_read(run: ExploredRun) -> None:
    token = new_token()
    client = make_app(run, token, PORT, hide_above=0.5).test_client()
    paths = ["/", "/entries", "/picture/" + "0" * 24, "/static/explore.css"]
    assert {get(client, path).status_code for path in paths} == {403}
    nothing = get(client, "/favicon.ico")
    assert (nothing.status_code, nothing.data) == (204, b""), "a browser asks for it beside the page that refuses"
    assert get(client, f"/?{TOKEN}={new_token()}").status_code == 403
    assert get(client, f"/?{TOKEN}=%ff%00").status_code == 403
    for host in ("evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:81", "127.0.0.1.evil.example:8123"):
        assert get(client, f"/?{TOKEN}={token}", host).status_code == 400
    answer = get(client, f"/?{TOKEN}={token}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert {"HttpOnly", "SameSite=Strict"} <= {word.strip() for word in answer.headers["Set-Cookie"].split(";")}
    assert get(client, "/", f"localhost:{PORT}").status_code == 403  # the cookie is that of the other name
    page = get(client, "/")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'; style-src 'self'")
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert client.post("/", headers={"Host": f"127.0.0.1:{PORT}"}).status_code == 405


def client_of(path: str) -> FlaskClient:
    client = make_app(ExploredRun(path), "secret", PORT, hide_above=0.5).test_client()
    get(client, f"/?{TOKEN}=secret")
    return client


def test_damage_is_a_line_and_the_other_pages_go_on(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder, run)
    (run / "shards/00000.parquet").write_bytes(b"PAR1 damaged PAR1")
    (run / "entries/part-00000").joinpath(next((run / "entries/part-00000").glob("*.parquet")).name).write_bytes(b"")
    client = client_of(str(run))
    for path in ("/entries?lang=en", "/images?where=samples"):
        answer = get(client, path)
        assert answer.status_code == 500
        assert "a table cannot be read" in answer.text
        assert "Traceback" not in answer.text
    assert get(client, "/static/explore.css").status_code == 200


def test_a_run_may_lie_in_a_store(client: FlaskClient, folder: Path) -> None:
    store = MemoryFileSystem()
    store.put(str(folder), "/explored", recursive=True)
    try:
        remote = client_of("memory://explored")
        uid = pq.read_table(folder / "shards/00000.parquet")["uid"][0].as_py()
        images = "/images?where=downloads&status=http_error"
        for path in ("/", "/entries?lang=en", images, f"/image/{uid}", f"/picture/{uid}"):
            answer = get(client, path)
            assert answer.status_code == 200
            assert get(remote, path).data == answer.data
    finally:
        store.rm("/explored", recursive=True)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="neither matches nor curated"):
        ExploredRun(str(tmp_path))


def status_of(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    return connection.getresponse().status


def test_a_request_leaves_no_line_in_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answers: list[int] = []

    def serve_one(server: BaseWSGIServer) -> None:
        asked = Thread(target=lambda: answers.append(status_of(server.port)))
        asked.start()
        server.handle_request()
        asked.join()

    monkeypatch.setattr(BaseWSGIServer, "serve_forever", serve_one)
    explore.run(ExploreConfig(output=str(folder)))
    told = capfd.readouterr()
    assert answers == [403]
    assert told.out.startswith("open http://127.0.0.1:")
    assert told.err == ""
