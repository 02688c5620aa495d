"""The stored answers about encodings are those of a real browser."""

import json
from pathlib import Path
from typing import Any

from tests import encoding_oracle
from tests.browser.chromium import needs_chromium

pytestmark = needs_chromium


def test_chromium_gives_the_stored_answers(browser: Any, tmp_path: Path) -> None:
    assert encoding_oracle.ask(browser, tmp_path) == json.loads(encoding_oracle.FILE.read_text())
