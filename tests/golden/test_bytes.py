"""Runs make the bytes that they made before: tests/golden/bytes.json."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import needs_shared
from tests.golden.bytes import GOLDEN, conditions, real_runs, sample_runs

TABLE = json.loads(GOLDEN.read_text())
Runs = Callable[[Path], Iterator[tuple[str, dict[str, str]]]]


@pytest.fixture(autouse=True)
def same_conditions() -> None:
    """Other packages and processors may encode images, and compress tables, to other bytes."""
    if conditions() != TABLE["conditions"]:
        pytest.skip(f"bytes.json was made under other conditions: {TABLE['conditions']}, here {conditions()}")


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    "runs", [pytest.param(sample_runs, id="sample"), pytest.param(real_runs, id="real", marks=needs_shared)]
)
def test_runs_make_the_bytes_of_before(runs: Runs, tmp_path: Path) -> None:
    made = dict(runs(tmp_path))
    assert made == {name: TABLE["runs"][name] for name in made}


def test_every_run_of_the_table_is_made() -> None:
    names = {"sample", "second_balance", "webdataset"} | {"real_wats", "real_warcs", "laion", "cc3m", "entry_lists"}
    assert set(TABLE["runs"]) == names
    assert all(len(hashes) > 5 for name, hashes in TABLE["runs"].items() if name in ("sample", "second_balance"))
