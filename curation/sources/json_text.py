"""JSON from anywhere, read as far as it can be."""

import json
from typing import Any

import msgspec


def decode_json(data: bytes) -> Any:
    """Return the value of a JSON text, None where it is none; lone surrogates and control characters are let through.

    >>> decode_json(b'{"a": 1}'), decode_json(b"{")
    ({'a': 1}, None)
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # takes what msgspec refuses
        return json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def plain_text(value: str) -> str:
    r"""Return a text without lone surrogates, which JSON can spell and UTF-8 cannot; each becomes U+FFFD.

    >>> plain_text("a\ud800")
    'a\ufffd'
    """
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
