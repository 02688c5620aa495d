"""check_shards and remove_samples on the shards of a run, as a user starts them."""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CheckShardsConfig, RemoveSamplesConfig, WriteShardsConfig
from curation.core.errors import HeadtailError
from jobs import check_shards, remove_samples, write_shards
from tests.jobs.conftest import tar_bytes


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def check(run: Path) -> None:
    check_shards.run(compose_config("check_shards", CheckShardsConfig, [f"shards={run}/shards"]))


def test_the_shards_of_a_run_are_fit_for_training(run: Path, capsys: pytest.CaptureFixture) -> None:
    check(run)
    assert "are fit for training" in capsys.readouterr().err


def test_a_cut_off_tar_makes_the_check_fail(run: Path) -> None:
    path = run / "shards/00000.tar"
    with tarfile.open(path) as archive:
        image = archive.getmembers()[29]
    path.write_bytes(path.read_bytes()[: image.offset_data + image.size // 2])
    command = [str(Path(sys.executable).parent / "headtail"), "check_shards", f"{run}/shards", "spark.driver_memory=1g"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "00000.tar: the tar breaks off after" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("headtail check_shards: ")


def test_keys_of_two_tars_and_a_damaged_side_car_are_told(run: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("00001.tar", "00001.parquet", "00002.tar"):
        shutil.copy(run / f"shards/00000{name[5:]}", run / f"shards/{name}")
    (run / "shards/00002.parquet").write_bytes(b"PAR1 damaged PAR1")
    first = pq.read_table(run / "shards/00000.parquet")["uid"].to_pylist()
    with pytest.raises(HeadtailError, match="problems in"):
        check(run)
    told = capsys.readouterr().err
    assert f"key {min(first)} is in several tars" in told
    assert "00002.tar: the side-car cannot be read" in told


def test_what_is_removed_stays_away(run: Path, tmp_path: Path) -> None:
    before = tar_bytes(run)
    rows = pq.read_table(run / "shards/00000.parquet").to_pylist()
    listed = tmp_path / "optouts.txt"
    listed.write_text(f"{rows[3]['uid']}\n{rows[5]['sha256']}\n")
    settings = [f"shards={run}/shards", f"uids=[{listed}]", "spark.driver_memory=1g"]
    remove_samples.run(compose_config("remove_samples", RemoveSamplesConfig, settings))
    after = tar_bytes(run)
    assert [name for name in before if before[name] != after[name]] == ["00000.tar"]
    check(run)
    total = sum(json.loads((run / "shards/sizes.json").read_text()).values())
    overrides = [f"output={run}", "samples_per_shard=1000", "overwrite=true", "spark.driver_memory=1g"]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, overrides))
    manifest = json.loads((run / "shards/_manifest.json").read_text())
    assert manifest["rows_out"] == total
    assert manifest["drops"]["removed"] >= 2, "their duplicates too"
    uids = pq.read_table(run / "shards/00000.parquet")["uid"].to_pylist()
    assert rows[3]["uid"] not in uids
    assert rows[5]["uid"] not in uids


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            ["shards={run}/nothing", f"uids=[{'0' * 24}]"], "nothing holds no complete table", id="no table of shards"
        ),
        pytest.param(["shards={run}/shards", "uids=[aa]"], "aa is neither a file nor a uid", id="no uid"),
    ],
)
def test_a_mistake_is_told(finished: Path, settings: list[str], message: str) -> None:
    overrides = [setting.format(run=finished) for setting in settings]
    with pytest.raises(HeadtailError, match=message):
        remove_samples.run(compose_config("remove_samples", RemoveSamplesConfig, overrides))
