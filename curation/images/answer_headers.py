"""Headers of an answer: whether its owner forbids the use of an image, and when a host asks to be asked again."""

import contextlib
import re
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

_AGENT = re.compile(r"[^\s:]+")
VALUED_DIRECTIVES = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")


def opted_out(headers: Sequence[str], user_agent_token: str, opt_out: Sequence[str]) -> bool:
    """Whether X-Robots-Tag headers forbid the use of an image to all user agents or to ours.

    A name with a colon is a user agent; the directives up to the next such name are for this agent. One header may name
    several agents, since proxies join headers with commas.

    >>> opted_out(["otherbot: noai", "nofollow, noindex"], "headtail", ["noindex"])
    True
    """
    ours = ("", "*", user_agent_token.strip().lower())
    for header in headers:
        agent = ""
        for piece in header.lower().split(","):
            name, colon, directive = (part.strip() for part in piece.partition(":"))
            if colon and _AGENT.fullmatch(name) and name not in VALUED_DIRECTIVES:
                agent = name
            else:
                directive = name
            named = ("noindex", "nofollow") if directive == "none" else (directive,)
            if agent in ours and not set(named).isdisjoint(opt_out):
                return True
    return False


def retry_after(value: str | None) -> float:
    """Return the seconds of a Retry-After header, which holds a number or a date; 0 if it is missing or invalid."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0
