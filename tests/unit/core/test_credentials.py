"""Passwords and signatures in addresses are not written down."""

import time

import pytest

from curation.core.credentials import cut_failure, cut_input, cut_path, cut_text, cut_values, place


@pytest.mark.parametrize(
    ("path", "cut"),
    [
        ("https://me:pass@example.org/a?X-Amz-Signature=1#f", "https://example.org/a#f"),
        ("https://me:p@ss@example.org/a", "https://example.org/a"),
        ("https://example.org?key=a/b@c", "https://example.org"),
        ("https://example.org/a@b/c", "https://example.org/a@b/c"),
        pytest.param("https://example.org/a?b c\nd", "https://example.org/a", id="blanks in a query"),
        ("en:https://me@example.org/a.bz2?k=1#0-9", "en:https://example.org/a.bz2#0-9"),
        ("s3://bucket/a", "s3://bucket/a"),
        ("/data/me@home?.wat", "/data/me@home?.wat"),
    ],
)
def test_userinfo_and_query_are_cut(path: str, cut: str) -> None:
    assert cut_path(path) == cut
    assert cut_path(cut) == cut


def test_addresses_within_texts_are_cut() -> None:
    text = "https://me:word@example.org/a?k=1 at byte 0: 404 for 'http://b.org/?k=2', see ftp://x@y/z"
    assert cut_text(text) == "https://example.org/a at byte 0: 404 for 'http://b.org/', see ftp://y/z"


def test_values_are_cut_at_any_depth() -> None:
    settings = {"a": ["https://me@example.org/?k", 1, None], "b": {"c": "url <> 'https://b.org/?k'"}}
    assert cut_values(settings) == {"a": ["https://example.org/", 1, None], "b": {"c": "url <> 'https://b.org/'"}}


def test_inputs_that_differ_in_the_query_only_stay_apart() -> None:
    one, two = ({"path": f"https://example.org/get?file={number}", "size": 1} for number in (1, 2))
    assert cut_input(one)["path"] == "https://example.org/get"
    assert place(one) == place(cut_input(one)) != place(two)
    assert cut_input(cut_input(one)) == cut_input(one)
    assert cut_input({"path": "/a"}) == {"path": "/a"}


def test_failures_are_cut() -> None:
    failure = {"file": "https://me@example.org/a?k=b c", "error": "https://me@example.org/a?k=b c: 404", "offset": 0}
    cut = cut_failure(failure)
    assert (cut["file"], cut["error"]) == ("https://example.org/a", "https://example.org/a: 404")
    assert len(cut["file_sha256"]) == 64


def test_a_long_word_is_searched_once() -> None:
    start = time.process_time()
    assert cut_text("x" * 100_000) == "x" * 100_000
    assert time.process_time() - start < 1
