"""How a JVM starts and why it does not: with programs in place of Java, which print and end as Java does."""

import os
import queue
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from py4j.protocol import Py4JError

from curation.core import progress
from curation.core.errors import DEBUG, HeadtailError
from curation.core.run_log import RunLog
from curation.spark import environment, jvm
from curation.spark.faults import fault_line
from curation.spark.jvm import JvmOutput, first_reason, start_failure, start_jvm

LAUNCHED = """case "$*" in *launcher.Main*) printf '\\0\\n%s\\0%s\\0' "$0" run; printf '%d\\0' 0; exit 0;; esac"""
"""First spark-submit calls Java for the command that it then executes; here the command is the program itself."""
TWO_STACKS = """\
12:00:00 ERROR TaskSchedulerImpl: no room
org.apache.spark.SparkException: [X] two lines
of a message
\tat org.apache.spark.Foo.bar(Foo.scala:12)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.io.IOException: gone
\t... 12 more
shown between
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    raise KeyError("x")
KeyError: 'x'
shown at the end
"""


def fake_java(folder: Path, script: str) -> str:
    """Write a program that is called in place of Java, and return its JAVA_HOME."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param(
            "echo 'Picked up JAVA_TOOL_OPTIONS: -Xint' >&2; echo 'Invalid maximum heap size: -Xmx2x' >&2; exit 1",
            "Invalid maximum heap size: -Xmx2x: set spark.driver_memory to a size that this machine has",
            id="memory, told on standard error",
        ),
        pytest.param(
            "printf 'Error occurred during initialization of VM\\nToo small maximum heap\\n'; exit 1",
            "Too small maximum heap",
            id="memory, told on standard output",
        ),
        pytest.param(
            "echo \"Unrecognized VM option 'NoSuch'\" >&2; exit 1",
            "Unrecognized VM option 'NoSuch': look at JAVA_TOOL_OPTIONS",
            id="option",
        ),
        pytest.param("exit 3", "gave no reason", id="no reason"),
        pytest.param(f"{LAUNCHED}; exit 0", "ended with exit code 0 and gave no reason", id="exit code 0"),
    ],
)
def test_a_jvm_that_does_not_start_gives_its_first_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, script: str, told: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path, script))
    monkeypatch.delenv("SPARK_HOME", raising=False)
    with pytest.raises(HeadtailError, match="Spark's Java does not start") as error:
        start_jvm({"spark.driver.memory": "2x"})
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_ends_the_jvm_that_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"{LAUNCHED}\necho $$ >{tmp_path}/pid; exec sleep 60"
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path / "java", script))
    monkeypatch.delenv("SPARK_HOME", raising=False)

    def interrupt(*_: object) -> None:
        if not (tmp_path / "pid").exists():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            return
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            start_jvm({})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("stacks", [False, True])
def test_what_the_jvm_prints_is_shown_without_stack_traces(capfd: pytest.CaptureFixture, stacks: bool) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as stream:
        output = JvmOutput(stream, stacks)
        output.show()
        os.write(write, TWO_STACKS.encode())
        os.close(write)
        output.wait(10)
    shown = capfd.readouterr().err
    expected = "12:00:00 ERROR TaskSchedulerImpl: no room\nshown between\nshown at the end\n"
    assert shown == (TWO_STACKS if stacks else expected)
    assert list(output.lines) == TWO_STACKS.splitlines()


def test_warnings_and_lost_attempts_are_for_the_log_alone(
    capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jvm, "MESSAGE_SECONDS", 60.0)
    run = progress.start_run(RunLog(str(tmp_path), "x"))
    run.log.open()
    hidden = """\
12:00:00 WARN TaskMemoryManager: Failed to allocate a page
12:00:00 ERROR TaskSetManager: Task 0 in stage 1.0 failed 3 times; aborting job
12:00:00 WARN TaskSetManager: Lost task 0.0: PythonException: Traceback (most recent call last):
  File "x.py", line 1, in <module>
