"""JSON from the web, which can hold lone surrogates and control characters."""

import json
from typing import Any

import msgspec

from curation.core.text_marks import encoding_of


def decode_json(data: bytes) -> Any:
    """Return the value of a JSON text; None if it is no JSON.

    Lone surrogates, control characters and a byte order mark are accepted.

    >>> decode_json(b'{"a": 1}'), decode_json(b"{")
    ({'a': 1}, None)
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # accepts what msgspec refuses
        return json.loads(data.decode(encoding_of(data), "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def plain_text(value: str) -> str:
    r"""Replace each lone surrogate of a text by U+FFFD; JSON can spell lone surrogates, UTF-8 cannot.

    >>> plain_text("a\ud800")
    'a\ufffd'
    """
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
