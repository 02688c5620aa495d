"""The sample crawl, its image host and the runs over it: made once, for all processes of a test session.

pytest-xdist runs the tests in several processes, whose temporary folders lie side by side. The first process that asks
for a run makes it, the others wait for it and read it.
"""

import fcntl
import gzip
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from jobs import curate
from tests.conftest import SHARED
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings

PORT = 8766
"""The uids of the sample are hashes of its image addresses, which hold the port: tests/golden needs this one."""
SCALE = 0.25
SESSION = (LOCAL, "spark.driver_memory=1g")


class Sample:
    """The sample crawl in a folder; `curate` runs the chain over it in this process and returns the run's folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def settings(self, output: Path) -> list[str]:
        """The settings of a run over the sample crawl."""
        return settings(self.folder, output)

    def overrides(self, output: Path, *more: str) -> list[str]:
        """The settings of a run, with those of a local session."""
        return [*self.settings(output), *SESSION, *more]

    def curate(self, output: Path, *more: str) -> Path:
        """Run the chain into a folder."""
        curate.run(compose_config("curate", CurateConfig, self.overrides(output, *more)))
        return output


def over_shards(run: Path) -> tuple[str, ...]:
    """The settings, on top of the sample's, of a run over the shards of a run."""
    paths = ("source=webdataset", f"source.paths={run}/shards", "source.crawl=")
    return (*paths, "download.resize=original", "max_failed_share=0")


def curate_real_wats(folder: Path) -> Path:
    """Run the chain over the real WATs, without the download; returns the run's folder."""
    lists = folder / "lists"
    lists.mkdir(parents=True)
    (lists / "en.json").write_bytes(gzip.decompress((SHARED / "metadata/entries-en-415k.json.gz").read_bytes()))
    places = (f"output={folder}/run", f"source.paths={SHARED}/wat", f"entry_lists={lists}")
    given = [*places, "download_images=false", "buckets=2", "seed=0", *SESSION]
    curate.run(compose_config("curate", CurateConfig, given))
    return folder / "run"


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of a test session see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process in at a time."""
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Make a folder in the first process that asks for it; the other processes wait."""
    done = folder.with_name(f"{folder.name}.done")
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


@contextmanager
def shared_sample(folder: Path) -> Iterator[Sample]:
    """The sample crawl at a quarter of its size, with its image host in a process of its own.

    The port is `PORT`, or a free one where another program has that. The host ends when no process is left that holds
    the file `users`.
    """
    crawl, port_file, log = folder / "crawl", folder / "port", folder / "host.log"
    with open(folder / "users", "a") as users:
        with locked(folder / "host.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for a host that is ending
            port = int(port_file.read_text()) if port_file.exists() else free_port(PORT)
            make_sample(crawl, port, SCALE)
            port_file.write_text(str(port))
            if free_port(port) == port:  # nobody serves yet
                command = [sys.executable, "-m", "tests.shared_runs", str(crawl), str(port), users.name]
                with open(log, "w") as out:
                    host = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
                while free_port(port) == port:
                    if host.poll() is not None:
                        raise RuntimeError(log.read_text())
                    time.sleep(0.05)
        yield Sample(crawl, port)


def free_port(wanted: int) -> int:
    """Return a port that nobody listens at: the wanted one, if possible."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("there is no free port")


def main(folder: str, port: str, users: str) -> None:
    """Serve the images of a sample crawl until no process is left that holds the file `users`."""
    with ImageHost(Path(folder), int(port)), open(users) as lock:
        while True:
            time.sleep(1)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
