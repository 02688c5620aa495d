"""Host names have the form of browsers: Chromium's answers, and names that it refuses."""

import json

import pytest

from curation.core.host_names import ascii_host, compared_host, with_ascii_host
from tests.conftest import ROOT

ANSWERS = json.loads((ROOT / "tests/unit/extraction/url_answers.json").read_text())
CHROMIUM_ONLY = ("％41.com", "ü x.com")
"""Chromium decodes an escape twice, and escapes a blank; by the URL Standard both are no hosts."""


def test_hosts_are_those_of_chromium() -> None:
    known = [(host, answer) for host, answer in ANSWERS["hosts"] if answer and host not in CHROMIUM_ONLY]
    assert len(known) > 300
    assert [(host, ascii_host(host)) for host, _ in known] == known


@pytest.mark.parametrize(
    ("host", "form"),
    [
        pytest.param("a\u200db.com", "ab.com", id="joiner that joins nothing"),
        pytest.param("xn--ü.de", "xn--ü.de", id="punycode that is none"),
        pytest.param("1א.com", "1א.com", id="two directions"),
        pytest.param("Ü" * 300, "ü" * 300, id="name that is too long"),
    ],
)
def test_a_name_that_uts_46_refuses_has_its_older_form(host: str, form: str) -> None:
    assert ascii_host(host) == form


def test_hosts_are_compared_without_a_dot_at_the_end() -> None:
    assert {compared_host(host) for host in ("ü.de", "Ü.DE.", "ü。de｡", "xn--tda.de", "u\u0308.de")} == {"xn--tda.de"}


def test_only_the_host_of_a_url_is_changed() -> None:
    assert with_ascii_host("http://Ü@faß.de:80/ß?ß#ß") == "http://Ü@xn--fa-hia.de:80/ß?ß#ß"
    for url in ("http://h.org/ß", "http://[::1]/ß", "http://[ß/", "ß"):
        assert with_ascii_host(url) == url
