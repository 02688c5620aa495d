"""robots.txt by RFC 9309, and ai.txt, which has its form: which paths of a host are forbidden to our user agent.

The patterns are compared by searches for their pieces, one after the other: a host that sends patterns of many
asterisks costs time in proportion to their length, which regular expressions do not promise.
"""

import re
import string
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, quote

MAX_TEXT = 500 << 10
"""Bytes of a file that are read, as RFC 9309 asks for at least."""
MAX_RULES = 1 << 16
"""Characters that the rules for one user agent may take; with more of them, the host counts as one that forbids all."""
ALLOW, FORBID = "+", "-"
FORBID_ALL = (f"{FORBID}/",)
_NAME = re.compile(r"[^\s/]+")
_QUOTED = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def read_rules(content: bytes, user_agent_token: str) -> tuple[str, ...]:
    """Return the rules of a robots.txt for a user agent, the one that decides first: `+/path` allows, `-/path` forbids.

    Groups that name the agent count together; those for `*` count if none does. The longest pattern decides, and of two
    equally long ones the one that allows (RFC 9309, 2.2.2).

    >>> read_rules(b"User-agent: *\\nDisallow: /\\nUser-agent: Headtail/2\\nDisallow: /a\\nAllow: /a/b", "headtail")
    ('+/a/b', '-/a')
    >>> read_rules(b"<html>", "headtail")
    ()
    """
    ours: list[str] | None = None
    all_agents: list[str] = []
    token, named, rules_begun = user_agent_token.strip().lower(), set[str](), False
    for key, value in _lines(content):
        if key == "user-agent":
            if rules_begun:
                named, rules_begun = set(), False
            found = _NAME.match(value.lower())
            named.add(found[0] if found else "")
            if token in named and ours is None:
                ours = []
            continue
        rules_begun = True
        if not value.startswith(("/", "*")):  # an empty pattern is no rule, and others begin no path
            continue
        rule = (ALLOW if key == "allow" else FORBID) + normal(value)
        if token in named and ours is not None:
            ours.append(rule)
        if "*" in named:
            all_agents.append(rule)
    return _sorted(all_agents if ours is None else ours)


def _lines(content: bytes) -> Iterable[tuple[str, str]]:
    text = content[:MAX_TEXT].decode("utf-8-sig", "replace")
    for line in re.split(r"[\r\n]+", text):
        key, colon, value = line.partition("#")[0].partition(":")
        key = key.strip().lower()
        if colon and key in ("user-agent", "allow", "disallow"):
            yield key, value.strip()


def _sorted(rules: Iterable[str]) -> tuple[str, ...]:
    found = sorted(set(rules), key=lambda rule: (-len(rule), rule))  # "+" comes before "-"
    if not any(rule[0] == FORBID for rule in found):
        return ()
    return tuple(found) if sum(map(len, found)) <= MAX_RULES else FORBID_ALL


def forbids(rules: Sequence[str], target: str) -> bool:
    """Whether rules, in the order of `read_rules`, forbid a path with its query, as `target_of` returns it.

    >>> rules = read_rules(b"user-agent: *\\ndisallow: *.jpg$\\nallow: /free/*.jpg$", "headtail")
    >>> [forbids(rules, target) for target in ("/a.jpg", "/a.jpg?x", "/free/a.jpg")]
    [True, False, False]
    """
    target = normal(target)
    return next((rule[0] == FORBID for rule in rules if _matches(rule[1:], target)), False)


def _matches(pattern: str, target: str) -> bool:
    ends = pattern.endswith("$")
    first, *pieces = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    if not pieces:
        return not ends or target == first
    place = len(first)
    for piece in pieces[:-1]:
        place = target.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    if ends:
        return target.endswith(pieces[-1]) and len(target) - len(pieces[-1]) >= place
    return target.find(pieces[-1], place) >= 0


def normal(path: str) -> str:
    """Return a path or pattern in the form in which both are compared: quoted, but not where quotes change nothing.

    >>> normal("/%7ea/%c3%a4/ä%2F*")
    '/~a/%C3%A4/%C3%A4%2F*'
    """
    return _QUOTED.sub(_unquoted, quote(path, safe=string.punctuation))


def _unquoted(found: re.Match[str]) -> str:
    character = chr(int(found[0][1:], 16))
    return character if character in _UNRESERVED else found[0].upper()


def target_of(parts: SplitResult) -> str:
    """Return the path and query of an address as they are requested.

    Quoted characters stay quoted; blanks, control characters and non-ASCII characters are quoted.
    """
    target = quote(parts.path or "/", safe=string.punctuation)
    return f"{target}?{quote(parts.query, safe=string.punctuation)}" if parts.query else target
