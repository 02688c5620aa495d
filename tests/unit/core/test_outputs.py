"""Folders that cannot be written are refused before the work; a disk that may be too small is told."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from curation.core import outputs
from curation.core.errors import HeadtailError
from curation.core.outputs import check_writable, warn_of_space


def test_a_folder_that_can_be_written_is_not_made(tmp_path: Path) -> None:
    check_writable([f"{tmp_path}/run/pairs", f"{tmp_path}/run"])
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(HeadtailError, match=rf"{tmp_path}/run/pairs cannot be a folder: {tmp_path}/run is a file"):
        check_writable([f"{tmp_path}/run/pairs"])


def test_a_folder_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir(mode=0o555)
    if os.getuid() == 0:  # permissions do not bind root
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path / "mine")
    with pytest.raises(HeadtailError, match=rf"run cannot be written: {tmp_path}/mine: Permission denied"):
        check_writable([f"{tmp_path}/mine/run"])


def test_a_full_disk_is_refused_and_a_small_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000_000))
    check_writable([f"{tmp_path}/run"])
    warn_of_space("download_images", f"{tmp_path}/run", 1e9, "33,334 images")
    assert capsys.readouterr().err == ""
    warn_of_space("download_images", f"{tmp_path}/run", 3e9, "100,000 images")
    assert f"100,000 images may take 3 GB, and {tmp_path}/run has 2 GB free" in capsys.readouterr().err
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(HeadtailError, match="No space left on device"):
        check_writable([f"{tmp_path}/run"])


def test_a_store_without_permission_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(outputs.storage, "is_local", lambda _: False)
    monkeypatch.setattr(outputs.storage, "remove", written.remove)
    monkeypatch.setattr(outputs.storage, "write_bytes", lambda path, _: written.append(path))
    check_writable(["s3://bucket/run"])
    assert not written

    def refuse(path: str, _: bytes) -> None:
        raise PermissionError(f"AccessDenied: {path}")

    monkeypatch.setattr(outputs.storage, "write_bytes", refuse)
    with pytest.raises(HeadtailError, match="s3://bucket/run cannot be written: PermissionError: AccessDenied"):
        check_writable(["s3://bucket/run/shards", "s3://bucket/run"])
