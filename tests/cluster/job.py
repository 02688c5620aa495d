"""A job that runs in a process of its own: what it says as it says it, and its end."""

import subprocess
import threading
import time

from tests.cluster.cluster import end_session


class Job:
    """A job's process, whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        """All output so far."""
        return "\n".join(self.lines)

    @property
    def told(self) -> list[str]:
        """The lines of headtail, without Spark's own."""
        return [line for line in self.lines if line[:17].rstrip() in STAGES or line.startswith("headtail ")]

    def starts(self, *stages: str) -> str | None:
        """Wait until one of these stages has started, and return the first that has; None if the job ends before."""
        while not (started := [stage for stage in stages if self._has_started(stage)]):
            if self.process.poll() is not None:
                return None
            time.sleep(0.02)
        return started[0]

    def _has_started(self, stage: str) -> bool:
        return any(line.startswith(f"{stage} ") and " starts: " in line for line in self.lines)

    def end(self, seconds: float = 600) -> int:
        """Wait for the end and return the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        """Kill the driver without warning: its Java and its Python."""
        end_session(self.process)
        self._reader.join(10)


STAGES = (
    "extract_pairs",
    "match_pairs",
    "count_entries",
    "balance_pairs",
    "plan_lists",
    "download_images",
    "write_shards",
    "report_stats",
)
