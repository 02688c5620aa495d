"""How a job ends that fails: one line; the stack trace is in a log, and with --debug on the screen."""

import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.schema.jobs import EstimateConfig
from curation.core.errors import DEBUG, HeadtailError
from jobs import cli, failures


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Restore what `launch` changes in a process, and keep logs in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(DEBUG, "")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hooks, filters, level = (
        (threading.excepthook, sys.unraisablehook),
        [*logging.root.filters],
        logging.getLogger("py4j").level,
    )
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    threading.excepthook, sys.unraisablehook = hooks
    logging.root.filters[:] = filters
    logging.getLogger("py4j").setLevel(level)


def ended(error: BaseException, capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str]:
    """Return the exit code and standard error of a job that raises an error."""

    def run(config: EstimateConfig) -> None:
        assert config
        raise error

    with pytest.raises(SystemExit) as stopped:
        cli.launch(run, list(arguments), job="estimate")
    return int(stopped.value.code or 0), capsys.readouterr().err


def test_an_unexpected_error_is_a_line_with_its_log_and_where_to_report(
    capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    code, told = ended(KeyError("x"), capsys)
    (log,) = (tmp_path / "cache" / "headtail" / "logs").iterdir()
    assert code == 1
    assert told == (
        f"headtail estimate: an unexpected error, KeyError: 'x': the stack trace is in {log}, and --debug shows it; "
        "please report it with that at https://github.com/headtail/headtail/issues\n"
    )
    text = log.read_text()
    assert "Traceback (most recent call last):" in text
    assert text.rstrip().endswith("KeyError: 'x'") or "The last lines of the JVM:" in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [KeyError("x"), HeadtailError("a mistake")], ids=["unexpected", "a mistake"])
def test_debug_shows_the_stack_trace_of_any_error(capsys: pytest.CaptureFixture, error: Exception) -> None:
    code, told = ended(error, capsys, "--debug")
    assert code == 1
    assert told.startswith("Traceback (most recent call last):")
    assert told.splitlines()[-1].startswith("headtail estimate: ")
    assert os.environ[DEBUG] == "1"


def test_where_no_log_can_be_written_the_line_says_what_shows_the_stack(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(failures.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    _, told = ended(RuntimeError("a\nb"), capsys)
    assert told.startswith("headtail estimate: an unexpected error, RuntimeError: a: --debug shows the stack trace;")
    assert told.count("\n") == 1


def test_an_interrupt_during_imports_and_settings_is_a_line(capsys: pytest.CaptureFixture) -> None:
    code, told = ended(KeyboardInterrupt(), capsys)
    assert (code, told) == (130, "headtail estimate: stopped; run the same command again to continue\n")


def test_errors_of_threads_stay_off_the_screen(capsys: pytest.CaptureFixture) -> None:
    ended(HeadtailError("a mistake"), capsys)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert capsys.readouterr().err == ""


def test_a_job_that_cannot_be_imported_is_a_line_too(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'pyarrow'")

    monkeypatch.setattr(cli.importlib, "import_module", missing)
    monkeypatch.setattr(sys, "argv", ["headtail", "count_entries", "output=/runs/a", "entry_lists=/lists"])
    with pytest.raises(SystemExit):
        cli.main()
    told = capsys.readouterr().err
    assert told.startswith(
        "headtail count_entries: an unexpected error, ModuleNotFoundError: No module named 'pyarrow'"
    )
    assert told.count("\n") == 1
