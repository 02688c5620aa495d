"""Lists that users bring: hosts to block, images to leave out, words that no text may hold."""

import re
from functools import lru_cache

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES
from curation.core.removal_lists import Removals, read_removals
from curation.extraction.hosts import plain_host


def is_file(source: str) -> bool:
    """Whether an item of a list of hosts names a file that lists more of them.

    >>> is_file("lists/ads.txt"), is_file("example.org")
    (True, False)
    """
    return not source.startswith(("http://", "https://")) and ("/" in source or source.endswith((".txt", ".gz")))


@lru_cache(4)
def read_hosts(sources: tuple[str, ...]) -> frozenset[str]:
    """Return the hosts that sources name: a host, or a file with a host a line; lines of hosts files count.

    >>> sorted(read_hosts(("Example.org", "*.tracker.net")))
    ['example.org', 'tracker.net']
    """
    fields = (line.split() for line in _lines(sources))
    return frozenset(plain_host(found[-1].removeprefix("*.").removeprefix(".")) for found in fields if found)


@lru_cache(4)
def removals_of(sources: tuple[str, ...]) -> Removals:
    """Return the removal lists of a run, read once a process."""
    return read_removals(sources)


@lru_cache(512)
def word_pattern(path_of_lang: str, lang: str) -> re.Pattern[str] | None:
    """Return what finds a word of a language's list, None if there is no list: `{lang}` in the path is the code.

    Words are whole words where the language writes blanks between them; case is ignored.
    """
    path = path_of_lang.replace("{lang}", lang)
    if lang not in LANGUAGES or not storage.exists(path):
        return None
    words = sorted({word for word in _lines((path,), comments=False) if word}, key=lambda word: (-len(word), word))
    if not words:
        return None
    either = "|".join(map(re.escape, words))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)" if LANGUAGES[lang].blanks else either, re.IGNORECASE)


def _lines(sources: tuple[str, ...], comments: bool = True) -> list[str]:
    found: list[str] = []
    for source in sources:
        lines = [source]
        if is_file(source):
            try:
                with storage.open_input(source) as file:
                    lines = file.read().decode("utf-8", "replace").splitlines()
            except FileNotFoundError:
                raise HeadtailError(f"{source}: there is no such list") from None
        found += [(line.partition("#")[0] if comments else line).strip() for line in lines]
    return found
