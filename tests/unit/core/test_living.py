"""Where a run is, on a terminal and elsewhere; its log and events."""

import io
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.core import living, meter, progress
from curation.core.beats import Pulse
from curation.core.credentials import without_secrets
from curation.core.living import is_living, watched
from curation.core.progress import Amount, Stage, say, step, waiting
from curation.core.receipts import Receipt
from curation.core.run_log import RunLog
from curation.core.terminal import PrintableStream

HALF = Pulse(tasks=1, rows=50, reasons=Counter({"dns": 4, "\x1b[2J": 1}), processes=1)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "TERMINAL_SECONDS", 0.01)
    monkeypatch.setattr(living, "PLAIN_SECONDS", 0.02)
    monkeypatch.setattr(meter, "SETTLED_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)


def until(said: Callable[[], str], text: str) -> None:
    for _ in range(1000):
        if text in said():
            return
        time.sleep(0.01)
    raise AssertionError(f"{text!r} is not in {said()!r}")


def of_run(output: Path) -> tuple[str, list[dict]]:
    (folder,) = (output / "_logs").iterdir()
    events = (folder / "events.jsonl").read_text().splitlines()
    return (folder / "log.txt").read_text(), [json.loads(line) for line in events]


@pytest.mark.usefixtures("quick")
def test_a_terminal_shows_one_line_that_changes_and_whole_lines_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", PrintableStream(terminal))
    with watched("curate", ""):
        stage = Stage("download_images", "2 lists")
        with waiting("starting Spark"):
            until(terminal.getvalue, "\rdownload_images  starting Spark (0 s)")
        with step("download list", 2, lambda: HALF, Amount(100, "images")):
            until(terminal.getvalue, "50%  50/100 images")
            say("remote", "waits 2 s")
            sys.stderr.write("a part of a line, ")
            before = terminal.getvalue()
            time.sleep(0.05)
            assert terminal.getvalue() == before  # no line is drawn into it
            sys.stderr.write("and its rest\n")
        stage.end(Receipt("x", 100, 95, Counter(dns=5)))
    told = terminal.getvalue()
    assert "\x1b" not in told
    whole = [line.rsplit("\r", 1)[-1] for line in told.split("\n")]
    assert whole[:4] == [
        "download_images  starts: 2 lists",
        "remote           waits 2 s",
        "a part of a line, and its rest",
        f"download_images  done: 100 rows in, 95 out, 5 dropped (dns 5), {stage.seconds:.1f} s",
    ]
    assert whole[4].startswith("curate           took 0:00; ")


@pytest.mark.usefixtures("quick")
def test_elsewhere_it_is_a_line_now_and_then_with_all_numbers(capsys: pytest.CaptureFixture) -> None:
    told: list[str] = []

    def said() -> str:
        told.append(capsys.readouterr().err)
        return "".join(told)

    with watched("curate", ""):
        with waiting("listing the source files"):
            until(said, "curate           listing the source files (0 s)\n")
        Stage("download_images", "2 lists")
        with step("download list", 2, lambda: HALF, Amount(100, "images")):
            until(said, "download_images  0:00, download list, 50 of 100 images (50%), 1 of 2 tasks, ")
            until(said, "5 dropped (dns 4, \\x1b[2J 1)")
    assert "\r" not in said()


@pytest.mark.parametrize(
    ("changes", "lives"),
    [
        pytest.param({}, True, id="a terminal"),
        pytest.param({"NO_COLOR": "1"}, True, id="without colours, which the line has none of"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
        pytest.param({"TERM": ""}, False, id="no kind of terminal"),
        pytest.param({"CI": "true"}, False, id="continuous integration"),
    ],
)
def test_which_terminals_have_a_living_line(
    changes: dict[str, str], lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert is_living(Terminal()) is lives
    assert is_living(io.StringIO()) is False
    closed = Terminal()
    closed.close()
    monkeypatch.setattr(Terminal, "isatty", io.StringIO.isatty)
    assert is_living(closed) is False


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "the terminal is gone"), ValueError("closed")])
def test_a_terminal_that_is_gone_ends_the_line_and_not_the_run(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Gone(Terminal):
        def write(self, text: str) -> int:
            asked.append(text)
            raise error

    monkeypatch.setattr(sys, "stderr", Gone())
    with watched("curate", ""), step("x", 1, lambda: HALF):
        until(lambda: "".join(asked), "curate")


@pytest.mark.usefixtures("quick")
def test_the_log_and_the_events_hold_what_is_not_shown(tmp_path: Path) -> None:
    def work() -> None:
        say("extract_pairs", "adds a file")
        Stage("extract_pairs", "1 file, part 3", 3).end(Receipt("x", 2, 1, Counter(dns=1)))
        warnings.showwarning("odd \x1b[2Jpixels", UserWarning, "pixels.py", 7)
        logging.getLogger("some.library").warning("GET https://h.org/b?X-Signature=S3CRET failed")
        progress.run.log.line("java             12:00:00 WARN TaskMemoryManager: Failed to allocate a page")
        raise KeyError("the key")

    arguments = ["source.paths=https://me:pw@h.org/a?sig=S3CRET", "spark.conf.spark.authenticate.secret=S3CRET"]
    with pytest.raises(KeyError), watched("curate", str(tmp_path), arguments, settings="seed: null\n"):
        work()
    (kept,) = tmp_path.glob("_logs/*/settings.yaml")
    assert kept.read_text() == "seed: null\n"
    log, events = of_run(tmp_path)
    assert "headtail curate source.paths=https://h.org/a spark.conf.spark.authenticate.secret=...\n" in log
    assert log.index("adds a file") < log.index("starts: 1 file, part 3") < log.index("WARN TaskMemoryManager")
    assert "UserWarning at pixels.py:7: odd \\x1b[2Jpixels" in log
    assert "WARNING some.library: GET https://h.org/b failed" in log
    assert "Traceback (most recent call last):" in log
    assert "KeyError: 'the key'" in log
    assert "S3CRET" not in log + json.dumps(events)
    assert [each["event"] for each in events] == ["run_started", "stage_started", "stage_ended", "run_failed"]
    ended = events[2]
    assert (ended["stage"], ended["part"], ended["rows_in"], ended["drops"]) == ("extract_pairs", 3, 2, {"dns": 1})
    assert ended["seconds"] >= 0


def test_a_run_that_does_nothing_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with watched("curate", str(tmp_path / "run")):
        say("extract_pairs", "is done: 5 pairs")
    with pytest.raises(ValueError, match="refused"), watched("curate", str(tmp_path / "run")):
        raise ValueError("refused")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == "extract_pairs    is done: 5 pairs\n"


def test_a_folder_that_takes_no_log_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (str(tmp_path / "file"), "htp://nowhere/run", "/proc/run"):
        with watched("curate", output):
            Stage("extract_pairs", "1 files").end(Receipt("x"))


def test_on_a_store_the_log_is_written_whole_and_again() -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    stored = MemoryFileSystem()
    log = RunLog("memory://run", "curate")
    log.line("before")
    assert stored.find("/run") == []
    log.open()
    log.line("first")
    log.store()
    assert stored.find("/run") == []  # a minute has not passed
    log.store(at_once=True)
    (path,) = stored.find("/run/_logs")
    log.line("second")
    log.close()
    log.line("after the end")
    lines = [line.split(" ", 1)[1] for line in stored.cat_file(path).decode().splitlines()]
    assert lines == ["before", "first", "second"]
    stored.rm("/run", recursive=True)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (
            "spark.conf={spark.hadoop.fs.s3a.secret.key: abc, x: 1}",
            "spark.conf={spark.hadoop.fs.s3a.secret.key: ..., x: 1}",
        ),
        ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=..."),
        ("https://u:p@h.org/a?token=abc", "https://h.org/a"),
        ("spark.authenticate.secret=abc next", "spark.authenticate.secret=... next"),
        ("entry 12: a token of love", "entry 12: a token of love"),
    ],
    ids=["in a setting", "environment", "address", "before a word", "none"],
)
def test_secrets_are_cut(text: str, cut: str) -> None:
    assert without_secrets(text) == cut


def test_closed_streams_go_nowhere(tmp_path: Path) -> None:
    """With `2>&-`, the next file that is opened would be standard error."""
    code = (
        "import os, sys; from curation.core.terminal import guard_streams; guard_streams(); "
        f"file = open({str(tmp_path / 'table')!r}, 'w'); os.write(2, b'message'); print('x', file=sys.stderr); "
        "file.write('rows')"
    )
    subprocess.run(["sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, code], check=True, env=dict(os.environ))
    assert (tmp_path / "table").read_text() == "rows"


def test_a_step_is_measured_from_the_last_look_at_the_one_before_it() -> None:
    run, ticker, now = progress.Run(), living.Ticker(io.StringIO()), time.monotonic()
    ticker._looked = now - 2
    waited = progress.Step("merge texts", 4, None, lambda: HALF, start=now - 100)
    run.steps = [waited]
    ticker._read(run)
    assert waited.meter._samples[0] == pytest.approx((98, 0, 0))
    assert waited.meter.rate == pytest.approx(0.5, rel=0.1)
