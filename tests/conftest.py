"""What the tests share: the real data beside the project, and one Spark session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real data of ../shared/data is not here")


@pytest.fixture(scope="session")
def spark() -> Iterator:
    """One local session with two cores for all tests of a run."""
    from curation.spark.session import close_session, open_session

    yield open_session("tests", "local[2]", "1g", {})
    close_session()
