"""The explorer in a real browser: nothing but its own address is asked for, and hostile texts stay texts."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.explore.explored_run import ExploredRun
from curation.explore.guard import TOKEN, new_token
from curation.explore.pages import make_app
from curation.matching.entry_store import EntryStore
from tests.browser.chromium import needs_chromium
from tests.browser.test_report import requests
from tests.golden.finished_run import lay_out

pytestmark = needs_chromium
HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=alert(1)> \u202e abc"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder)
    (folder / "hostile").mkdir()
    (folder / "hostile/en.txt").write_text(f"{HOSTILE}\na red kite\n")
    words = Words.of_lists(EntryStore.open(str(folder / "hostile")), [])
    write_entries(str(folder / "run/entries"), words, EntryNumbers())
    server, token = make_server("127.0.0.1", 0, None, threaded=True), new_token()
    server.app = make_app(ExploredRun(str(folder / "run")), token, server.port, hide_above=0.5)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/?{TOKEN}={token}"
    server.shutdown()


def test_pages_ask_for_nothing_else_and_say_nothing(browser: Any, address: str) -> None:
    base = address.partition("?")[0].rstrip("/")
    requests(browser)  # those of the tests before
    browser.get(f"{base}/entries")
    assert "open the address that headtail explore printed" in browser.page_source
    browser.get_log("browser")
    browser.get(address)
    assert browser.current_url == f"{base}/"
    for path in ("/entries?lang=en", "/entry/en/0", "/images?where=matched", "/images?where=samples"):
        browser.get(base + path)
    browser.find_element("css selector", ".card a").click()
    assert browser.title.startswith("image ")
    assert [line["message"] for line in browser.get_log("browser") if "/picture/" not in line["message"]] == []
    asked = [url for url in requests(browser) if not url.startswith("chrome")]  # of the browser's own first page
    assert {url.split("/")[2] for url in asked} == {base.split("/")[2]}


def test_hostile_entries_stay_texts(browser: Any, address: str) -> None:
    base = address.partition("?")[0].rstrip("/")
    browser.get(address)
    browser.get(f"{base}/entries?lang=en")
    assert browser.title == "entries of en"
    assert browser.find_element("css selector", "td a").text.startswith("<script>document.title=")
    browser.find_element("css selector", "td a").click()
    assert browser.find_element("css selector", "h1").text.startswith("<script>document.title=")
    assert browser.find_elements("css selector", "script, img[src=x]") == []
