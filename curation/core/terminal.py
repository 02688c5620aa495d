"""Output on a terminal: control characters of hostile texts are shown as their codes, not obeyed.

Escape sequences in an alt-text, a header or a file name could otherwise recolour, overwrite or rename the terminal.
"""

import os
import re
import sys
import threading
from collections.abc import Callable
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


class Screen:
    """The order of what several threads write to the terminal: whole lines, and below them a line that changes.

    `clear` removes the changing line, if there is one. It is called before anything else is written. `at_line_start`
    is false while a line has been written in part.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.at_line_start = True
        self.clear: Callable[[], None] = lambda: None

    def write_bytes(self, content: bytes) -> None:
        """Write bytes to standard error, past Python's own stream; raises OSError."""
        with self.lock:
            self.clear()
            os.write(2, content)
            self.at_line_start = content.endswith((b"\n", b"\r"))


screen = Screen()
"""The terminal of this process."""


class PrintableStream:
    """A text stream that shows control characters as their codes; in all else it is the stream that it wraps."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        with screen.lock:
            screen.clear()
            self._stream.write(printable(text))
            if text:
                screen.at_line_start = text.endswith("\n")
        return len(text)

    def unguarded(self) -> TextIO:
        """Return the stream that this one wraps."""
        return self._stream

    def writelines(self, lines: Any) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Let all that this process prints, errors and logs included, pass through `printable`.

    A standard stream that the caller has closed (`2>&-`) becomes one that goes nowhere: else the next file that is
    opened would get its number, and messages.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest free number
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 open to the end of the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, PrintableStream):
            setattr(sys, name, cast(TextIO, PrintableStream(stream)))
