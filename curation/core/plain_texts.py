"""The one form of a text in which what it says is looked for, however it is spelt: for that which must stay unseen."""

import html
import unicodedata
from urllib.parse import unquote

MAX_LAYERS = 5
"""Escapes of escapes that are resolved."""


def plain_text(text: str) -> str:
    r"""Return a text as it reads: without escapes, invisible characters, and other forms of letters and blanks.

    >>> plain_text("jane&amp;#64;example.org"), plain_text("j\u200bane%252540ex"), plain_text("a\u00a0 ｂ\uff05４１")
    ('jane@example.org', 'jane@ex', 'a bA')
    """
    for _ in range(MAX_LAYERS):
        letters = unicodedata.normalize("NFKC", html.unescape(unquote(text)))
        plain = letters if letters.isascii() else "".join(one for one in letters if unicodedata.category(one) != "Cf")
        if plain == text:
            break
        text = plain
    return " ".join(text.split())
