"""numba gets a cache folder if it would find none, and every process finds the kernels of the first one there."""

import os
import shutil
import subprocess
import sys
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


@pytest.mark.parametrize("home", ["writable", "none"])
def test_kernels_of_a_read_only_installation_are_compiled_once(home: str, tmp_path: Path) -> None:
    """A file in the way of the folders `__pycache__`, and of a home, keeps root, too, from writing there."""
    source = Path(curation.__file__).parent
    for module in ("__init__.py", "core/__init__.py", "core/dictionary_values.py"):
        (tmp_path / "curation" / module).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / module, tmp_path / "curation" / module)
        (tmp_path / "curation" / module).with_name("__pycache__").touch()
    if home == "none":
        (tmp_path / "home").touch()
    (tmp_path / "tmp").mkdir()
    program = (
        "import numpy, os, curation\n"
        "curation._can_write = lambda folder: folder.name != '__pycache__' and not os.path.isfile(folder.parent)\n"
        "curation._find_kernel_cache()\n"
        "from curation.core.dictionary_values import longest_value\n"
        "longest_value(numpy.zeros(8, numpy.uint8))\n"
        "print(sum(longest_value.stats.cache_hits.values()))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    environment = kept | {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": ""}
    hits = [
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [(done.stdout.strip(), done.stderr) for done in hits] == [("0", ""), ("1", "")]


def test_a_temporary_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = curation._own_temporary_folder()
    assert curation._own_temporary_folder() == first
    os.chmod(first, 0o777)
    assert curation._own_temporary_folder() != first
