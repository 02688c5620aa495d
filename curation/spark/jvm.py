"""The JVM that a run starts for itself: how it is started, what it prints, and why it did not start.

pyspark starts the JVM too, but lets all that the JVM prints through to the terminal, raises an error without a reason,
and waits forever for a JVM that ended with exit code 0. So this module starts it, and pyspark connects to it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import pyspark
from py4j.java_gateway import JavaGateway
from pyspark.java_gateway import launch_gateway
from pyspark.serializers import UTF8Deserializer, read_int

from curation.core import progress
from curation.core.errors import HeadtailError, shows_stacks
from curation.core.terminal import screen

SUBMIT = Path(pyspark.__file__).parent / "bin" / "spark-submit"
KEPT_LINES = 2000
MAX_MESSAGE_LINES = 10
CHUNK_BYTES = 1 << 16
MAX_CHARACTERS = 300
POLL_SECONDS = 0.05
OPTION_VARIABLES = (
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS", "PYSPARK_SUBMIT_ARGS"
)  # fmt: skip
"""Variables of the environment that hold options of a JVM."""
OPTIONS = f"{', '.join(OPTION_VARIABLES)} and spark.driver.extraJavaOptions"
CURES = (
    (r"OutOfMemoryError", "raise spark.driver_memory"),
    (
        r"heap size|exceeds the size|Could not reserve|nsufficient memory|Cannot allocate memory|System memory \d+",
        "set spark.driver_memory to a size that this machine has, such as 2g",
    ),
    (r"(?i)\boptions?\b|JDWP|\bagent", f"look at {OPTIONS}"),
    (r"UnsupportedClassVersionError", "give a newer Java in JAVA_HOME, or unset JAVA_HOME"),
    (r"invalid null input: name", "give the user a name in /etc/passwd"),
    (r"UnknownHost", "add the name of this machine to /etc/hosts, or set SPARK_LOCAL_IP to its address"),
    (r"assign requested address|BindException", "set SPARK_LOCAL_IP and spark.driver.bindAddress to an address of it"),
    (r"\bbash\b'?: .*(?:No such|not found)", "install bash, with which Spark starts its JVM"),
    (r"No space left", "make room, or set TMPDIR to a folder on another disk"),
)
"""Pattern of the JVM's reason -> what to do."""
_NO_REASON = re.compile(
    r"Picked up |NOTE: |WARNING|\S+ WARN |OpenJDK .*warning|Setting default log level|To adjust logging level|:: |"
    r"Using Spark's default|Error: Could not create the Java|Error: A fatal exception|Error occurred during init|"
    r".*spark-class: line \d+: CMD: bad array|\s|Caused by: |# *$|# A fatal error|Unable to find any JVMs"
)
_FRAME = re.compile(r"\s+at \S.*\)$|\s*\.\.\. \d+ (?:more|common frames)|\s*(?:Caused by|Suppressed): ")
_PIECE = re.compile(rb"[^\r\n]*[\r\n]")
_LOGGED = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ ")
LOG_LEVEL = "headtail.log"
"""The property of a JVM that this module starts: the level of Spark's log (log4j2.properties)."""
_ONLY_LOGGED = re.compile(r"\d\d:\d\d:\d\d (?:WARN (?!TaskSchedulerImpl:)|[A-Z]+ (?:TaskSetManager|Executor):)")
MESSAGE_SECONDS = 1.0
_EXCEPTION = re.compile(r"(?:[a-z_$]\w*\.)+[A-Z][\w$]*(?:Exception|Error)\b")
_IN_THREAD = re.compile(r'Exception in thread "[^"]*" ')


class JvmOutput:
    """The output of a JVM: kept while it starts, then shown line by line without stack traces and warnings.

    All lines go to the log of the run. `lines` holds the last lines as they came, stack traces too. With `stacks`, each
    line is shown as it comes. Spark's progress bar, which ends in a carriage return, is shown and not kept. `stream` is
    not buffered.
    """

    def __init__(self, stream: IO[bytes], stacks: bool) -> None:
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._stream, self._stacks, self._started = stream, stacks, stacks
        self._in_python_stack, self._message_lines, self._logged_until = False, 0, 0.0
        self._thread = threading.Thread(target=self._read, name="output of the JVM", daemon=True)
        self._thread.start()

    def show(self) -> None:
        """Show the lines that come from now on."""
        self._started = True

    def wait(self, seconds: float) -> None:
        """Wait until the JVM has closed its output, at most for these seconds."""
        self._thread.join(seconds)

    def _read(self) -> None:
        pending = b""
        while chunk := self._stream.read(CHUNK_BYTES):
            pieces = _PIECE.findall(pending + chunk)
            pending = (pending + chunk)[sum(map(len, pieces)) :]
            for piece in pieces:
                self._take(piece)
        if pending:
            self._take(pending)

    def _take(self, piece: bytes) -> None:
        line = piece.decode("utf-8", "replace").rstrip("\n")
        is_bar = piece.endswith(b"\r")
        if not is_bar:
            self.lines.append(line)
            progress.run.log.line(f"java             {line}")
        if not self._started:
            return
        hidden = [self._is_only_logged(line), not is_bar and self.is_stack(line)]
        if self._stacks or is_bar or not any(hidden):
            _show(piece)

    def _is_only_logged(self, line: str) -> bool:
        """Return whether a line belongs to a message that is for the log alone; to be asked of each line in turn.

        Lines that come a while after such a message are none of it: workers print to the same stream.
        """
        now = time.monotonic()
        if _LOGGED.match(line):
            self._logged_until = now + MESSAGE_SECONDS if _ONLY_LOGGED.match(line) else 0.0
        return now < self._logged_until

    def is_stack(self, line: str) -> bool:
        """Return whether a line belongs to a stack trace of Java or Python; to be asked of each line in turn."""
        if self._in_python_stack:
            # The last line of Python's stack trace, the error, is the first that is not indented.
            self._in_python_stack = not line or line.startswith(" ")
            return True
        if line.startswith("Traceback (most recent call last)"):
            self._in_python_stack = True
            return True
        if _EXCEPTION.match(line):
            self._message_lines = MAX_MESSAGE_LINES
        elif _FRAME.match(line):
            self._message_lines = 0
        elif _LOGGED.match(line) or not self._message_lines:
            self._message_lines = 0
            return False
        else:  # the message of a Java error has several lines
            self._message_lines -= 1
        return True


