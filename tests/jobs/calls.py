"""Several jobs in one process, whose JVM starts once: `Calls.headtail` runs a job and returns its messages."""

import contextlib
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator

from jobs.cli import launch


class Calls:
    """Runs jobs in a process that has the environment of the time of its start."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def headtail(self, job: str, *arguments: str, code: int = 0) -> str:
        """Run a job as its command line does; returns the lines of its standard error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([job, *arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process has ended with {self._process.wait()}"
        found, told = json.loads(answer)
        assert found == code, told
        return told


@contextlib.contextmanager
def one_process() -> Iterator[Calls]:
    """Start the process; it ends with the context."""
    command = [sys.executable, "-m", "tests.jobs.calls"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Calls(process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    """Read a job and its arguments from each line, run the job, and answer with its exit code and messages."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        job, *arguments = json.loads(line)
        code, told = 0, io.StringIO()
        with contextlib.redirect_stderr(told):
            try:
                launch(importlib.import_module(f"jobs.{job}").run, arguments)
            except SystemExit as stop:
                code = int(stop.code or 0)
        print(json.dumps([code, told.getvalue()]), file=answers, flush=True)


if __name__ == "__main__":
    main()
