"""Runs make the bytes that they made before: tests/golden/bytes.json."""

import json
from pathlib import Path

import pytest

from curation.core.choices import LanguageRule
from tests.conftest import needs_shared
from tests.golden.bytes import GOLDEN, conditions, real_hashes, sample_hashes
from tests.shared_runs import PORT, Sample

TABLE = json.loads(GOLDEN.read_text())


@pytest.fixture(autouse=True)
def same_conditions() -> None:
    """Other packages and processors may encode images, and compress tables, to other bytes."""
    if conditions() != TABLE["conditions"]:
        pytest.skip(f"bytes.json was made under other conditions: {TABLE['conditions']}, here {conditions()}")


def expected(made: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: TABLE["runs"][name] for name in made}


def test_runs_over_the_sample_make_the_bytes_of_before(
    sample: Sample, finished: Path, webdataset_run: Path, tmp_path: Path
) -> None:
    assert sample.port == PORT, f"another program uses port {PORT}, which the uids depend on"
    made = dict(sample_hashes(sample, finished, webdataset_run, tmp_path))
    assert made == expected(made)


@needs_shared
def test_runs_over_real_data_make_the_bytes_of_before(real_wats_run: Path, tmp_path: Path) -> None:
    made = dict(real_hashes(real_wats_run, tmp_path))
    assert made == expected(made)


def test_every_run_of_the_table_is_made() -> None:
    pairs = {f"{source}_{rule}" for source in ("wats", "warcs", "laion", "cc3m") for rule in LanguageRule}
    names = {"sample", "second_balance", "webdataset", "sample_json_1", "real_wats", "entry_lists"} | pairs
    assert set(TABLE["runs"]) == names
    assert all(len(hashes) > 5 for name, hashes in TABLE["runs"].items() if name in ("sample", "second_balance"))
