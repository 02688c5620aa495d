"""The report in a real browser: no scripts but its own, no console messages or requests, hostile texts stay texts."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.counts import CountFiles, save_array
from curation.core.schemas import ENTRIES
from curation.report.page import write_report
from curation.report.search_examples import PoolText
from curation.report.search_files import SearchPlan
from curation.report.search_rows import SearchNumbers
from tests.browser.chromium import needs_chromium
from tests.browser.report_example import HOSTILE, example_report

pytestmark = needs_chromium
WORDS = {
    "en": [*HOSTILE[:4], "İstanbul", "red kite", "Red Car", "bored", *(f"word {k}" for k in range(60))],
    "de": ["Haus", "rot", "nie"],
}
"""The first half of a language has a count, the first entry the largest; the rest is in the file of the language."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    report = example_report()
    batches = []
    for lang, words in WORDS.items():
        rows = [{"lang": lang, "entry_id": k, "entry": word, "source": HOSTILE[1]} for k, word in enumerate(words)]
        batches.append(pa.RecordBatch.from_pylist(rows, pa.schema([ENTRIES.field(name) for name in rows[0]])))
        counts = np.arange(len(words), 0, -1) * 40
        counts[len(words) // 2 :] = 0
        save_array(f"{path}/counts/{lang}.npy", counts)
    counts, texts = CountFiles(f"{path}/counts"), [PoolText(0.5, "en", text, [0]) for text in HOSTILE]
    texts.append(PoolText(0.6, "en", HOSTILE[0], [len(WORDS["en"]) - 1]))
    search = SearchPlan(batches, SearchNumbers(counts, counts, None), {"en": texts})
    write_report(str(path), report, search.write(str(path), report, 10, ""))
    return path


@pytest.fixture
def page(browser: Any, folder: Path) -> Any:
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(f"file://{folder}/index.html")
    return browser


def requests(browser: Any) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [params["request"]["url"] for params in sent]
    return [url for url in urls if not url.startswith("data:")]


def shown(browser: Any, selector: str) -> list[Any]:
    from selenium.webdriver.common.by import By

    return [found for found in browser.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]


def test_it_opens_offline_without_console_messages(page: Any, folder: Path) -> None:
    assert page.get_log("browser") == []
    assert requests(page) == [f"file://{folder}/index.html"]


def test_served_over_http_it_requests_nothing_else(browser: Any, folder: Path) -> None:
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get_log("browser")
        browser.get(f"http://127.0.0.1:{server.server_port}/index.html")
        assert browser.get_log("browser") == []
    finally:
        server.shutdown()
        server.server_close()
    assert asked == ["/index.html"]


def test_hostile_texts_do_nothing(page: Any) -> None:
    assert page.execute_script("return window.hacked === undefined")
    assert page.execute_script("return [...document.scripts].map(script => script.type)") == [
        "",
        "application/json",
        "",
    ]
    assert page.execute_script("return [...document.images].every(image => image.src.startsWith('data:'))")
    text = page.execute_script("return document.body.textContent")
    assert HOSTILE[0] in text
    links = page.execute_script("return [...document.links].map(link => link.protocol)")
    assert set(links) <= {"file:", "http:", "https:"}


def test_pictures_are_shown(page: Any) -> None:
    widths = page.execute_script("return [...document.querySelectorAll('.sample img')].map(i => i.naturalWidth)")
    assert len(widths) == 24
    assert all(width > 1 for width in widths)


def test_a_tab_shows_its_language(page: Any) -> None:
    assert [panel.get_attribute("class") for panel in shown(page, ".panel")] == ["panel panel-0"]
    shown(page, ".choice label")[2].click()
    assert [panel.get_attribute("class") for panel in shown(page, ".panel")] == ["panel panel-2"]
    assert "French" in shown(page, ".panel")[0].text


def answered(browser: Any) -> None:
    """Wait until the search has drawn all of its answer."""
    from selenium.webdriver.support.wait import WebDriverWait

    busy = "return document.getElementById('find-rows').getAttribute('aria-busy')"
    WebDriverWait(browser, 10, 0.01).until(lambda _: browser.execute_script(busy) == "false")


def typed(browser: Any, query: str, how: str = "begin with") -> list[str]:
    """The entries that the search shows for a text."""
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select

    (field,) = shown(browser, "#find-text")
    field.clear()
    field.send_keys(query or f"x{Keys.BACKSPACE}")
    Select(browser.find_element("id", "find-how")).select_by_visible_text(how)
    answered(browser)
    script = "return [...document.querySelectorAll('#find-rows th')].map(head => head.firstChild.textContent)"
    return browser.execute_script(script)


def test_the_search_finds_entries_in_the_page_and_in_the_file_of_a_language(page: Any, folder: Path) -> None:
    from selenium.webdriver.support.select import Select

    requests(page)
    assert typed(page, "RE") == ["red kite", "Red Car"]
    assert typed(page, "re", "hold") == ["red kite", "Red Car", "bored"]
    assert typed(page, "<IMG", "hold") == [HOSTILE[1]]
    assert typed(page, "stan", "hold") == ["İstanbul"], "a letter whose lower case is two letters moves no other"
    assert typed(page, "nie") == [], "without a count, it lies in the file"
    status = page.find_element("id", "find-status")
    assert (status.text, status.get_attribute("role")) == ("0 entries.", "status")
    assert typed(page, "") != []
    cells = page.execute_script(
        "return [...document.querySelectorAll('#find-rows tr')].map(r => r.innerText.split('\t'))"
    )
    first = next(row for row in cells if row[0].startswith("<script>"))
    assert first[1:4] == [f"{len(WORDS['en']) * 40:,}"] * 2 + ["–"]
    assert float(first[4]) == pytest.approx(60 / (len(WORDS["en"]) * 40), rel=1e-2)
    assert shown(page, "#find-more") == []

    Select(page.find_element("id", "find-lang")).select_by_visible_text("English")
    answered(page)
    shown(page, "#find-rows summary")[0].click()
    assert shown(page, "#find-rows details p")[0].text == HOSTILE[0]
    (more,) = shown(page, "#find-more")
    assert more.text.startswith(f"Load {len(WORDS['en']) // 2} more English entries")
    assert requests(page) == []
    more.click()
    page.execute_async_script("const done = arguments[0]; setTimeout(done, 50)")
    assert typed(page, "word 59") == ["word 59"]
    assert status.text == "1 entry."
    shown(page, "#find-rows summary")[0].click()
    assert shown(page, "#find-rows details p")[0].text == HOSTILE[0]
    assert len(typed(page, "word")) == 50
    assert status.text == "60 entries. The 50 most frequent are shown."
    assert requests(page) == [f"file://{folder}/entries/en.js"]
    assert page.execute_script("return window.hacked === undefined")
    assert page.get_log("browser") == []


def test_a_file_that_is_lost_or_of_another_report_is_told(page: Any, folder: Path) -> None:
    from selenium.webdriver.support.select import Select

    path = folder / "entries/de.js"
    kept = path.read_text()
    path.write_text(kept.replace('"id":', '"id":"x","other":'))
    Select(page.find_element("id", "find-lang")).select_by_visible_text("German")
    for _ in range(2):
        shown(page, "#find-more")[0].click()
        page.execute_async_script("const done = arguments[0]; setTimeout(done, 50)")
        expected = "belongs to another report" if path.exists() else "is not beside this page"
        assert page.find_element("id", "find-status").text == f"entries/de.js {expected}."
        path.unlink(missing_ok=True)
    page.get_log("browser")
    path.write_text(kept.replace('"held":', '"other":'))  # as older versions wrote it
    shown(page, "#find-more")[0].click()
    page.execute_async_script("const done = arguments[0]; setTimeout(done, 50)")
    answered(page)
    assert (shown(page, "#find-more"), page.get_log("browser")) == ([], [])
    path.write_text(kept)


def test_the_slider_tells_the_row_of_its_threshold(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    (slider,) = shown(page, "#whatif-t")
    assert slider.accessible_name == "Threshold t"
    told = page.find_element("id", "whatif-told")
    assert "t 60 this run" in " ".join(told.text.split())
    before = page.execute_script("return document.querySelector('.here').getAttribute('d')")
    slider.send_keys(Keys.ARROW_RIGHT)
    words = " ".join(told.text.split())
    assert "t 500" in words
    assert "Images to fetch 27,000" in words
    assert slider.get_attribute("aria-valuetext") == "t = 500"
    assert page.execute_script("return document.querySelector('.here').getAttribute('d')") != before
    page.find_element("id", "whatif-back").click()
    assert "t 60 this run" in " ".join(told.text.split())


def test_search_and_slider_are_absent_in_print_and_without_scripts(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert shown(page, "#search, #whatif") == []
        assert shown(page, "#forecast .plot") != []
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        assert shown(page, "#finder, #whatif") == []
        assert "The search needs JavaScript" in shown(page, "#search")[0].text
        assert shown(page, "#forecast summary") != []
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_print_has_bars_and_the_rows_behind_a_button(page: Any) -> None:
    """Browsers print no grounds unless they are asked to, and nobody can press a button on paper."""
    rows = "return [...document.querySelectorAll('.rest tbody tr')].map(row => row.checkVisibility())"
    assert set(page.execute_script(rows)) == {False}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        bar = "return getComputedStyle(document.querySelector('.meter i')).printColorAdjust"
        assert page.execute_script(bar) == "exact"
        assert set(page.execute_script(rows)) == {True}
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_nothing_sticks_out(page: Any, width: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        page.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page: Any, scheme: str) -> None:
    """Contrast of body and soft text is at least 4.5, WCAG 2.2 level AA."""
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        colours = page.execute_script(
            "const of = (selector, name) => getComputedStyle(document.querySelector(selector))[name];"
            "return [of('body', 'backgroundColor'), of('body', 'color'), of('.small', 'color'), of('.note', 'color'),"
            "of('.yes .state', 'color'), of('.no .state', 'color')]"
        )
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    ground, *words = [luminance(colour) for colour in colours]
    for word in words:
        assert (max(ground, word) + 0.05) / (min(ground, word) + 0.05) >= 4.5
    assert (ground > 0.5) == (scheme == "light")


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
