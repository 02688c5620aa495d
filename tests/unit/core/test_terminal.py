"""Hostile texts on a terminal."""

import io
import sys

import pytest

from curation.core import progress
from curation.core.terminal import PrintableStream, guard_streams, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b]0;title\x07", r"\x1b]0;title\x07", id="escape sequence"),
        pytest.param("\x9b31m", r"\x9b31m", id="C1"),
        pytest.param("a\rb\x08\x7f\0", r"a\x0db\x08\x7f\x00", id="overwriting"),
        pytest.param("\u202etxt.exe\u2066", r"\u202etxt.exe\u2066", id="direction"),
        pytest.param("\ud800", r"\ud800", id="half of a pair"),
        pytest.param("猫\tZürich\nنص", "猫\tZürich\nنص", id="text"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_stage_lines_are_printable(capsys: pytest.CaptureFixture[str]) -> None:
    progress.say("extract_pairs", "read \x1b[2Jwat")
    assert capsys.readouterr().err == "extract_pairs    read \\x1b[2Jwat\n"


def test_all_that_a_process_prints_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    guard_streams()
    guard_streams()
    assert isinstance(sys.stdout, PrintableStream)
    print("\x1b[1m")
    sys.stdout.writelines(["a\x07", "b"])
    assert out.getvalue() == "\\x1b[1m\na\\x07b"
    assert sys.stdout.isatty() is False
