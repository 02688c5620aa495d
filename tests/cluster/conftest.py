"""A cluster of one master and two workers, the archive that its jobs run from, and the sample crawl."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.spark import packing
from tests.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def archive(finished: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make pack` makes; the local run before has compiled the kernels that it takes along."""
    assert finished.exists()
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        # To pack and unpack the archive takes most of the time of a small run; Spark unpacks .tar without permissions.
        patch.setattr(packing, "LEVEL", 0)
        packing.pack(wheel, folder / "headtail-env.tar.gz")
    return folder / "headtail-env.tar.gz"


@pytest.fixture(scope="session")
def cluster(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers with a core each."""
    with Cluster(tmp_path_factory.mktemp("cluster") / "cluster", archive) as cluster:
        yield cluster