KeyError: 'x'
"""
    shown = (
        "12:00:00 WARN TaskSchedulerImpl: Initial job has not accepted any resources\n12:00:00 ERROR Other: no room\n"
    )
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as stream:
        output = JvmOutput(stream, False)
        output.show()
        os.write(write, (hidden + shown).encode())
        os.close(write)
        output.wait(10)
    run.log.close()
    assert capfd.readouterr().err == shown
    (log,) = tmp_path.glob("_logs/*/log.txt")
    logged = [line.split(" java             ", 1)[1] for line in log.read_text().splitlines()]
    assert logged == (hidden + shown).splitlines()


def test_a_terminal_that_is_gone_does_not_block_the_jvm(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(jvm.os, "write", closed)
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as stream:
        output = JvmOutput(stream, False)
        output.show()
        with os.fdopen(write, "w") as file:
            file.write("a\nb\n")
        output.wait(10)
    assert list(output.lines) == ["a", "b"]


def test_the_progress_bar_passes_at_once_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: queue.Queue[bytes] = queue.Queue()
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as stream, os.fdopen(write, "wb", buffering=0) as jvm_side:
        monkeypatch.setattr(jvm, "_show", shown.put)
        output = JvmOutput(stream, False)
        output.show()
        jvm_side.write(b"\r[Stage 0:>   (0 + 2) / 8]\r")
        assert shown.get(timeout=60) + shown.get(timeout=60) == b"\r[Stage 0:>   (0 + 2) / 8]\r"
        jvm_side.write(b"half a li")
        jvm_side.write(b"ne\nrest")
        jvm_side.close()
        output.wait(60)
    assert [shown.get_nowait(), shown.get_nowait()] == [b"half a line\n", b"rest"]
    assert list(output.lines) == ["half a line", "rest"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param("exec sleep 60", None, id="running"),
        pytest.param("echo '# There is insufficient memory for Java'; exit 1", "insufficient memory", id="memory"),
        pytest.param("echo java.lang.OutOfMemoryError: Java heap space; exit 3", "raise spark.driver_mem", id="heap"),
        pytest.param("kill -9 $$", "it was killed, as systems do when memory runs out", id="killed"),
        pytest.param("exit 3", "it ended with exit code 3", id="no word"),
    ],
)
def test_a_jvm_that_ends_at_work_says_why(monkeypatch: pytest.MonkeyPatch, script: str, told: str | None) -> None:
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout is not None
    monkeypatch.setattr(jvm, "_process", process)
    output = JvmOutput(process.stdout, False)
    monkeypatch.setattr(jvm, "_output", output)
    reason = jvm.end_reason(0.2 if told is None else 20.0)
    assert reason is None if told is None else told in str(reason)
    if told:
        line = fault_line(Py4JError("An error occurred while calling o1.collect"))
        assert line is not None
        assert line.startswith("Spark's Java has ended: ")
    process.kill()
    process.wait()
    output.wait(20.0)  # the reader ends before the file is closed
    process.stdout.close()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['Exception in thread "main" java.net.UnknownHostException: box'], "java.net.UnknownHostException: box"),
        (["WARNING: Using incubator modules", "", "\tat a.b(C.java:1)", "first", "second"], "first"),
        (["12:00:00 WARN Utils: nothing", "Error: Could not create the Java Virtual Machine."], ""),
    ],
    ids=["in a thread", "after warnings", "none"],
)  # fmt: skip
def test_the_first_reason_is_the_first_line_that_is_one(lines: list[str], reason: str) -> None:
    assert first_reason(lines) == reason


def test_a_name_that_does_not_resolve_has_a_cure() -> None:
    assert start_failure(["java.net.UnknownHostException: box: box"], 1).endswith(
        "add the name of this machine to /etc/hosts, or set SPARK_LOCAL_IP to its address"
    )


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that the test may change, with another Spark and another Python in it."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("SPARK_", "PYSPARK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JAVA_HOME", os.environ.get("JAVA_HOME", ""))
    monkeypatch.setenv("SPARK_HOME", "/opt/another-spark")
    monkeypatch.setenv("PYSPARK_PYTHON", "/usr/bin/python2")
    monkeypatch.setenv("SPARK_LOCAL_IP", "10.9.9.9")
    monkeypatch.setenv("SPARK_REMOTE", "sc://elsewhere")
    yield monkeypatch
    monkeypatch.undo()
    os.environ.clear()
    os.environ.update(before)


def test_a_local_run_uses_its_own_spark_python_and_address(
    clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert clean
    environment.prepare_environment("local[2]", None)
    assert Path(os.environ["SPARK_HOME"], "bin", "spark-submit").exists()
    assert os.environ["PYSPARK_PYTHON"] == environment.sys.executable
    assert os.environ["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert "SPARK_REMOTE" not in os.environ
    assert "not the Spark of SPARK_HOME=/opt/another-spark" in capsys.readouterr().err


def test_on_a_cluster_the_settings_of_its_spark_and_its_python_count(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    defaults = "# sizes\n\nspark.executor.cores  1\n spark.executor.memory=2g\nspark.authenticate: true\n"
    (tmp_path / "conf" / "spark-defaults.conf").write_text(defaults)
    clean.setenv("SPARK_HOME", str(tmp_path))
    environment.prepare_environment("spark://a:7077", None)
    assert os.environ["SPARK_CONF_DIR"] == str(tmp_path / "conf")
    assert environment.given_settings() == {"spark.executor.cores", "spark.executor.memory", "spark.authenticate"}
    assert os.environ["PYSPARK_PYTHON"] == "/usr/bin/python2"
    assert os.environ["SPARK_LOCAL_IP"] == "10.9.9.9"


def test_a_user_without_a_name_gets_a_home_and_a_name(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    clean.setattr(environment.pwd, "getpwuid", unknown)
    (tmp_path / "file").write_text("")
    clean.setenv("HOME", f"{tmp_path}/file/home")
    clean.setenv("SPARK_SUBMIT_OPTS", "-Xint")
    environment.prepare_environment("local[2]", None)
    given = os.environ["SPARK_SUBMIT_OPTS"]
    assert given.startswith('-Xint -Duser.home="/')
    assert f"{tmp_path}/file" not in given
    assert given.endswith(f"-Duser.name=uid-{os.getuid()}")


def test_debug_is_known_by_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not jvm.shows_stacks()
    monkeypatch.setenv(DEBUG, "1")
    assert jvm.shows_stacks()
