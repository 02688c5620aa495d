"""numba gets a cache folder if it would find none."""

import os
from pathlib import Path

import pytest

import curation


def test_a_read_only_installation_gets_a_cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    curation._find_kernel_cache()
    assert "NUMBA_CACHE_DIR" not in os.environ  # the usual places will do
    monkeypatch.setattr(curation, "_can_write", lambda _folder: False)
    curation._find_kernel_cache()
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == tmp_path
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/given")
    curation._find_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/given"


def test_a_folder_that_is_not_there_can_be_written_if_it_can_be_made(tmp_path: Path) -> None:
    assert curation._can_write(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