def _show(piece: bytes) -> None:
    # Not through sys.stderr, which a test may have replaced. The JVM would wait for a reader that has died.
    with suppress(OSError):
        screen.write_bytes(piece)


_output: JvmOutput | None = None
_process: subprocess.Popen[bytes] | None = None
"""The JVM of this process, and its output: pyspark, too, has one JVM per process."""


def jvm_lines() -> list[str]:
    """Return the last lines that the JVM of this process printed, none if it has started none."""
    return list(_output.lines) if _output else []


def start_jvm(settings: Mapping[str, str]) -> JavaGateway:
    """Start a JVM with Spark's settings and return pyspark's connection to it.

    Raises HeadtailError with the JVM's own reason if it ends before it names its port. Another end of the start,
    such as Ctrl-C, ends the JVM too.
    """
    global _output, _process
    folder = tempfile.mkdtemp(prefix="headtail-jvm-")
    port_file = Path(folder) / "port"
    command = [str(SUBMIT)]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    command += shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))
    environment = os.environ | {"SPARK_CONNECT_MODE": "0", "_PYSPARK_DRIVER_CONN_INFO_PATH": str(port_file)}
    process = None
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # the JVM ends when this pipe is closed
            stdout=subprocess.PIPE,  # the VM's own errors are printed here
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=environment,
            preexec_fn=_ignore_interrupts,
        )
        assert process.stdout is not None
        _output = JvmOutput(process.stdout, shows_stacks())
        while not port_file.exists():
            if (code := process.poll()) is not None:
                _output.wait(5.0)
                raise HeadtailError(start_failure(jvm_lines(), code))
            time.sleep(POLL_SECONDS)
        with port_file.open("rb") as file:
            port, secret = read_int(file), UTF8Deserializer().loads(file)
        gateway = _connect(port, secret)
    except BaseException:
        if process:
            process.kill()
            process.wait()
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    gateway.proc = _process = process  # as pyspark does, which keeps the pipe open
    _output.show()
    return gateway


def peak_memory() -> int:
    """Return the bytes of memory that the JVM of this process has held at most; 0 if it is unknown."""
    with suppress(OSError, AttributeError, ValueError):
        status = Path(f"/proc/{_process.pid}/status").read_text() if _process else ""
        if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
            return int(found[1]) * 1024
    return 0


def end_reason(wait_seconds: float = 1.0) -> str | None:
    """Return why the JVM that was started has ended, None while it runs or if none was started.

    A JVM that is just dying is waited for.
    """
    if _process is None or _output is None:
        return None
    try:
        code = _process.wait(wait_seconds)
    except subprocess.TimeoutExpired:
        return None
    _output.wait(wait_seconds)
    told = [line for line in _output.lines if re.search(r"OutOfMemoryError|insufficient memory|fatal error", line)]
    if told:
        return with_cure(told[0].lstrip("# ")[:MAX_CHARACTERS])
    if code == -signal.SIGKILL:
        return (
            "it was killed, as systems do when memory runs out: lower spark.driver_memory or the cores of spark.master"
        )
    return f"it ended with signal {-code}" if code < 0 else f"it ended with exit code {code}"


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _connect(port: int, secret: str) -> JavaGateway:
    """Return pyspark's connection to a JVM that runs already."""
    names = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
    os.environ.update(names)
    try:
        return launch_gateway()
    finally:
        for name in names:
            del os.environ[name]


def start_failure(lines: Iterable[str], code: int) -> str:
    """Return the line for a JVM that has ended before it named its port: its first reason, and what to do.

    >>> start_failure(["Invalid maximum heap size: -Xmx2x", "Error: Could not create the Java Virtual Machine."], 1)
    "Spark's Java does not start: Invalid maximum heap size: -Xmx2x: set spark.driver_memory to a size that this \
machine has, such as 2g"
    """
    reason = first_reason(lines)
    if not reason:
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"Spark's Java does not start: it ended with {ended} and gave no reason; --debug shows what it printed"
    return f"Spark's Java does not start: {with_cure(reason)}"


def first_reason(lines: Iterable[str]) -> str:
    """Return the first line that says why a JVM ended, empty if no line does."""
    for line in lines:
        if line.strip() and not _NO_REASON.match(line) and not _FRAME.match(line):
            return _IN_THREAD.sub("", line).strip()[:MAX_CHARACTERS]
    return ""


def with_cure(reason: str) -> str:
    """Return a reason and what to do about it."""
    cure = next((cure for pattern, cure in CURES if re.search(pattern, reason)), None)
    return f"{reason.rstrip('.')}: {cure}" if cure else reason
