"""The lines of help texts: wrapped to the terminal, with names in a column of their own where there is room."""

import shutil
import textwrap
from collections.abc import Mapping

NARROW, WIDE, UNKNOWN = 24, 120, 120
"""The columns that a help text fills at least and at most, and those where no terminal tells its width."""


def text_width(width: int = 0) -> int:
    """Return the columns for a help text on a terminal of this width; 0: measured."""
    return max(NARROW, min(width or shutil.get_terminal_size((UNKNOWN, 24)).columns, WIDE))


def wrapped(text: str, width: int, indent: int = 0, hanging: int = 0) -> str:
    """Return a text in lines of a width, all but the first `hanging` columns further in. Words are never broken."""
    begin = " " * indent
    return textwrap.fill(
        text, width, initial_indent=begin, subsequent_indent=begin + " " * hanging, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def named_lines(named: Mapping[str, str], column: int, width: int) -> str:
    """Return names with their meanings in a column beside them, or below them where the terminal is narrow."""
    if width < 3 * column:
        pairs = ((wrapped(name, width, 2), wrapped(text, width, 6)) for name, text in named.items())
        return "\n".join(line for pair in pairs for line in pair)
    return "\n".join(f"  {name:{column - 3}} {wrapped(text, width, column).lstrip()}" for name, text in named.items())
