"""What may be kept of a dropped candidate as an example: rather nothing than what somebody wants unseen.

A candidate is dropped for the first rule that it breaks, so what the others would have said of it is asked here. Lists
of words count whatever the language of a text: that of a short or dropped one is a guess.
"""

import re
from functools import lru_cache

from curation.core.credentials import cut_path, without_secrets
from curation.core.host_names import unicode_host
from curation.core.languages import LANGUAGES
from curation.core.plain_texts import plain_text
from curation.extraction import urls
from curation.extraction.text_rules import word_pattern

MAX_JUDGED = 10_000
"""Characters: longer texts and addresses are not kept at all."""
SCHEMES = frozenset({"about", "blob", "data", "file", "ftp", "http", "https", "javascript", "mailto"})
"""What is kept of an address that is none of the web; other words before a colon may be hosts or names of users."""
_PRIVATE_ENDS = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".home.arpa", ".corp", ".private")
_TELLING = re.compile(r"@|://|localhost|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}", re.IGNORECASE)
"""E-mail addresses, addresses of the web, and numbers of hosts."""
_BREAKS = re.compile(r"[\t\r\n]")
_NO_WORD = re.compile(r"[\W_]+")


def scheme_of(address: str) -> str:
    """Return the scheme of an address with its colon if it is a known one, else nothing.

    >>> scheme_of("ftp://192.168.0.1/a.jpg"), scheme_of("nas.local:80/a.jpg")
    ('ftp:', '')
    """
    scheme, colon, _ = address.strip().partition(":")
    return scheme.lower() + colon if colon and scheme.lower() in SCHEMES else ""


def kept_address(url: str, word_lists: str, version: int = urls.BROWSER_SLASHES) -> str | None:
    """Return an absolute http address without its secrets, None if it must not be kept.

    >>> kept_address("https://me:pw@h.org/a.jpg?sig=1", ""), kept_address("http://nas.local/a.jpg", "")
    ('https://h.org/a.jpg', None)
    """
    if len(url) > MAX_JUDGED:
        return None
    cut = cut_path(url)
    host = urls.host_of(cut, version)
    # `localhost` is resolved only where the settings allow it; a second dot at the end hides what a host is.
    if host != "localhost" and ("." not in host or host.endswith((*_PRIVATE_ENDS, "."))):
        return None
    path = cut.partition("//")[2][len(urls.authority_of(cut)) :]
    plain = plain_text(f"{cut} {unicode_host(host)}")
    words = (cut, plain, _NO_WORD.sub(" ", plain))
    hidden = _tells(path) or _tells(plain_text(path)) or without_secrets(cut) != cut or _is_listed(words, word_lists)
    return None if hidden else cut


def may_keep_text(text: str, word_lists: str) -> bool:
    r"""Whether a text holds no e-mail address, address of the web, number of a host, secret, or listed word.

    >>> may_keep_text("a red kite", ""), may_keep_text("write to jane&#64;example.org", "")
    (True, False)
    """
    if len(text) > MAX_JUDGED:
        return False
    forms = (text, _BREAKS.sub(" ", text), " ".join(text.split()), plain_text(text))
    return not (any(map(_tells, forms)) or _is_listed(forms, word_lists))


def _tells(text: str) -> bool:
    return bool(_TELLING.search(text)) or without_secrets(text) != text


def _is_listed(forms: tuple[str, ...], word_lists: str) -> bool:
    return any(pattern.search(form) for pattern in _patterns(word_lists) for form in forms)


@lru_cache(4)
def _patterns(word_lists: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the word lists of all languages."""
    found = (word_pattern(word_lists, lang) for lang in LANGUAGES) if word_lists else ()
    return tuple(dict.fromkeys(pattern for pattern in found if pattern))
