"""Object stores without a client or without credentials: one line, at once, with another way in."""

import sys
from collections.abc import Callable

import pytest

from curation.core import input_files, remote, storage
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.input_files import list_files

HTTPS = "without an account, read https://data.commoncrawl.org/crawl-data/x"


class NoCredentialsError(Exception):
    """As botocore's, by name."""


class Store:
    """A store that asks for credentials."""

    calls = 0

    def refuse(self, *_: object, **__: object) -> None:
        self.calls += 1
        raise NoCredentialsError("Unable to locate credentials")

    isdir = exists = open = info = refuse


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    for module in (storage, input_files, remote):
        monkeypatch.setattr(module, "filesystem", lambda path: (store, path))
    return store


def writes_into_store(_: str) -> None:
    with faults_as_lines():
        storage.exists("s3://bucket/run")


@pytest.mark.parametrize(
    "action",
    [lambda path: list_files([path]), remote.open_patiently, writes_into_store],
    ids=["listing", "reading", "any other use"],
)
def test_missing_credentials_are_a_line_at_once(store: Store, action: Callable[[str], object]) -> None:
    with pytest.raises(HeadtailError, match=r"none were found .*set AWS_PROFILE, or AWS_ACCESS_KEY_ID") as error:
        action("s3://commoncrawl/crawl-data/x")
    assert store.calls == 1
    assert (HTTPS in str(error.value)) == (action is not writes_into_store)


@pytest.mark.usefixtures("store")
def test_other_buckets_have_no_other_way_in() -> None:
    with pytest.raises(HeadtailError) as error:
        list_files(["s3://commoncrawl-of-mine/x"])
    assert "https://" not in str(error.value)


def test_a_store_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules, "curation.core.s3_store", raising=False)
    with pytest.raises(HeadtailError, match=r"s3:// needs a package .*install 's3fs>=[\d.]+'; without an account"):
        list_files(["s3://commoncrawl/crawl-data/x"])


def test_a_scheme_that_is_none_is_named() -> None:
    with pytest.raises(HeadtailError, match=r"^htp://a/b: Protocol not known: htp$"):
        list_files(["htp://a/b"])
