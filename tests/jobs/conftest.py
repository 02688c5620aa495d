"""One small sample crawl, its image host, and one undisturbed run, for all tests of the jobs."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from curation.core.tables import Table
from jobs import curate
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings


class Sample:
    """The sample crawl in a folder; `curate` runs the chain over it in this process and returns the run's folder."""

    def __init__(self, folder: Path, host: ImageHost) -> None:
        self.folder, self.host = folder, host

    def settings(self, output: Path) -> list[str]:
        return settings(self.folder, output)

    def overrides(self, output: Path, *more: str) -> list[str]:
        return [*self.settings(output), LOCAL, "spark.driver_memory=1g", *more]

    def curate(self, output: Path, *more: str) -> Path:
        curate.run(compose_config("curate", CurateConfig, self.overrides(output, *more)))
        return output


@pytest.fixture(scope="session")
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The sample crawl at a quarter of its size, served on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("sample") / "crawl"
    make_sample(folder, port=port, scale=0.25)
    request.getfixturevalue("spark")  # one session for all runs in this process
    with ImageHost(folder, port) as host:
        yield Sample(folder, host)


@pytest.fixture(scope="session")
def finished(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run; not to be written to."""
    return sample.curate(tmp_path_factory.mktemp("runs") / "finished")


def rows(run: Path, table: str) -> pa.Table:
    """All rows of a table of a run, in the order of its files."""
    return pa.concat_tables([pq.read_table(file) for file in Table(str(run / table)).files()])


def tar_bytes(run: Path) -> dict[str, bytes]:
    """The shards of a run by name."""
    return {path.name: path.read_bytes() for path in sorted((run / "shards").glob("*.tar"))}
