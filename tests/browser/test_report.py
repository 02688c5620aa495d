"""The report in a real browser: no scripts, console messages or requests, and hostile texts stay texts."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from curation.report.page import write_report
from tests.browser.chromium import needs_chromium
from tests.browser.report_example import HOSTILE, example_report

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    write_report(str(path), example_report())
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
    assert page.execute_script("return window.hacked === undefined && document.scripts.length === 0")
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
