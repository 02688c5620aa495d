"""Programs that end with the one that started them, and with all that they have started themselves.

The workers of PyTorch's loaders can outlive a program that is killed: they wait until somebody reads their batches.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_PROGRAM = 'exec 3<&0; { cat; kill -s KILL 0; } <&3 >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
"""A process in the group waits for the end of the pipe, and then kills the group."""


class Lifeline:
    """Runs programs as process groups, which end at the latest with the block, or with this process.

    It holds a pipe that nobody writes to, and that the kernel closes when this process is gone, however it ended.
    """

    def __enter__(self) -> Self:
        read, self._write = os.pipe()
        self._read = open(read, "rb")
        return self

    def run(self, command: Sequence[str], **options: Any) -> int:
        """Run a program with options of `subprocess.Popen`; return its exit code when no process of it is left.

        Its output must go to a file: who reads a pipe waits for all that hold it.
        """
        shell = ["sh", "-c", _PROGRAM, "sh", *command]
        process = subprocess.Popen(shell, stdin=self._read, start_new_session=True, **options)
        try:
            return process.wait()
        finally:
            with suppress(ProcessLookupError):  # the end of the pipe has killed all
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._write)
        self._read.close()
