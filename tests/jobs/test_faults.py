"""A full disk, a read-only disk, no network: each fault gives one line, and the next start gives the same bytes.

tests/cluster/faults.py tests such faults on the workers of a cluster.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import DownloadImagesConfig, ExtractPairsConfig
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.tables import Table
from jobs import download_images, extract_pairs
from tests.cluster.cluster import free_port
from tests.http_server import ImageServer
from tests.jobs.conftest import Sample, rows
from tests.shard_data import curate, curated_rows


def mount(folder: Path, options: str) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("no permission to mount a small disk")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds two or three of the eight files of pairs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "size=36k")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def extract(sample: Sample, output: Path) -> None:
    taken = ("output", "source.", "urls.", "max_failed")
    settings = [setting for setting in sample.settings(output) if setting.startswith(taken)]
    with faults_as_lines():
        extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, settings))


def test_a_full_disk_is_one_line_and_more_room_cures_it(sample: Sample, finished: Path, disk: Path) -> None:
    with pytest.raises(HeadtailError, match=rf"^{disk}/run/pairs/part-00000/.*: No space left on device$"):
        extract(sample, disk / "run")
    assert not list((disk / "run").rglob("_manifest.json"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    extract(sample, disk / "run")
    assert rows(disk / "run", "pairs").equals(rows(finished, "pairs"))
    assert not list((disk / "run").rglob(".*"))


def test_a_disk_that_forbids_writing_is_one_line(sample: Sample, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(HeadtailError, match=rf"{disk}/run.*: Read-only file system$"):
        extract(sample, disk / "run")


@pytest.mark.usefixtures("spark")
def test_images_that_a_machine_without_network_did_not_reach_are_not_given_up(tmp_path: Path) -> None:
    port, images = free_port(), 30
    curate(tmp_path, curated_rows([f"http://127.0.0.1:{port}/image/{k}.jpg" for k in range(images)]))
    given = [f"output={tmp_path}", "urls.allow_private_hosts=127.0.0.1/32"]
    config = compose_config("download_images", DownloadImagesConfig, given)
    with pytest.raises(HeadtailError, match=r"reached none of the 30 images .*connection 30.*cut off from the network"):
        download_images.run(config)
    with ImageServer(port=port):
        download_images.run(config)
    (downloads,) = Table(f"{tmp_path}/downloads").parts()
    assert downloads.receipt.rows_out == images
    assert not list(tmp_path.rglob(".*"))
