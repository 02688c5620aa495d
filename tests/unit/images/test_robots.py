"""Rules of robots.txt and ai.txt against the examples of RFC 9309, and against hostile files."""

import time
from itertools import product
from urllib.parse import urlsplit

import pytest

from curation.images.robots import FORBID_ALL, MAX_RULES, MAX_TEXT, forbids, read_rules, target_of


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("/fish", ["/fish", "/fish.html", "/fish/a", "/fishheads?x"], ["/Fish.asp", "/catfish", "/?id=fish"]),
        ("/fish*", ["/fish", "/fish/a"], ["/Fish", "/catfish"]),
        ("/fish/", ["/fish/", "/fish/?id=a"], ["/fish", "/fish.html"]),
        ("/*.php", ["/a.php", "/a/b.php?x", "/php/a.php/"], ["/", "/windows.PHP"]),
        ("/*.php$", ["/a.php", "/a/b.php"], ["/a.php?x", "/a.php/", "/a.php5"]),
        ("/fish*.php", ["/fish.php", "/fishheads/catfish.php?x"], ["/Fish.PHP"]),
        ("*.jpg", ["/a.jpg", "/a.jpg?w=3"], ["/a.jpeg"]),
        ("*", ["/", "/a"], []),
        ("/$", ["/"], ["/a"]),
        ("/a*a$", ["/aa", "/aba", "/aaa"], ["/a", "/ab"]),
        ("/a*b*b$", ["/abb", "/axbxb"], ["/ab", "/abba"]),
        ("/%7ejoe/", ["/~joe/a", "/%7Ejoe/a"], ["/joe/"]),
        ("/a%3cd", ["/a%3Cd.jpg", "/a%3cd"], ["/a/d"]),
        ("/ä", ["/%C3%A4", "/%c3%a4/b"], ["/a"]),
        ("/a%2Fb", ["/a%2fb"], ["/a/b"]),
    ],
    ids=range(15),
)
def test_patterns(pattern: str, matched: list[str], others: list[str]) -> None:
    rules = read_rules(f"User-agent: *\nDisallow: {pattern}".encode(), "headtail")
    assert [target for target in matched if not forbids(rules, target)] == []
    assert [target for target in others if forbids(rules, target)] == []


@pytest.mark.parametrize(
    ("text", "target", "forbidden"),
    [
        ("User-agent: *\nAllow: /p\nDisallow: /", "/page", False),
        ("User-agent: *\nAllow: /page\nDisallow: /*.htm", "/page.htm", True),
        ("User-agent: *\nAllow: /page\nDisallow: /*.ph", "/page.php", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", False),
        ("User-agent: *\nDisallow:", "/a", False),
        ("User-agent: *\nDisallow: a", "/a", False),
        ("Disallow: /", "/a", False),
        ("User-agent: other\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: headtail\nDisallow: /b", "/a", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: HeadTail/1.0\nAllow: /", "/a", False),
        ("User-agent: headtail\n", "/a", False),
        ("User-agent: a\nUser-agent: headtail\nDisallow: /", "/a", True),
        (
            "User-agent: headtail\nDisallow: /x\nUser-agent: b\nUser-agent: headtail\nDisallow: /a",
            "/a",
            True,
        ),
        ("User-agent: *\nSitemap: /s\nCrawl-delay: 3\nUser-agent: b\nDisallow: /", "/a", True),
        ("\ufeffUSER-AGENT : *# all\r\ndisallow : /a # this\r", "/a", True),
        ("User-agent: headtailer\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow: /a\nNoindex: /b", "/b", False),
        ("<!doctype html><title>Not found</title>", "/a", False),
    ],
    ids=range(18),
)
def test_groups_and_precedence(text: str, target: str, forbidden: bool) -> None:
    assert forbids(read_rules(text.encode(), "headtail"), target) is forbidden


def test_rules_that_allow_only_are_none() -> None:
    assert read_rules(b"User-agent: *\nAllow: /", "headtail") == ()


def test_what_is_behind_the_limit_does_not_count() -> None:
    padding = b"#" * MAX_TEXT
    assert read_rules(b"User-agent: *\n" + padding + b"\nDisallow: /", "headtail") == ()


def test_too_many_rules_forbid_all() -> None:
    lines = "\n".join(f"Disallow: /{number:08d}" for number in range(MAX_RULES // 10 + 1))
    assert read_rules(f"User-agent: *\n{lines}".encode(), "headtail") == FORBID_ALL


def test_patterns_of_many_asterisks_cost_little() -> None:
    rules = read_rules(f"User-agent: *\nDisallow: /{'*a' * 5_000}b$".encode(), "headtail")
    before = time.process_time()
    assert not forbids(rules, "/" + "a" * 20_000)
    assert time.process_time() - before < 5, "a regular expression would not end"


def test_matches_are_those_of_a_slow_matcher() -> None:
    def slow(pattern: str, target: str) -> bool:
        if pattern in ("", "$"):
            return pattern == "" or target == ""
        if pattern[0] == "*":
            return any(slow(pattern[1:], target[start:]) for start in range(len(target) + 1))
        return target[:1] == pattern[0] and slow(pattern[1:], target[1:])

    targets = ["/" + "".join(letters) for size in range(5) for letters in product("ab", repeat=size)]
    for size in range(5):
        for letters in product("ab*", repeat=size):
            for end in ("", "$"):
                pattern = "/" + "".join(letters) + end
                rules = (f"-{pattern}",)
                assert [forbids(rules, target) for target in targets] == [slow(pattern, target) for target in targets]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a.example", "/"),
        ("http://a.example/a b/\u00e4?x=\u00f6&y=%41", "/a%20b/%C3%A4?x=%C3%B6&y=%41"),
        ("http://a.example/a#b", "/a"),
    ],
    ids=["none", "quoted", "fragment"],
)
def test_targets(url: str, target: str) -> None:
    assert target_of(urlsplit(url)) == target
