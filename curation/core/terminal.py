"""Output on a terminal: control characters of hostile texts are shown as their codes, not obeyed.

Escape sequences in an alt-text, a header or a file name could otherwise recolour, overwrite or rename the terminal.
"""

import re
import sys
from typing import Any, TextIO, cast

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # all control characters but tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
    "\u2028\u2029\ud800-\udfff]"  # separators of lines, and halves of pairs, which have no encoding
)


def printable(text: str) -> str:
    r"""Return a text whose control characters, except tab and newline, are shown as `\x1b` or `\u202e`.

    >>> print(printable("a\x1b[31mb\r\u202ec"))
    a\x1b[31mb\x0d\u202ec
    """
    return _CONTROL.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class PrintableStream:
    """A text stream that shows control characters as their codes; in all else it is the stream that it wraps."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Let all that this process prints, errors and logs included, pass through `printable`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, PrintableStream):
            setattr(sys, name, cast(TextIO, PrintableStream(stream)))
