"""What the tests share: the real data beside the project, one Spark session, the sample crawl and runs over it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests import lean_pytest

if TYPE_CHECKING:
    from tests.shared_runs import Sample

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data of ../shared/data is not here")

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For JVMs that live for seconds: an optimizing compiler and a parallel collector cost half of their CPU time."""


def pytest_configure(config: pytest.Config) -> None:
    """Give these options to each JVM that the tests, or the jobs that they start, start through Spark."""
    config.pluginmanager.register(lean_pytest)
    os.environ["SPARK_SUBMIT_OPTS"] = os.environ["SPARK_LAUNCHER_OPTS"] = QUICK_JVM


def pytest_collection_finish() -> None:
    """Take what the collection of tests has made out of garbage collection, which would look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def spark() -> Iterator:
    """One local session with two cores for all tests of a process."""
    from curation.spark.session import close_session, open_session

    # A JVM writes the archive of classes when it ends: for this one that is too late for the others.
    with mock.patch("curation.spark.class_archive.ROOM_BYTES", 1 << 60):
        session = open_session("tests", "local[2]", "1g", {})
    yield session
    close_session()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of a test session see: tests/shared_runs.py."""
    from tests.shared_runs import session_folder

    return session_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def wheel(shared_folder: Path) -> Path:
    """The wheel of this checkout."""
    from tests.shared_runs import made_once
    from tests.wheel import build_wheel

    (wheel,) = made_once(shared_folder / "wheel", build_wheel).glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(wheel: Path, shared_folder: Path) -> Path:
    """The folder of programs of an environment that has headtail from its wheel, with the locked packages."""
    from tests.shared_runs import made_once
    from tests.wheel import install_wheel

    return made_once(shared_folder / "installed", partial(install_wheel, wheel)) / "bin"


@pytest.fixture(scope="session")
def sample(request: pytest.FixtureRequest, shared_folder: Path) -> Iterator[Sample]:
    """The sample crawl at a quarter of its size, served on a port of this machine."""
    from tests.shared_runs import shared_sample

    request.getfixturevalue("spark")  # one session for all runs in this process
    with shared_sample(shared_folder) as sample:
        yield sample


@pytest.fixture(scope="session")
def finished(sample: Sample, shared_folder: Path) -> Path:
    """The folder of an undisturbed run over the sample; not to be written to."""
    from tests.shared_runs import made_once

    return made_once(shared_folder / "finished", sample.curate)


@pytest.fixture(scope="session")
def webdataset_run(sample: Sample, finished: Path, shared_folder: Path) -> Path:
    """The folder of a run over the shards of `finished`; not to be written to."""
    from tests.shared_runs import made_once, over_shards

    return made_once(shared_folder / "webdataset", lambda folder: sample.curate(folder, *over_shards(finished)))


@pytest.fixture(scope="session")
def real_wats_run(spark: object, shared_folder: Path) -> Path:
    """The folder of a run over the real WATs, without the download; not to be written to."""
    from tests.shared_runs import curate_real_wats, made_once

    assert spark
    return made_once(shared_folder / "real_wats", curate_real_wats) / "run"
