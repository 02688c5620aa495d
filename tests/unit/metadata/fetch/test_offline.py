"""fetch_sources without network: known at once, before any server was reached, and later waited for."""

import pytest

from curation.core.errors import HeadtailError
from curation.core.remote import UnreachableError
from metadata.fetch import fetcher
from metadata.fetch.fetcher import OFFLINE_TRIES, Fetcher, FetchSettings, MissingError


def test_a_machine_without_network_is_known_at_the_first_file_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(url: str, *_: object, **__: object) -> None:
        asked.append(url)
        if "missing" in url:
            raise FileNotFoundError(url)
        raise UnreachableError("the name a.invalid does not resolve")

    monkeypatch.setattr(fetcher, "open_http", answer)
    pauses: list[float] = []
    wikis = Fetcher(FetchSettings("test/1", 0.0, retries=5, retry_seconds=5.0, timeout_seconds=1.0), pauses.append)
    with pytest.raises(HeadtailError, match=r"a.invalid does not resolve: is this machine offline\?"):
        wikis.read("https://a.invalid/sums")
    assert len(asked) == OFFLINE_TRIES
    assert sum(pauses) < 10
    with pytest.raises(MissingError):
        wikis.read("https://a.invalid/missing")
    asked.clear()
    with pytest.raises(HeadtailError, match="given up after 6 tries"):
        wikis.read("https://a.invalid/sums")
    assert len(asked) == 6
