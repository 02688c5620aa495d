"""Faults that come often: the first of a kind is told at once, the others are counted."""

from collections.abc import Callable

import pytest

from curation.core import progress
from curation.core.fault_lines import FaultLines


def test_the_first_of_a_kind_is_told_and_the_others_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    waiting: list[Callable[[], None]] = []
    lines = FaultLines("store")

    def tell(kind: str, line: str) -> None:
        lines.tell(kind, line, lambda _, function: waiting.append(function))

    def told() -> list[str]:
        return [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]

    for number in range(3):
        tell("503 SlowDown", f"waits for {number}")
    tell("reset", "waits for 3")
    assert told() == ["waits for 0", "waits for 3"]
    slow, reset = waiting.pop(0), waiting.pop(0)
    slow()
    reset()
    assert told() == ["2 more in 10 s: 503 SlowDown"]
    tell("503 SlowDown", "waits for 4")
    tell("reset", "waits for 5")
    assert told() == ["waits for 5"]  # the other kind is still counted
    waiting.pop(0)()
    assert told() == ["1 more in 10 s: 503 SlowDown"]
    waiting.pop(1)()
    assert told() == []
    tell("503 SlowDown", "waits for 6")
    assert told() == ["waits for 6"]


def test_lines_are_written_to_the_log_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(progress.run.log, "line", written.append)
    FaultLines("store").tell("503 SlowDown", "waits for 0", lambda *_: None)
    assert written == [f"{'store':16} waits for 0"]
