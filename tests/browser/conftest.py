"""One Chromium for the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import open_chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = open_chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
