"""numba gets a cache folder if it would find none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import curation
from tests.conftest import ROOT


def test_a_read_only_installation_gets_a_cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # to delete a variable that is not there would not restore it
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    curation._find_kernel_cache()
    assert "NUMBA_CACHE_DIR" not in os.environ  # the usual places will do
    monkeypatch.setattr(curation, "_can_write", lambda _folder: False)
    curation._find_kernel_cache()
    cache = tmp_path / str(os.geteuid()) / "headtail" / "kernels"
    assert os.environ["NUMBA_CACHE_DIR"] == str(cache)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    curation._find_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(cache)  # the next process finds the kernels
    assert [path.name for path in tmp_path.iterdir()] == [str(os.geteuid())]
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/given")
    curation._find_kernel_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/given"


def test_a_folder_that_is_of_one_process_only_goes_with_it(tmp_path: Path) -> None:
    program = (
        "import os, pathlib; from curation.core.ownership import own_cache_or_temporary;"
        "found = own_cache_or_temporary(); os.fork() or exit(); os.wait();"
        "print(found, found.is_dir())"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": "/proc/none"}
    (tmp_path / str(os.geteuid())).touch()  # somebody has taken the name of the cache
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
    folder, _, exists = done.stdout.strip().rpartition(" ")
    assert (Path(folder).parent, exists) == (tmp_path, "True"), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [str(os.geteuid())]


def test_a_folder_that_is_not_there_can_be_written_if_it_can_be_made(tmp_path: Path) -> None:
    assert curation._can_write(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
