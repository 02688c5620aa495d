"""Which files and folders count as written by this user."""

import os
from pathlib import Path

import pytest

from curation.core import ownership
from curation.core.ownership import is_own_file, is_own_folder, make_own_folder, own_caches


def test_a_file_is_ours_if_nobody_else_could_write_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for mode, ours in ((0o600, True), (0o644, True), (0o664, False), (0o646, False)):
        file.chmod(mode)
        assert is_own_file(file) == ours
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert not any(is_own_file(tmp_path / name) for name in ("link", "pipe", "none", "."))


def test_what_belongs_to_others_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir(mode=0o700)
    assert is_own_file(tmp_path / "file")
    assert is_own_folder(tmp_path / "folder")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert not is_own_file(tmp_path / "file")
    assert not is_own_folder(tmp_path / "folder")
    assert not make_own_folder(tmp_path / "folder")


def test_a_folder_of_ours_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert not is_own_folder(folder)
    assert make_own_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o755
    (tmp_path / "link").symlink_to(folder)
    assert not make_own_folder(tmp_path / "link")


def test_a_folder_that_others_can_exchange_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert not make_own_folder(tmp_path / "folder")
    tmp_path.chmod(0o1777)
    assert make_own_folder(tmp_path / "folder")


def test_a_planted_cache_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(ownership.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "headtail").symlink_to(tmp_path)
    assert list(own_caches()) == [tmp_path / str(os.geteuid()) / "headtail"]
